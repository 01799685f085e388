"""How numbers are written in the exposition formats: as `prometheus_client` does, only faster."""

from __future__ import annotations

import sys

from prometheus_client.utils import floatToGoString

EXPONENT_FROM = 1_000_000
"""From here on numbers are written with an exponent, as Go does."""

LOWEST = -sys.float_info.max
"""Every number that is neither infinite nor not a number is at least this."""

COMMON = 2048
"""Counts below this are looked up: most counters of most probes stand at a small number."""


def write_bound(bound: float) -> str:
    """Return a bucket's bound as the label `le` has it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


class _Written(dict[float, str]):
    """Small counts as they are written. What is missing is written too, and not kept."""

    def __missing__(self, value: float) -> str:
        if type(value) is int and 0 <= value < EXPONENT_FROM:
            return f"{value}.0"
        if type(value) is float and LOWEST <= value < EXPONENT_FROM:
            return repr(value)
        return write_bound(value)


write_number = _Written({count: f"{count}.0" for count in range(COMMON)}).__getitem__
"""Return a number as a line has it. Zero has no sign, and no value of ours needs one."""
