"""The vigil finds our own lateness, absences and steps of the wall clock, and nothing else."""

import pytest

from monitor.probing.vigil import AWAY, STALE, STEPPED, TICK, Findings, Vigil


class Watchman:
    """A vigil under two clocks, and what it found."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.wall = 1_700_000_000.0
        self.lags: list[float] = []
        self.absences: list[float] = []
        self.steps: list[float] = []
        self.vigil = Vigil(
            Findings(self.lags.append, self.absences.append, self.steps.append),
            monotonic=lambda: self.monotonic,
            wall=lambda: self.wall,
        )

    def go_on(self, seconds: float, *, wall: float | None = None) -> None:
        """Let time pass, on the wall clock as well unless that says otherwise."""
        self.monotonic += seconds
        self.wall += seconds if wall is None else wall

    def tick(self, late: float = 0.0) -> None:
        """Take a tick that was due so many seconds ago."""
        self.vigil.tick(self.monotonic - late)


@pytest.fixture
def watchman() -> Watchman:
    """Return one who has just begun."""
    return Watchman()


def test_every_tick_says_how_late_it_is(watchman: Watchman) -> None:
    """Also when it is not late at all, or a hair too early."""
    for late in (0.0, 0.3, -0.0005):
        watchman.go_on(0.1)
        watchman.tick(late)
    assert watchman.lags == [0.0, pytest.approx(0.3), 0.0]


@pytest.mark.parametrize(("late", "absences"), [(AWAY, []), (AWAY + 0.01, [AWAY + 0.01])])
def test_only_a_long_lateness_is_an_absence(
    watchman: Watchman, late: float, absences: list[float]
) -> None:
    """A busy loop is late; a stopped process was away."""
    watchman.go_on(late)
    watchman.tick(late)
    assert watchman.absences == pytest.approx(absences)


@pytest.mark.parametrize("step", [-3600.0, -STEPPED - 0.1, STEPPED + 0.1, 3600.0])
def test_a_wall_clock_that_was_set_is_told_once(watchman: Watchman, step: float) -> None:
    """By how much, too; it is the usual thing from then on."""
    watchman.go_on(0.1, wall=0.1 + step)
    watchman.tick()
    watchman.go_on(0.1)
    watchman.tick()
    assert watchman.steps == [pytest.approx(step, abs=1e-6)]


def test_a_wall_clock_that_drifts_is_not_set(watchman: Watchman) -> None:
    """Time servers bend it a little all the time, and it adds up."""
    for _ in range(100):
        watchman.go_on(0.1, wall=0.15)
        watchman.tick()
    assert watchman.steps == []


def test_an_absence_is_no_step(watchman: Watchman) -> None:
    """Both clocks went on."""
    watchman.go_on(60)
    watchman.tick(60)
    assert watchman.steps == []


def test_a_monitor_whose_beats_are_driven_is_healthy(watchman: Watchman) -> None:
    """From the start, before the first tick."""
    assert watchman.vigil.unhealthy() is None
    watchman.go_on(STALE)
    assert watchman.vigil.unhealthy() is None


def test_a_monitor_whose_beats_are_not_driven_says_so_until_they_are(watchman: Watchman) -> None:
    """One tick is enough to be well again."""
    watchman.go_on(STALE + 1)
    assert watchman.vigil.unhealthy() == "no beat has been driven for 6 s"
    watchman.tick()
    assert watchman.vigil.unhealthy() is None


def test_the_ticks_bound_how_long_the_loop_sleeps() -> None:
    """Short enough to tell an absence, long enough to cost nothing."""
    assert 0.05 <= TICK.interval <= 0.5
    assert TICK.interval * 10 <= STALE
