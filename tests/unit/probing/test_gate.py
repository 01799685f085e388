"""The gate lets nobody through too early, and nobody wait for another's bad target."""

import asyncio

import pytest

from monitor.core.backoff import RETRY_AFTER_LIMIT
from monitor.probing.gate import Gate, GateLimits
from tests.unit.net.virtual_time import now

MANY = 1e6


def make(
    *, concurrent: int = 1000, per_second: float = MANY, tickets_per_minute: float = MANY
) -> Gate:
    """A gate with one limit; the others are out of reach."""
    return Gate(GateLimits(concurrent, per_second, tickets_per_minute))


async def attempt(gate: Gate, lasts: float, *, retry: bool = False) -> float:
    """Make an attempt of so many seconds; return when it began, from now."""
    asked = now()
    async with gate.admit(retry=retry):
        began = now() - asked
        await asyncio.sleep(lasts)
    return began


async def tickets(gate: Gate, seller: str, count: int) -> list[float]:
    """Ask for tickets one after another; return when each could be asked for, from now."""
    asked = now()
    turns = []
    for _ in range(count):
        await gate.ticket_turn(seller)
        turns.append(round(now() - asked, 3))
    return turns


async def begins(*attempts: asyncio.Task[float]) -> list[float]:
    """When each attempt began."""
    return [round(began, 3) for began in await asyncio.gather(*attempts)]


async def test_so_many_attempts_run_at_once_and_no_more() -> None:
    """The rest go in one by one, as places come free."""
    gate = make(concurrent=2)
    tasks = [asyncio.create_task(attempt(gate, 5)) for _ in range(5)]
    assert await begins(*tasks) == [0, 0, 5, 5, 10]


async def test_so_many_attempts_begin_in_a_second() -> None:
    """A burst of one second's worth, then evenly."""
    gate = make(per_second=4)
    tasks = [asyncio.create_task(attempt(gate, 0)) for _ in range(7)]
    assert await begins(*tasks) == [0, 0, 0, 0, 0.25, 0.5, 0.75]


async def test_less_than_one_attempt_a_second_is_kept_to() -> None:
    """One every ten seconds."""
    gate = make(per_second=0.1)
    tasks = [asyncio.create_task(attempt(gate, 0)) for _ in range(3)]
    assert await begins(*tasks) == [0, 10, 20]


async def test_attempts_after_a_failure_take_up_half_of_the_places() -> None:
    """Each of them runs into its deadline; a healthy probe's first attempt does not wait."""
    gate = make(concurrent=4)
    retries = [asyncio.create_task(attempt(gate, 30, retry=True)) for _ in range(6)]
    await asyncio.sleep(1)
    assert await attempt(gate, 0) == 0
    assert await begins(*retries) == [0, 0, 30, 30, 60, 60]


async def test_with_a_single_place_a_retry_can_still_be_made() -> None:
    """Half of one is one."""
    assert await attempt(make(concurrent=1), 0, retry=True) == 0


async def test_an_attempt_that_fails_gives_its_place_back() -> None:
    """So does one that waits and is cancelled."""
    gate = make(concurrent=1)
    with pytest.raises(ConnectionError):
        async with gate.admit(retry=True):
            raise ConnectionError
    first = asyncio.create_task(attempt(gate, 10, retry=True))
    waiting = asyncio.create_task(attempt(gate, 10, retry=True))
    await asyncio.sleep(1)
    waiting.cancel()
    last = asyncio.create_task(attempt(gate, 10, retry=True))
    assert await begins(first, last) == [0, 9]


async def test_tickets_are_asked_for_at_the_seller_s_pace() -> None:
    """As many at once as a minute allows, then evenly."""
    assert await tickets(make(tickets_per_minute=3), "a", 6) == [0, 0, 0, 20, 40, 60]


async def test_each_seller_has_a_budget_of_its_own() -> None:
    """Another's queue is none of its business."""
    gate = make(tickets_per_minute=1)
    queue = asyncio.create_task(tickets(gate, "a", 3))
    await asyncio.sleep(1)
    assert await tickets(gate, "b", 1) == [0]
    assert await queue == [0, 60, 120]


async def test_a_seller_that_asked_for_a_pause_gets_it() -> None:
    """And no burst after it."""
    gate = make(tickets_per_minute=3)
    gate.close_seller("a", 90)
    assert await tickets(gate, "a", 3) == [90, 110, 130]
    assert await tickets(gate, "b", 1) == [0]


async def test_a_seller_that_asked_for_no_pause_keeps_its_burst() -> None:
    """One probe's bad key must not slow down the others at the same host."""
    gate = make(tickets_per_minute=3)
    gate.close_seller("a", 0)
    assert await tickets(gate, "a", 3) == [0, 0, 0]


async def test_no_seller_can_close_itself_for_ever() -> None:
    """An absurd `Retry-After` is honoured as far as any other."""
    gate = make(tickets_per_minute=3)
    gate.close_seller("a", 999_999_999)
    assert await tickets(gate, "a", 1) == [RETRY_AFTER_LIMIT]
