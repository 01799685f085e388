"""How numbers are written in the exposition formats: as `prometheus_client` does, only faster."""

from __future__ import annotations

import sys
from functools import lru_cache

from prometheus_client.utils import floatToGoString

EXPONENT_FROM = 1_000_000
"""From here on numbers are written with an exponent, as Go does."""

LOWEST = -sys.float_info.max
"""Every number that is neither infinite nor not a number is at least this."""

REMEMBERED = 1 << 14
"""So many numbers are kept as they were written: counts repeat, within a histogram above all."""


def write_bound(bound: float) -> str:
    """Return a bucket's bound as the label `le` has it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


@lru_cache(REMEMBERED)
def write_number(value: float) -> str:
    """Return a number as a line has it. Zero has no sign, and no value of ours needs one."""
    if LOWEST <= value < EXPONENT_FROM:
        return repr(float(value or 0))
    return write_bound(value)
