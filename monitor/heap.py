"""What the garbage collector looks at, and when.

It should look at what is new, and not at ten thousand probes each time. A full collection goes
through every object there is and holds the loop meanwhile, and Python begins one whenever a quarter
more has come. So what the probes consist of is set aside (`gc.freeze`). What is set aside is still
freed when nobody refers to it; only a circle of objects stays, until the probes have changed so
much that everything is looked at once more.

Nor does it look while a scrape is rendered. What a scrape makes is soon gone without it, but refers
to so much meanwhile that even a small collection would hold the loop for tens of milliseconds.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

LOOK_INTERVAL = 2.0
"""Seconds between two looks; while the first connections are made, what is new is set aside."""

CHANGED = 0.25
"""Everything is gone through again when so many of the probes, as a share, came or went."""


class Heap:
    """Sets aside what lasts, and lets the collector rest.

    Args:
        probes: returns the names of the probes.
        started: returns whether each of them has tried to connect, at least once.
    """

    def __init__(self, probes: Callable[[], Iterable[str]], started: Callable[[], bool]) -> None:
        self._probes = probes
        self._started = started
        self._set_aside: frozenset[str] | None = None
        self._changed = False
        self._resting = 0

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Have no collection meanwhile, which should be a matter of seconds."""
        self._resting += 1
        gc.disable()
        try:
            yield
        finally:
            self._resting -= 1
            if not self._resting:
                gc.enable()

    def changed(self) -> None:
        """Hear that probes may have come or gone."""
        self._changed = True

    def look(self) -> None:
        """Set aside what is new, if it is time for that and nobody wants rest."""
        if self._resting:
            return
        if self._set_aside is None:
            _set_aside()
            if self._started():
                self._set_aside = frozenset(self._probes())
        elif self._changed:
            self._compare(self._set_aside)
        self._changed = False

    def _compare(self, before: frozenset[str]) -> None:
        """Look at everything once more if there are many others than before."""
        probes = frozenset(self._probes())
        if len(probes ^ before) > CHANGED * len(probes):
            gc.unfreeze()
            _set_aside()
            self._set_aside = probes


def _set_aside() -> None:
    gc.collect()
    gc.freeze()
