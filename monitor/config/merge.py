"""Puts `defaults` under a probe, as plain values, before anything is checked.

A null in a probe takes the default away; what is checked later treats it as not given.
"""

from typing import TypeAlias

from monitor.config.document import Value

Mapping: TypeAlias = dict[str, Value]

FITS_PROTOCOLS: dict[str, frozenset[str]] = {
    "ticket": frozenset({"talo"}),
    "text": frozenset({"text"}),
    "heartbeat": frozenset({"talo", "text"}),
}
"""Keys that mean something with some protocols only."""

_MERGED_KEY_BY_KEY = frozenset(
    {"query", "ticket", "heartbeat", "ping", "timeouts", "reconnect", "tls", "headers", "labels"}
)


def complete_probe(probe: Mapping, defaults: Mapping, labels: Mapping) -> Mapping:
    """A probe's own keys over the defaults that fit it; its labels also over the global ones."""
    base = {key: value for key, value in defaults.items() if _fits(key, probe, defaults)}
    base["labels"] = _over(labels, base.get("labels", {}))
    result = dict(base)
    for key, value in probe.items():
        below = base.get(key)
        if key == "headers":
            below = _without_same_headers(below, value)
        result[key] = _over(below, value) if key in _MERGED_KEY_BY_KEY else value
    return result


def _fits(key: str, probe: Mapping, defaults: Mapping) -> bool:
    protocol = probe.get("protocol", defaults.get("protocol"))
    if key in FITS_PROTOCOLS and protocol in ("talo", "ping", "text"):
        return protocol in FITS_PROTOCOLS[key]
    url = probe.get("url")
    return not (key == "tls" and isinstance(url, str) and url.lower().startswith("ws:"))


def _over(below: Value, above: Value) -> Value:
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **above}
    return above


def _without_same_headers(below: Value, above: Value) -> Value:
    """A header's name has no case (RFC 9110 section 5.1): `x-team` replaces `X-Team`."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return below
    names = {name.lower() for name in above}
    return {name: value for name, value in below.items() if name.lower() not in names}
