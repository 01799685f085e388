"""Whether `sent + skipped` follows the schedule, from one scrape of a monitor to the next."""

from __future__ import annotations

from dataclasses import dataclass

from tests.integration.harness.metrics import Scrape

LAG = 3.0
"""Seconds by which a monitor on a busy machine may be late with booking what fell due."""

EDGES = 2
"""Beats that may fall on either edge of a span, or wait to be sent."""


@dataclass(frozen=True, slots=True)
class _Baseline:
    due: int
    began: float
    ended: float


class ScheduleWatch:
    """Compares each scrape with the first one that showed the same probe."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], _Baseline] = {}
        self._forgiven_until = 0.0

    def forgive(self, until: float) -> None:
        """Allow beats to be booked later than usual up to this monotonic second: it was stopped."""
        self._forgiven_until = until

    def restart(self) -> None:
        """Begin anew: probes may have been replaced."""
        self._first.clear()

    def check(self, scrape: Scrape) -> None:
        """See that no beat was lost, and that none came which the schedule does not have."""
        for name in scrape.probes:
            view = scrape.probe(name)
            for mode in view.modes:
                self._check(scrape, name, mode)

    def _check(self, scrape: Scrape, name: str, mode: str) -> None:
        beats = scrape.probe(name).mode(mode)
        due = beats.due
        now = _Baseline(due, scrape.began, scrape.ended)
        first = self._first.setdefault((name, mode), now)
        passed = due - first.due
        most = (now.ended - first.began) / beats.interval + EDGES
        least = (now.began - first.ended - LAG) / beats.interval - EDGES
        span = f"{name}/{mode}: {passed} beats in {now.ended - first.began:.2f} s"
        assert passed <= most, f"{span}, at most {most:.1f} were due: {beats}"
        if scrape.began > self._forgiven_until:
            assert passed >= least, f"{span}, at least {least:.1f} were due: {beats}"
