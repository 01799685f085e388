"""Long days of mixed trouble, drawn by seed: the state machines try many short ones.

How many days there are follows the Hypothesis profile; a day that fails is named by its seed.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import settings

from tests.unit.core.peer import always, never
from tests.unit.core.world import World

DAYS = 4 * settings().max_examples

INTERVALS = (0.1, 0.5, 1.0, 3.0)
TIMEOUTS = (0.1, 0.5, 0.9, 0.999, 1.0)
DELAYS = (0.0, 0.01, 0.01, 0.3, 0.74, 0.9, 0.999, 1.0, 1.001, 1.5, 2.0, 5.0)


def connected(chance: random.Random, *, numbered: bool) -> World:
    """A world of any kind in which a connection was just made."""
    interval = chance.choice(INTERVALS)
    world = World(
        numbered=numbered,
        interval=interval,
        timeout=interval * chance.choice(TIMEOUTS),
        phase=interval * chance.random() * 0.99,
        lag=interval * chance.choice((0.0, 0.0, 0.01, 0.2, 0.45)),
        redials=chance.random() < 0.8,
        redial_after=interval * chance.choice((0.0, 0.3, 2.2)),
        reads_first=chance.random() < 0.5,
        nosy=chance.random() < 0.5,
    )
    world.open()
    return world


def be_found_out(world: World) -> None:
    """Have the peer answer twice when there is no doubt about it."""
    world.peer.doubles = always
    while not world.core.books.unsolicited:
        world.run(world.interval)


def let_something_happen(world: World, chance: random.Random) -> None:
    """Let time pass in one way or another, or the peer change its ways."""
    peer = world.peer
    seconds = world.interval * chance.choice((0.1, 0.5, 1.0, 3.0, 8.0)) * chance.random()
    match chance.randrange(11):
        case 0 | 1 | 2:
            world.run(seconds)
        case 3 | 4:
            world.stall(seconds, exact=chance.random() < 0.5)
        case 5:
            peer.delay = world.interval * chance.choice(DELAYS)
        case 6:
            peer.gap = world.interval * chance.choice((0.0, 0.0, 0.001, 0.1, 0.24))
        case 7:
            peer.frozen = True
        case 8:
            peer.thaw(world.now)
        case _ if chance.random() < 0.5:
            let_connections_change(world, chance)


def let_connections_change(world: World, chance: random.Random) -> None:
    """Connect, disconnect or renew."""
    if not world.is_open:
        world.open()
    elif chance.random() < 0.5:
        world.lose()
    else:
        world.renew()


def live(seed: int, *, numbered: bool, twice: bool) -> World:
    """Live through one day."""
    chance = random.Random(seed)
    world = connected(chance, numbered=numbered)
    if twice:
        be_found_out(world)
    loss = chance.choice((0.0, 0.0, 0.1, 0.5, 0.9))
    world.peer.swallows = lambda _: chance.random() < loss
    world.peer.doubles = (lambda _: chance.random() < 0.7) if twice else never
    for _ in range(chance.randrange(10, 80)):
        let_something_happen(world, chance)
    return world


class TestRandomDays:
    """The world checks every word; see `tests.unit.core.world`."""

    @pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
    @pytest.mark.parametrize("numbered", [False, True], ids=["without_ids", "with_ids"])
    def test_nothing_untrue_is_said(self, numbered: bool, twice: bool) -> None:
        told = 0
        for seed in range(DAYS):
            try:
                world = live(seed, numbered=numbered, twice=twice)
                world.check_that_polls_do_not_matter()
            except AssertionError as error:
                error.add_note(f"seed {seed}")
                raise
            told += len(world.rtts) + len(world.late_rtts)
        assert told > 2 * DAYS
