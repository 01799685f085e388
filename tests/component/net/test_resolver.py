"""Names are looked up in threads: one that hangs holds nobody up, and each is asked for once."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from monitor.net import resolver as module
from monitor.net.resolver import THREADS, Address, Resolver
from tests.component.net.peers import PATIENCE


class Lookups:
    """Look-ups that hang until they are let go, or fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()
        self.fails = False

    def __call__(self, host: str, port: int, family: int) -> list[Address]:
        """Look up a name."""
        del family
        self.asked.append(host)
        if host.startswith("slow"):
            assert self.released.wait(PATIENCE)
        if self.fails:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [Address(socket.AF_INET, ("127.0.0.1", port))]


async def asking() -> None:
    """Let the loop turn until every look-up that can begin has begun."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookups]:
    """Return what stands in for the system's resolver."""
    lookups = Lookups()
    monkeypatch.setattr(module, "_look_up", lookups)
    yield lookups
    lookups.released.set()


async def test_a_name_becomes_the_addresses_that_the_system_gives() -> None:
    """With the port, as a socket takes it."""
    addresses = await Resolver().resolve("localhost", 80, socket.AF_INET)
    assert Address(socket.AF_INET, ("127.0.0.1", 80)) in addresses
    assert addresses[0].host == "127.0.0.1"


@pytest.mark.parametrize(
    ("literal", "family"),
    [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("::1%1", socket.AF_INET6)],
)
async def test_a_literal_address_needs_no_thread(
    monkeypatch: pytest.MonkeyPatch, literal: str, family: int
) -> None:
    """It is what it says."""
    monkeypatch.setattr(module, "in_daemon", None)
    (address,) = await Resolver().resolve(literal, 80)
    assert address.family == family


async def test_those_who_ask_for_the_same_name_share_a_lookup(lookups: Lookups) -> None:
    """Whoever asks later asks anew."""
    resolver = Resolver()
    both = asyncio.gather(resolver.resolve("slow", 80), resolver.resolve("slow", 80))
    await asking()
    lookups.released.set()
    first, second = await both
    assert first == second
    assert lookups.asked == ["slow"]
    await resolver.resolve("slow", 80)
    assert lookups.asked == ["slow", "slow"]


async def test_who_gives_up_takes_nothing_from_those_who_still_wait(lookups: Lookups) -> None:
    """One probe's deadline is not another's."""
    resolver = Resolver()
    gives_up = asyncio.create_task(resolver.resolve("slow", 80))
    waits = asyncio.create_task(resolver.resolve("slow", 80))
    await asking()
    gives_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gives_up
    lookups.released.set()
    assert await waits == [Address(socket.AF_INET, ("127.0.0.1", 80))]


async def test_a_failure_reaches_all_who_wait_and_is_not_kept(lookups: Lookups) -> None:
    """The next one asks again."""
    resolver = Resolver()
    lookups.fails = True
    both = await asyncio.gather(
        *(resolver.resolve("gone", 80) for _ in range(2)), return_exceptions=True
    )
    assert [type(error) for error in both] == [socket.gaierror] * 2
    lookups.fails = False
    assert await resolver.resolve("gone", 80)


async def test_a_failure_that_nobody_waits_for_any_more_makes_no_noise(
    lookups: Lookups, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a traceback nor an unheard exception."""
    resolver = Resolver()
    lookups.fails = True
    task = asyncio.create_task(resolver.resolve("slow", 80))
    await asking()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    lookups.released.set()
    (lookup,) = resolver._running.values()
    with pytest.raises(socket.gaierror):
        await asyncio.shield(lookup)
    assert caplog.records == []


async def test_names_that_hang_do_not_hold_up_a_healthy_one(lookups: Lookups) -> None:
    """As many as there are threads, less one."""
    resolver = Resolver()
    hanging = [
        asyncio.create_task(resolver.resolve(f"slow{number}", 80)) for number in range(THREADS - 1)
    ]
    await asking()
    assert await resolver.resolve("healthy", 80)
    lookups.released.set()
    await asyncio.gather(*hanging)


async def test_a_crowd_of_hanging_names_takes_no_more_threads_than_allowed(
    lookups: Lookups,
) -> None:
    """The rest wait their turn, and get it."""
    resolver = Resolver()
    tasks = [
        asyncio.create_task(resolver.resolve(f"slow-crowd{number}", 80))
        for number in range(2 * THREADS)
    ]
    await asking()
    names = [thread.name for thread in threading.enumerate()]
    assert sum(name.startswith("resolve slow-crowd") for name in names) == THREADS
    lookups.released.set()
    assert len(await asyncio.gather(*tasks)) == 2 * THREADS


async def test_an_answer_that_comes_after_the_end_bothers_nobody(lookups: Lookups) -> None:
    """The service stops while a look-up hangs."""
    resolver = Resolver()
    task = asyncio.create_task(resolver.resolve("slow", 80))
    await asking()
    resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await task
    threads = [thread for thread in threading.enumerate() if thread.name == "resolve slow"]
    assert [thread.daemon for thread in threads] == [True]
    lookups.released.set()
    await asyncio.to_thread(threads[0].join, PATIENCE)


def test_an_answer_that_comes_after_the_loop_is_gone_bothers_nobody(lookups: Lookups) -> None:
    """No traceback at the exit."""

    async def ask() -> None:
        task = asyncio.create_task(Resolver().resolve("slow", 80))
        await asking()
        task.cancel()

    asyncio.run(ask())
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "resolve slow")
    lookups.released.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
