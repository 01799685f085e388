"""Whatever peer, network and process do, and in whatever order: the books balance, and no RTT lies.

What is checked after every step is in `tests.unit.core.world`. How much these machines try is set
by the profile, see `tests/unit/conftest.py`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.core.peer import always, never
from tests.unit.core.world import World

SOME_INTERVALS = st.floats(0.001, 4.0)
DELAYS = st.sampled_from([0.0, 0.01, 0.5, 0.89, 0.9, 0.91, 0.999, 1.0, 1.001, 1.5, 2.0, 3.3, 5.0])
GAPS = st.sampled_from([0.0, 0.001, 0.1, 0.24])
PATTERNS = st.lists(st.booleans(), min_size=1, max_size=12)


class AnyDay(RuleBasedStateMachine):
    """A probe's days: shares of an interval are drawn, and turned into seconds here."""

    numbered = False

    @initialize(
        interval=st.sampled_from([0.1, 0.5, 1.0, 3.0]),
        shares=st.fixed_dictionaries(
            {
                "timeout": st.sampled_from([0.1, 0.5, 0.9, 0.999, 1.0]),
                "phase": st.floats(0, 0.99),
                "lag": st.sampled_from([0.0, 0.0, 0.01, 0.4]),
                "redial_after": st.sampled_from([0.0, 0.3, 2.2]),
            }
        ),
        habits=st.fixed_dictionaries(
            {"redials": st.booleans(), "reads_first": st.booleans(), "nosy": st.booleans()}
        ),
    )
    def begin(self, interval: float, shares: dict[str, Any], habits: dict[str, Any]) -> None:
        seconds = {name: interval * share for name, share in shares.items()}
        self.world = World(numbered=self.numbered, interval=interval, **seconds, **habits)
        self.peer = self.world.peer
        self.world.open()
        self.settle_in()

    def settle_in(self) -> None:
        """Do what must come first."""

    @rule(intervals=SOME_INTERVALS)
    def run_on(self, intervals: float) -> None:
        self.world.run(intervals * self.world.interval)

    @rule(intervals=SOME_INTERVALS, exact=st.booleans())
    def stall(self, intervals: float, exact: bool) -> None:
        self.world.stall(intervals * self.world.interval, exact=exact)

    @rule(intervals=DELAYS)
    def answer_after(self, intervals: float) -> None:
        self.peer.delay = intervals * self.world.interval

    @rule(intervals=GAPS)
    def part_the_echoes_of_a_burst(self, intervals: float) -> None:
        self.peer.gap = intervals * self.world.interval

    @rule(pattern=PATTERNS)
    def swallow_some_frames(self, pattern: list[bool]) -> None:
        self.peer.swallows = lambda frame: pattern[frame % len(pattern)]

    @rule()
    def swallow_no_frame(self) -> None:
        self.peer.swallows = never

    @rule()
    def freeze(self) -> None:
        self.peer.frozen = True

    @rule(intervals=SOME_INTERVALS)
    def freeze_for_a_while(self, intervals: float) -> None:
        self.peer.frozen = True
        self.world.run(intervals * self.world.interval)
        self.peer.thaw(self.world.now)

    @rule()
    def thaw(self) -> None:
        self.peer.thaw(self.world.now)

    @precondition(lambda self: self.world.is_open)
    @rule()
    def disconnect(self) -> None:
        self.world.lose()

    @precondition(lambda self: self.world.is_open)
    @rule()
    def renew(self) -> None:
        self.world.renew()

    @precondition(lambda self: self.world.formers)
    @rule()
    def lose_a_former_connection(self) -> None:
        self.world.drop_former()

    @precondition(lambda self: not self.world.is_open)
    @rule()
    def connect(self) -> None:
        self.world.open()

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "world"):
            self.world.check_books()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.check_that_polls_do_not_matter()


class AnyDayWithoutIds(AnyDay):
    """Echoes carry no id, and the peer answers each frame at most once."""

    @precondition(lambda self: self.world.is_open)
    @rule()
    def change(self) -> None:
        self.world.renew(changed=True)


class AnyDayWithIds(AnyDay):
    """Echoes carry an id; the peer may answer twice."""

    numbered = True

    @rule(pattern=PATTERNS)
    def answer_some_frames_twice(self, pattern: list[bool]) -> None:
        self.peer.doubles = lambda frame: pattern[frame % len(pattern)]


class AnyDayWithEveryEchoTwice(AnyDay):
    """Echoes carry no id, and the peer answers twice: first when there is no doubt about it."""

    def settle_in(self) -> None:
        self.peer.doubles = always
        while not self.world.core.books.unsolicited:
            self.world.run(self.world.interval)

    @rule(pattern=PATTERNS)
    def answer_some_frames_twice(self, pattern: list[bool]) -> None:
        self.peer.doubles = lambda frame: pattern[frame % len(pattern)]


TestWithoutIds = AnyDayWithoutIds.TestCase
TestWithIds = AnyDayWithIds.TestCase
TestWithEveryEchoTwice = AnyDayWithEveryEchoTwice.TestCase
