"""Prometheus' format for discovered targets: a list of groups, each with `targets` and `labels`.

The same for files (`file_sd`, as JSON or YAML) and over HTTP (`http_sd`, as JSON).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from monitor.config import DiscoveredTarget, read_yaml_as_text, target_with
from monitor.discovery.source import Targets

NO_LABELS: Mapping[str, str] = MappingProxyType({})


class FormatError(Exception):
    """This is no list of target groups; the text says where, and repeats no value."""


def read_json(body: bytes, more: Mapping[str, str] = NO_LABELS) -> Targets:
    """Return the targets of a JSON text; `more` are labels that each of them gets.

    Raises:
        FormatError: it is not JSON, or not of this format.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise FormatError("not valid JSON") from None
    return _targets(value, more)


def read_yaml(body: bytes, more: Mapping[str, str] = NO_LABELS) -> Targets:
    """Return the targets of a YAML text, in which every scalar is text.

    Raises:
        FormatError: it is not YAML, or not of this format.
    """
    try:
        value = read_yaml_as_text(body.decode())
    except UnicodeDecodeError:
        raise FormatError("not UTF-8 text") from None
    except ValueError as error:
        raise FormatError(str(error)) from None
    return _targets(value, more)


def _targets(value: object, more: Mapping[str, str]) -> Targets:
    if not isinstance(value, list):
        raise FormatError("expected a list of target groups")
    found: list[DiscoveredTarget] = []
    for number, group in enumerate(value, 1):
        try:
            found += _group(group, more)
        except FormatError as error:
            raise FormatError(f"target group {number}: {error}") from None
    return tuple(found)


def _group(group: Any, more: Mapping[str, str]) -> list[DiscoveredTarget]:
    if not isinstance(group, dict) or not group.keys() <= {"targets", "labels"}:
        raise FormatError("expected a mapping with targets and labels")
    targets, labels = group.get("targets"), group.get("labels") or {}
    if not isinstance(targets, list) or not all(isinstance(each, str) for each in targets):
        raise FormatError("targets must be a list of texts")
    if not isinstance(labels, dict) or not all(isinstance(each, str) for each in labels.values()):
        raise FormatError("labels must be a mapping to texts")
    return [target_with(address, {**labels, **more}) for address in targets]
