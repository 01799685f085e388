"""The watch knows since when nobody looked at the sockets, and is silent when somebody did."""

import socket

import pytest

from monitor.net.loop_watch import HELD, LoopWatch


class Clock:
    """A clock that shows the given times, one at each look."""

    def __init__(self, *times: float) -> None:
        self.times = list(times)

    def __call__(self) -> float:
        """Show the next time."""
        return self.times.pop(0)


def blind_after(
    *looks: tuple[float, float], timeouts: tuple[float | None, ...] = ()
) -> float | None:
    """Look at the sockets from one time to another, again and again, after a start at 100.

    Each look was to take no time, unless `timeouts` says otherwise.
    """
    watch = LoopWatch(Clock(100.0, *(time for look in looks for time in look)))
    ours, theirs = socket.socketpair()
    with watch, ours, theirs:
        if None in timeouts:
            # Something to see, for who would wait for ever.
            theirs.send(b"x")
            watch.register(ours, 1)
        for index in range(len(looks)):
            watch.select(timeouts[index] if index < len(timeouts) else 0)
        return watch.blind_since


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let looks take no real time, however long they are asked to."""
    parent = LoopWatch.__mro__[1]
    really = parent.select
    monkeypatch.setattr(parent, "select", lambda watch, _: really(watch, 0))


def test_a_prompt_look_is_not_blind() -> None:
    """The loop came back at once."""
    assert blind_after((100.0, 100.0), (100.001, 100.001)) is None


def test_a_loop_that_was_held_is_blind_since_the_look_before() -> None:
    """What is read now may have come at any time since."""
    assert blind_after((100.0, 100.005), (100.105, 100.105)) == 100.005


def test_a_hold_is_forgotten_at_the_next_prompt_look() -> None:
    """It bounds only what was read right after it."""
    assert blind_after((100.0, 100.0), (105.0, 105.0), (105.001, 105.001)) is None


def test_the_first_look_may_be_late_too() -> None:
    """Counted from the beginning of the watch."""
    assert blind_after((101.0, 101.0)) == 100.0


@pytest.mark.parametrize(("held", "blind"), [(HELD * 0.9, None), (HELD * 1.1, 100.0)])
def test_ordinary_work_between_looks_is_no_hold(held: float, blind: float | None) -> None:
    """Every loop does something between two looks."""
    assert blind_after((100.0, 100.0), (100.0 + held, 100.0 + held)) == blind


@pytest.mark.usefixtures("impatient")
def test_a_process_that_was_stopped_in_its_sleep_is_blind_since_it_went_to_sleep() -> None:
    """It was to wake after a second and woke after a minute."""
    assert blind_after((100.0, 160.0), timeouts=(1.0,)) == 100.0


@pytest.mark.usefixtures("impatient")
def test_a_sleep_as_long_as_asked_for_is_not_blind() -> None:
    """Nobody was held: nothing came."""
    assert blind_after((100.0, 101.0), timeouts=(1.0,)) is None


@pytest.mark.usefixtures("impatient")
def test_a_sleep_that_something_ended_early_is_not_blind() -> None:
    """It is what the loop sleeps for."""
    assert blind_after((100.0, 100.3), timeouts=(1.0,)) is None


def test_a_sleep_without_end_is_never_called_too_long() -> None:
    """Nobody can tell; the ticks of the vigil see to it that there is none."""
    assert blind_after((100.0, 160.0), timeouts=(None,)) is None


def test_a_look_with_a_negative_timeout_is_one_that_does_not_wait() -> None:
    """As for every selector."""
    assert blind_after((100.0, 100.0 + HELD * 1.1), timeouts=(-5.0,)) == 100.0


def test_it_is_a_selector_like_any_other() -> None:
    """It says who is ready."""
    ours, theirs = socket.socketpair()
    with LoopWatch() as watch, ours, theirs:
        watch.register(ours, 1, data="ours")
        assert watch.select(0) == []
        theirs.send(b"x")
        assert [key.data for key, _ in watch.select(0)] == ["ours"]


class TestReads:
    """Since when what is read may have waited."""

    def watch(self, *looks: float) -> LoopWatch:
        """A watch that began at 100 and looked at these times, without waiting."""
        watch = LoopWatch(Clock(100.0, *(time for look in looks for time in (look, look))))
        for _ in looks:
            watch.select(0)
        return watch

    def test_a_prompt_read_after_a_prompt_look_has_not_waited(self) -> None:
        with self.watch(100.0, 100.01) as watch:
            assert watch.unseen_since(100.011) is None

    def test_a_prompt_read_after_a_late_look_may_have_waited_since_the_look_before(self) -> None:
        with self.watch(100.0, 105.0) as watch:
            assert watch.unseen_since(105.001) == 100.0

    def test_a_late_read_after_a_prompt_look_may_have_waited_since_the_look_before(self) -> None:
        """The loop was held between the two: the look had found it, or it came later."""
        with self.watch(100.0, 100.01) as watch:
            assert watch.unseen_since(105.0) == 100.0

    def test_a_late_read_after_a_late_look_may_have_waited_since_before_both(self) -> None:
        with self.watch(100.0, 105.0) as watch:
            assert watch.unseen_since(110.0) == 100.0


def test_a_process_that_was_stopped_in_its_sleep_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a stop interrupted knows only of what there was before it."""
    ours, theirs = socket.socketpair()
    parent = LoopWatch.__mro__[1]
    really = parent.select

    def interrupted(watch: LoopWatch, timeout: float | None) -> object:
        if timeout == 0:
            return really(watch, 0)
        theirs.send(b"x")
        return []

    monkeypatch.setattr(parent, "select", interrupted)
    with LoopWatch(Clock(100.0, 100.0, 160.0)) as watch, ours, theirs:
        watch.register(ours, 1)
        assert len(watch.select(1.0)) == 1
