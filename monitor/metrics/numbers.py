"""How numbers are written in the exposition formats: as `prometheus_client` does, only faster."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.utils import floatToGoString

EXPONENT_FROM = 1e6
"""From here on numbers are written with an exponent, as Go does."""

EXPONENT_UNTIL = 1e16
"""From here on Python writes one itself."""

REMEMBERED = 1 << 12
"""So many numbers are kept as they were written during a scrape: counts repeat among probes."""


def write_bound(bound: float) -> str:
    """Return a bucket's bound as the label `le` has it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def write_number(value: float) -> str:
    """Return a number as a line has it. Zero has no sign, and no value of ours needs one."""
    if EXPONENT_FROM <= value < EXPONENT_UNTIL:
        # Time stamps are such numbers, and the library takes its time over them.
        whole, _, decimals = repr(float(value)).partition(".")
        mantissa = f"{whole[0]}.{whole[1:]}{decimals}".rstrip("0.")
        return f"{mantissa}e+{len(whole) - 1:02}"
    if -EXPONENT_UNTIL < value < EXPONENT_FROM:
        return repr(float(value or 0))
    return write_bound(value)


def write_end(value: float) -> bytes:
    """Return the end of a line with labels: what follows the last of them."""
    return f"}} {write_number(value)}\n".encode()


def write_ends(values: Sequence[float]) -> list[bytes]:
    """Return the ends of some lines; none of their values is NaN."""
    least, most = min(values), max(values)
    if least == most:
        return [write_end(least)] * len(values)
    if least > 0 and most < EXPONENT_FROM:
        # Most numbers, all in one go: `%a` is `repr` in ASCII.
        return (b"} %a\n" * len(values) % tuple(values)).splitlines(keepends=True)
    return list(map(write_end, values))


class Ends(dict[float, bytes]):
    """The ends of lines by their numbers, for numbers that repeat within a scrape.

    The next one has others, so nothing is kept until then.
    """

    def __missing__(self, value: float) -> bytes:
        """Write a number that is new, and remember it."""
        if len(self) >= REMEMBERED:
            self.clear()
        end = self[value] = write_end(value)
        return end
