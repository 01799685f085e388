"""A deadline holds to the second, and does not punish the peer for our own absence."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from monitor.net.deadlines import LATE, deadline
from tests.unit.net.virtual_time import now, stall


async def outcome(seconds: float, body: Callable[[], Awaitable[None]]) -> tuple[bool, float]:
    """Run `body` under a deadline; say whether it timed out, and after how many seconds."""
    began = now()
    try:
        async with deadline(seconds):
            await body()
    except TimeoutError:
        return True, now() - began
    return False, now() - began


async def forever() -> None:
    """Wait for an answer that never comes."""
    await asyncio.get_running_loop().create_future()


def later(seconds: float, call: Callable[..., object], *arguments: float) -> None:
    """Have something happen in so many seconds."""
    asyncio.get_running_loop().call_later(seconds, call, *arguments)


async def test_a_body_that_ends_in_time_is_left_alone() -> None:
    """It takes as long as it takes."""
    assert await outcome(5, lambda: asyncio.sleep(4.9)) == (False, pytest.approx(4.9))


async def test_a_body_that_waits_too_long_times_out_at_the_deadline() -> None:
    """Not later."""
    assert await outcome(5, forever) == (True, pytest.approx(5))


async def test_an_answer_that_waits_in_the_kernel_while_we_are_away_is_in_time() -> None:
    """The loop is held from the first second to the 61st; the answer is read right after that."""
    answer = asyncio.get_running_loop().create_future()

    def away() -> None:
        stall(60)
        # What is ready is read in the turn in which overdue timers fire.
        asyncio.get_running_loop().call_soon(answer.set_result, None)

    async def body() -> None:
        await answer

    later(1, away)
    assert await outcome(5, body) == (False, pytest.approx(61))


@pytest.mark.parametrize(
    ("stalled", "ends_after"),
    [(6, 1 + 6 + 2), (9, 1 + 9 + 5), (60, 1 + 60 + 5)],
    ids=["by its lateness", "by the whole time", "by no more than that"],
)
async def test_a_deadline_that_passed_while_we_were_away_is_put_off(
    stalled: float, ends_after: float
) -> None:
    """The stall began after one second; five were allowed."""
    later(1, stall, stalled)
    assert await outcome(5, forever) == (True, pytest.approx(ends_after))


async def test_every_stall_is_forgiven_and_each_only_once() -> None:
    """A second stall in the time given back gives time back again; without one, it is over."""
    later(1, stall, 6)
    later(8, stall, 10)
    assert await outcome(5, forever) == (True, pytest.approx(8 + 10 + 5))


async def test_a_stall_before_the_deadline_changes_nothing() -> None:
    """Nobody was away when it mattered."""
    later(1, stall, 3)
    assert await outcome(5, forever) == (True, pytest.approx(5))


async def test_ordinary_lateness_of_the_loop_is_not_forgiven() -> None:
    """A loop that is a little late is busy, not away."""
    later(4, stall, 1 + LATE / 2)
    assert await outcome(5, forever) == (True, pytest.approx(5 + LATE / 2))


async def test_a_cancelled_body_is_cancelled_not_timed_out() -> None:
    """Somebody else's decision stays theirs."""
    task = asyncio.create_task(outcome(5, forever))
    later(1, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_body_comes_through_and_leaves_no_timer() -> None:
    """The clock is not held by a deadline that is no more."""
    with pytest.raises(ZeroDivisionError):
        async with deadline(5):
            raise ZeroDivisionError
    loop = asyncio.get_running_loop()
    timers = [timer for timer in loop._scheduled if not timer.cancelled()]
    assert timers == []
