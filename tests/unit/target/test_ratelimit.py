"""The fixed window and its block, as Talo counts them."""

from monitor.target.ratelimit import ClientLimits, FixedWindow


def test_a_window_allows_its_points_and_no_more() -> None:
    """Three of four pass."""
    window = FixedWindow(duration=60)
    assert [window.hit(0, points=3) for _ in range(4)] == [True, True, True, False]


def test_a_window_starts_with_its_first_hit() -> None:
    """The old count is gone 60 s after that hit, not after the last one."""
    window = FixedWindow(duration=60)
    assert window.hit(100, points=2)
    assert window.hit(159, points=2)
    assert window.hit(160, points=2)
    assert window.hit(160, points=2)


def test_the_first_excess_blocks_for_a_whole_duration() -> None:
    """The end of the window that was exceeded does not end the block."""
    window = FixedWindow(duration=60)
    assert window.hit(0, points=1)
    assert not window.hit(50, points=1)
    assert not window.hit(109.9, points=1)
    assert window.hit(110, points=1)


def test_hits_during_the_block_do_not_prolong_it() -> None:
    """A client that never rests is let in again all the same."""
    window = FixedWindow(duration=60)
    window.hit(0, points=1)
    answers = [window.hit(second, points=1) for second in range(1, 63)]
    assert answers == [False] * 60 + [True, False]


def test_more_points_let_a_blocked_connection_go_on() -> None:
    """So that a fault that lowers the limit ends with its release."""
    window = FixedWindow(duration=60)
    assert not window.hit(0, points=0)
    assert window.hit(1, points=300)


def test_fewer_points_block_in_the_middle_of_a_window() -> None:
    """The block is a whole one, although the count had long passed the limit."""
    window = FixedWindow(duration=60)
    for _ in range(10):
        assert window.hit(0, points=300)
    assert not window.hit(30, points=5)
    assert not window.hit(89, points=5)
    assert window.hit(90, points=5)


def test_clients_are_limited_apart() -> None:
    """One client's excess is not another's."""
    limits = ClientLimits(points=1, duration=60)
    assert limits.hit("a", now=0)
    assert not limits.hit("a", now=0)
    assert limits.hit("b", now=0)


def test_clients_that_left_long_ago_are_forgotten_and_blocked_ones_are_not() -> None:
    """The book of addresses stays small; nobody is let in early by it."""
    limits = ClientLimits(points=1, duration=60)
    for number in range(2000):
        limits.hit(f"old {number}", now=0)
    limits.hit("blocked", now=100)
    assert not limits.hit("blocked", now=100)
    for number in range(2000):
        limits.hit(f"new {number}", now=101)
    assert not limits.hit("blocked", now=101)
    limits.hit("last", now=1000)
    assert len(limits) == 1
