"""Asks Prometheus through its HTTP API. Knows nothing of panels."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT = 60.0


class QueryError(Exception):
    """Prometheus could not be asked, or did not like the query; the text is one line."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its labels, and points of Unix time and value."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The latest value."""
        return self.points[-1][1]


class Prometheus:
    """A Prometheus server, by the address of its web page."""

    def __init__(self, address: str) -> None:
        self._api = f"{address.rstrip('/')}/api/v1"

    def range(self, query: str, start: float, end: float, step: float) -> list[Series]:
        """Return what a query gives over time; seconds of Unix time.

        Raises:
            QueryError: there is no answer, or it is a refusal.
        """
        asked = {"query": query, "start": start, "end": end, "step": step}
        return [_series(found, found["values"]) for found in self._ask("query_range", asked)]

    def instant(self, query: str, at: float) -> list[Series]:
        """Return what a query gives at one time.

        Raises:
            QueryError: there is no answer, or it is a refusal.
        """
        return [
            _series(found, [found["value"]])
            for found in self._ask("query", {"query": query, "time": at})
        ]

    def _ask(self, what: str, asked: Mapping[str, object]) -> list[dict[str, Any]]:
        body = urllib.parse.urlencode(asked).encode()
        try:
            # Whoever runs this names the server, so any scheme is theirs to choose.
            with urllib.request.urlopen(f"{self._api}/{what}", body, TIMEOUT) as answer:  # noqa: S310
                result = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{_refusal(error)}: {asked['query']}") from None
        except (OSError, ValueError, KeyError) as error:
            raise QueryError(f"no answer from {self._api}: {error}") from None
        if result["resultType"] == "scalar":
            return [{"metric": {}, "value": result["result"]}]
        found: list[dict[str, Any]] = result["result"]
        return found


def _refusal(error: urllib.error.HTTPError) -> str:
    """Return why Prometheus refuses; while it starts, or behind a proxy, that is no JSON."""
    try:
        said = json.load(error)
    except ValueError:
        said = {}
    return str(said.get("error", error)) if isinstance(said, dict) else str(error)


def _series(found: Mapping[str, Any], points: list[tuple[float, str]]) -> Series:
    return Series(found["metric"], tuple((float(at), _number(value)) for at, value in points))


def _number(text: str) -> float:
    return {"+Inf": math.inf, "-Inf": -math.inf}.get(text) or float(text)
