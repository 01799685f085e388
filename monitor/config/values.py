"""Kinds of values that are written as text: durations, sizes, addresses, constrained words.

Each class is put into a field's `Annotated[...]` and reads, checks and describes the value.
This module must not know any key, and no error text here repeats what the user wrote, except
a number whose unit is missing: a value may be a mislaid secret.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_T = TypeVar("_T")

CUSTOM = "config"
"""The type of every error raised here; its message is ready for the user."""

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d))+$"
SIZE_PATTERN = r"^[0-9]+(B|KiB|MiB|GiB)$"

_MICROSECONDS = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_BYTES = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
_DURATION_PART = re.compile(r"([0-9]+)(?:\.([0-9]+))?(us|ms|s|m|h|d)")
_LONGEST = 32  # characters; long digit strings are slow to convert and mean nothing
_LISTEN = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})"
)


def refuse(message: str) -> PydanticCustomError:
    """An error with a finished sentence, for a pydantic validator to raise."""
    return PydanticCustomError(CUSTOM, "{message}", {"message": message})


def kind_of(value: object) -> str:
    """Name a value's kind as a user would, without the value."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, dict) else "nothing"


def parse_duration(text: str) -> float:
    """Read `500ms`, `25s` or `1h30m` as seconds.

    Raises:
        ValueError: with a sentence for the user.
    """
    if len(text) > _LONGEST or not re.fullmatch(DURATION_PATTERN.strip("^$"), text):
        raise ValueError("not a duration: write it like 500ms, 25s, 2m or 1h30m")
    parts = _DURATION_PART.findall(text)
    order = [list(_MICROSECONDS).index(unit) for _, _, unit in parts]
    if order != sorted(set(order)):
        raise ValueError("write the larger unit first and each unit once, like 1h30m")
    total = 0
    for whole, fraction, unit in parts:
        scaled, rest = divmod(int(whole + fraction) * _MICROSECONDS[unit], 10 ** len(fraction))
        if rest:
            raise ValueError("finer than a microsecond")
        total += scaled
    return total / 1_000_000


def format_duration(seconds: float) -> str:
    """Write seconds as the config does, to the microsecond: `90s`, `2h`, `2.5ms`."""
    microseconds = round(seconds * 1_000_000)
    for unit in ("d", "h", "m"):
        count, rest = divmod(microseconds, _MICROSECONDS[unit])
        if count and not rest:
            return f"{count}{unit}"
    unit = next((unit for unit in ("s", "ms") if microseconds >= _MICROSECONDS[unit]), "us")
    count, rest = divmod(microseconds, _MICROSECONDS[unit])
    digits = len(str(_MICROSECONDS[unit])) - 1
    return f"{count}.{rest:0{digits}}".rstrip("0").rstrip(".") + unit if rest else f"{count}{unit}"


def parse_size(text: str) -> int:
    """Read `64KiB` or `1MiB` as bytes.

    Raises:
        ValueError: with a sentence for the user.
    """
    if len(text) > _LONGEST or not re.fullmatch(SIZE_PATTERN.strip("^$"), text):
        raise ValueError("not a size: write it like 64KiB or 1MiB")
    digits = text.rstrip("BKMGi")
    return int(digits) * _BYTES[text[len(digits) :]]


def format_size(size: int) -> str:
    """Write bytes as the config does: 65536 is `64KiB`."""
    unit, scale = next((u, s) for u, s in _BYTES.items() if size % s == 0 and (size or s == 1))
    return f"{size // scale}{unit}"


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration in seconds, written as text; bounds in the same notation, both included."""

    minimum: str
    maximum: str

    def read(self, value: object) -> float:
        """Check what the user wrote."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise refuse(f"a duration needs a unit: write {value}s for seconds")
        if not isinstance(value, str):
            raise refuse(f"expected a duration like 25s, found {kind_of(value)}")
        seconds = _or_refuse(parse_duration, value)
        if seconds < parse_duration(self.minimum):
            raise refuse(f"must be at least {self.minimum}")
        if seconds > parse_duration(self.maximum):
            raise refuse(f"must be at most {self.maximum}")
        return seconds

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(format_duration),
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": DURATION_PATTERN}


@dataclass(frozen=True, slots=True)
class Size:
    """A size in bytes, written as text; bounds in the same notation, both included."""

    minimum: str
    maximum: str

    def read(self, value: object) -> int:
        """Check what the user wrote."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise refuse(f"a size needs a unit: write {value}B for bytes")
        if not isinstance(value, str):
            raise refuse(f"expected a size like 1MiB, found {kind_of(value)}")
        size = _or_refuse(parse_size, value)
        if not parse_size(self.minimum) <= size <= parse_size(self.maximum):
            raise refuse(f"must be between {self.minimum} and {self.maximum}")
        return size

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(format_size)
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": SIZE_PATTERN}


def _or_refuse(parse: Callable[[str], _T], text: str) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise refuse(str(error)) from None


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A TCP address to listen on; an empty host means every interface, port 0 any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`, `[::1]:PORT` or `:PORT`.

        Raises:
            ValueError: with a sentence for the user.
        """
        found = _LISTEN.fullmatch(text)
        if found is None:
            raise ValueError('write "HOST:PORT", "[IPv6]:PORT" or ":PORT", in quotes')
        host, port = found["v6"] or found["host"], int(found["port"])
        if port > 65535:
            raise ValueError("a port is at most 65535")
        if (found["v6"] or re.fullmatch("[0-9.]+", host)) and _ip(host) is None:
            raise ValueError("the host is not an IP address")
        return cls(host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        address = _ip(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    def overlaps(self, other: "ListenAddress") -> bool:
        """Whether both cannot be listened on at once."""
        anywhere = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound
        same_host = self.host == other.host or bool({self.host, other.host} & anywhere)
        return self.port == other.port != 0 and same_host

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def _read(cls, value: object) -> "ListenAddress":
        if not isinstance(value, str):
            raise refuse(f'expected "HOST:PORT" in quotes, found {kind_of(value)}')
        return _or_refuse(cls.parse, value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):[0-9]{1,5}$"}


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Matching:
    """Text that matches a pattern as a whole; the sentence says what is allowed."""

    pattern: str
    sentence: str

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._check, core_schema.str_schema(strict=True)
        )

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise refuse(self.sentence)
        return text

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file's path; a relative one starts at the config file's directory."""

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._read, serialization=core_schema.to_string_ser_schema()
        )

    def _read(self, value: object, info: core_schema.ValidationInfo) -> Path:
        return resolve_path(value, info)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1}


def resolve_path(value: object, info: core_schema.ValidationInfo) -> Path:
    """Check a path and put it below the directory that the validation context names."""
    if not isinstance(value, str) or not value:
        raise refuse(f"expected a file's path, found {kind_of(value or None)}")
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise refuse("a file's path has no control characters")
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / value
