"""What is told of one source of discovery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

from monitor.metrics import families
from monitor.metrics.cells import Cell, Reading, Valued
from monitor.metrics.families import Family


class LeftOut(StrEnum):
    """Why no probe was made of a target."""

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    LIMIT = "limit"


class SourceMetrics:
    """The figures of one source. `wall` returns Unix time."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.targets = Cell()
        self.probes = Cell()
        self.left_out = {reason: Cell() for reason in LeftOut}
        self._wall = wall
        self._up = Cell()
        self._last_success = Reading()
        self._refreshes = Cell()
        self._failures = Cell()

    def asked(self, *, ok: bool) -> None:
        """Note that the source was asked, and whether all of it answered."""
        self._refreshes.value += 1
        self._failures.value += not ok
        self._up.value = int(ok)
        if ok:
            self._last_success.value = round(self._wall(), 3)

    def children(self) -> Iterator[tuple[Family, tuple[str, ...], Valued]]:
        """Return every cell with its family, and its labels but that of the source."""
        yield families.DISCOVERY_UP, (), self._up
        yield families.DISCOVERY_LAST_SUCCESS, (), self._last_success
        yield families.DISCOVERY_REFRESHES, (), self._refreshes
        yield families.DISCOVERY_REFRESH_FAILURES, (), self._failures
        yield families.DISCOVERY_TARGETS, (), self.targets
        yield families.DISCOVERY_PROBES, (), self.probes
        for reason, cell in self.left_out.items():
            yield families.DISCOVERY_LEFT_OUT, (reason.value,), cell
