"""How numbers are written in the exposition formats: as `prometheus_client` does, only faster.

orjson writes twenty numbers in the time that Python takes for one. Both write the fewest digits
that mean this number and no other, so the texts are equal wherever there is no exponent; the few
other numbers are written one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import orjson
from prometheus_client.utils import floatToGoString

EXPONENT_BELOW = 1e-4
"""Below this numbers but 0 are written with an exponent, as Python does."""

EXPONENT_FROM = 1e6
"""From here on numbers are written with an exponent, as Go does."""

EXPONENT_UNTIL = 1e16
"""From here on Python writes one itself."""

TEN_DIGITS = 10**12, 10**13
"""Milliseconds between which seconds have ten digits: from 2001 to 2286."""

REMEMBERED = 1 << 10
"""So many numbers are kept as they were written: those that are written one by one repeat."""


def write_bound(bound: float) -> str:
    """Return a bucket's bound as the label `le` has it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def write_number(value: float) -> str:
    """Return a number as a line has it. Zero has no sign, and no value of ours needs one."""
    if EXPONENT_FROM <= value < EXPONENT_UNTIL:
        # Bytes and time stamps are such numbers, and the library takes its time over them.
        whole, _, decimals = repr(float(value)).partition(".")
        mantissa = f"{whole[0]}.{whole[1:]}{decimals}".rstrip("0.")
        return f"{mantissa}e+{len(whole) - 1:02}"
    if -EXPONENT_UNTIL < value < EXPONENT_FROM:
        return repr(float(value or 0))
    return write_bound(value)


@lru_cache(REMEMBERED)
def write_end(value: float) -> bytes:
    """Return the end of a line: what follows the labels and a space."""
    return f"{write_number(value)}\n".encode()


def write_ends(values: Sequence[float]) -> list[bytes]:
    """Return the ends of some lines."""
    ends = _split(orjson.dumps(values).replace(b"-0.0", b"0.0"), b"\n")
    for index, value in enumerate(values):
        if not (EXPONENT_BELOW <= value < EXPONENT_FROM or value == 0):
            ends[index] = write_end(value)
    return ends


def write_moments(milliseconds: Sequence[int]) -> list[bytes]:
    """Return the ends of lines that tell Unix times in seconds."""
    if not TEN_DIGITS[0] <= min(milliseconds) <= max(milliseconds) < TEN_DIGITS[1]:
        return [write_end(each / 1000) for each in milliseconds]
    # A mantissa is the number that is nearest to its thirteen digits, so they are what is written.
    mantissas = orjson.dumps([each / TEN_DIGITS[0] for each in milliseconds])
    return _split(mantissas.replace(b".0,", b",").replace(b".0]", b"]"), b"e+09\n")


def _split(array: bytes, end: bytes) -> list[bytes]:
    """Return the elements of a JSON array of numbers, each with an end; `end` ends in a newline."""
    return (array[1:-1].replace(b",", end) + end).splitlines(keepends=True)
