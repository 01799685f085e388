"""What a scraper accepts: the format and whether to compress (RFC 9110, sections 12.4 and 12.5).

`prometheus_client` chooses the format and names the content type, but it reads the header from
left to right and claims any version that it is asked for. So it is shown one media range at a
time, by preference, and only those that we can keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from prometheus_client.exposition import choose_encoder

OPENMETRICS = "application/openmetrics-text"

OFFERED = {
    OPENMETRICS: ("", "1.0.0"),
    "text/plain": ("", "0.0.4", "1.0.0"),
    "text/*": ("",),
    "*/*": ("",),
}
"""Media range to the versions that we serve, best left to the client where it names none."""

ESCAPINGS = ("allow-utf-8", "underscores")
"""Every name of ours is legal in both, so they are written alike."""


class Format(Enum):
    """The two ways to write headers; sample lines are the same in both."""

    TEXT = auto()
    OPENMETRICS = auto()


@dataclass(frozen=True, slots=True)
class _Range:
    """One element of an Accept or Accept-Encoding header."""

    value: str
    parameters: Mapping[str, str]
    quality: float


def choose_format(accept: str | None) -> tuple[Format, str]:
    """Return the format and the content type for an Accept header; text where nothing fits."""
    for wanted in _by_preference(accept):
        version = wanted.parameters.get("version", "")
        if version in OFFERED.get(wanted.value, ()):
            return _named(_ask(wanted, version))
    return _named("")


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether a client may be sent gzip."""
    qualities = {wanted.value: wanted.quality for wanted in _ranges(accept_encoding or "")}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _named(accept: str) -> tuple[Format, str]:
    _, content_type = choose_encoder(accept)
    openmetrics = content_type.startswith(OPENMETRICS)
    return Format.OPENMETRICS if openmetrics else Format.TEXT, content_type


def _ask(wanted: _Range, version: str) -> str:
    """Return a header that says only what we can keep."""
    escaping = wanted.parameters.get("escaping", "")
    ask = f"{wanted.value};version={version}" if version else wanted.value
    return f"{ask};escaping={escaping}" if escaping in ESCAPINGS else ask


def _by_preference(header: str | None) -> list[_Range]:
    """Return what the client accepts, best first; what it rules out is left out."""
    ranges = [wanted for wanted in _ranges(header or "") if wanted.quality > 0]
    return sorted(ranges, key=lambda wanted: -wanted.quality)


def _ranges(header: str) -> Iterator[_Range]:
    for element in header.split(","):
        value, *rest = (part.strip().lower() for part in element.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {name.strip(): text.strip().strip('"') for name, _, text in pairs}
        if value:
            yield _Range(value, parameters, _quality(parameters.pop("q", "1")))


def _quality(text: str) -> float:
    """Return a weight; one that makes no sense counts as a refusal."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
