"""Placeholders in a probe template, and what is put in their place.

A placeholder is one word in braces: `{address}`, `{host}`, `{port}`, `{label.NAME}`.  What replaces
it stays text at that place: it makes no key, no list and no further placeholder, it cannot leave
the part of a URL that it stands in, and it chooses no file and no variable.

This module does no I/O.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote, unquote

from monitor.config.document import Value
from monitor.config.problems import KeyPath
from monitor.config.text import ID_PLACEHOLDER

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_KNOWN = re.compile(r"address|host|port|label\.[A-Za-z_][A-Za-z0-9_]*")
_LABEL = "label."
_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_IN_AUTHORITY = re.compile(r"[A-Za-z0-9_.-]+")
_IN_TEXT = re.compile(r"[A-Za-z0-9_.:-]+")
_DOTS = re.compile(r"\.{1,2}")


class Unfit(Exception):  # noqa: N818 - it reads better without "Error"
    """A target makes no probe; the text says why and repeats no value."""


@dataclass(frozen=True, slots=True)
class DiscoveredTarget:
    """What a source says of one target: where it is, and labels."""

    address: str
    """`HOST` or `HOST:PORT`, with brackets around an IPv6 address."""
    labels: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names and values, in the order of the names."""


def target_with(address: str, labels: Mapping[str, str]) -> DiscoveredTarget:
    """A target with labels in the order that makes equal ones equal."""
    return DiscoveredTarget(address, tuple(sorted(labels.items())))


def values_of(target: DiscoveredTarget) -> dict[str, str]:
    """What each placeholder stands for.

    Raises:
        Unfit: the address is no address.
    """
    found = _ADDRESS.fullmatch(target.address)
    if found is None or (found["v6"] and not _is_ipv6(found["v6"])):
        raise Unfit("its address is not HOST or HOST:PORT")
    values = {f"{_LABEL}{name}": value for name, value in target.labels}
    values |= {"address": target.address, "host": found["v6"] or found["host"]}
    if found["port"]:
        values["port"] = found["port"]
    return values


def expand(template: dict[str, Value], values: Mapping[str, str]) -> dict[str, Value]:
    """A template with every placeholder replaced.

    Raises:
        Unfit: a value is missing, or cannot stand where its placeholder does.
    """
    return {key: _expand(value, (key,), values) for key, value in template.items()}


def sample_values(template: dict[str, Value]) -> dict[str, str]:
    """Values for every placeholder of a template, to try it with."""
    values = {"address": "host.example:443", "host": "host.example", "port": "443"}
    return values | {
        name: "x"
        for _, text in _texts(template, ())
        for name in _PLACEHOLDER.findall(text)
        if name.startswith(_LABEL)
    }


def findings(template: dict[str, Value]) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with the placeholders of a template, and where in it."""
    for path, text in _texts(template, ()):
        names = [name for name in _PLACEHOLDER.findall(text) if not _is_protocols(path, name)]
        if names and _way_of(path) is None:
            yield path, "no placeholder can stand here"
        elif not all(_KNOWN.fullmatch(name) for name in names):
            yield (
                path,
                "unknown placeholder; known are {address}, {host}, {port} and {label.NAME}",
            )
    for path in _keys(template, ()):
        if _PLACEHOLDER.search(str(path[-1])):
            yield path, "a placeholder stands in a value, not in a key"
    name = template.get("name")
    if isinstance(name, str) and not _PLACEHOLDER.search(name):
        yield ("name",), "needs a placeholder, or all probes of this source have the same name"


def _expand(value: Value, path: KeyPath, values: Mapping[str, str]) -> Value:
    if isinstance(value, dict):
        return {key: _expand(inner, (*path, key), values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner, (*path, index), values) for index, inner in enumerate(value)]
    way = _way_of(path)
    if not isinstance(value, str) or way is None:
        return value
    return way(value, values)


def _texts(value: Value, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    for step, inner in _items(value):
        yield from _texts(inner, (*path, step))


def _keys(value: Value, path: KeyPath) -> Iterator[KeyPath]:
    for step, inner in _items(value):
        if isinstance(step, str):
            yield (*path, step)
        yield from _keys(inner, (*path, step))


def _items(value: Value) -> Iterator[tuple[str | int, Value]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _is_protocols(path: KeyPath, name: str) -> bool:
    """Whether a placeholder is the heartbeat's own `{id}`."""
    return path[:1] == ("text",) and f"{{{name}}}" == ID_PLACEHOLDER


# How a value is put into each kind of text.

_Way: TypeAlias = Callable[[str, Mapping[str, str]], str]
_Encode: TypeAlias = Callable[[str, str], str]


def _replace(text: str, values: Mapping[str, str], encode: _Encode) -> str:
    """Replace each placeholder once; what a value contains is never looked at again."""

    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        if not _KNOWN.fullmatch(name):
            return found[0]
        if name not in values:
            missing = "port" if name == "port" else f"label {name.removeprefix(_LABEL)}"
            raise Unfit(f"it has no {missing}")
        return encode(name, values[name])

    return _PLACEHOLDER.sub(value_of, text)


def _plain(text: str, values: Mapping[str, str]) -> str:
    return _replace(text, values, lambda _, value: value)


def _in_url(text: str, values: Mapping[str, str]) -> str:
    head, tail = _split_url(text)
    url = _replace(head, values, _in_authority)
    path, mark, rest = _replace(tail, values, lambda _, value: quote(value, safe="")).partition("?")
    # The dots are no other character when percent-encoded (RFC 3986 section 2.3).
    if any(_DOTS.fullmatch(unquote(segment)) for segment in path.split("/")):
        raise Unfit("a value would make . or .. of a part of the URL's path")
    return f"{url}{path}{mark}{rest}"


def _split_url(text: str) -> tuple[str, str]:
    """Scheme, host and port; path, query and whatever else."""
    start = text.find("://")
    ends = [text.find(mark, start + 3) for mark in "/?#"]
    end = min((position for position in ends if position >= 0), default=len(text))
    return (text[:end], text[end:]) if start >= 0 else (text, "")


def _in_authority(name: str, value: str) -> str:
    if name == "address" or _IN_AUTHORITY.fullmatch(value):
        return value
    if _is_ipv6(value):
        return f"[{value}]"
    raise Unfit("a value cannot stand in a URL's host and port")


def _in_message(text: str, values: Mapping[str, str]) -> str:
    def safe(_: str, value: str) -> str:
        if not _IN_TEXT.fullmatch(value):
            raise Unfit("a value in a heartbeat has only letters, digits and _ . : -")
        return value

    return _replace(text, values, safe)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


_ANY = None
_WAYS: tuple[tuple[tuple[str | None, ...], _Way], ...] = (
    (("name",), _plain),
    (("url",), _in_url),
    (("query", _ANY), _plain),  # is percent-encoded when it is appended to the URL
    (("ticket", "url"), _in_url),
    (("text", "send"), _in_message),
    (("text", "expect"), _in_message),
    (("tls", "server_name"), _plain),
    (("headers", _ANY), _plain),
    (("subprotocols", _ANY), _plain),
    (("origin",), _in_url),
    (("user_agent",), _plain),
    (("labels", _ANY), _plain),
)
"""Where placeholders may stand.  Not where a file, a variable or a number is named."""


def _way_of(path: KeyPath) -> _Way | None:
    for place, way in _WAYS:
        if len(place) == len(path) and all(
            wanted in (_ANY, step) for wanted, step in zip(place, path, strict=True)
        ):
            return way
    return None
