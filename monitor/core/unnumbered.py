"""Matching echoes without an id, by order and count alone.

A plain string that is echoed as it is (Talo's `v1.heartbeat`) does not say which heartbeat it
answers. While every echo comes before the next beat there is nothing to tell. After a miss there
is: the next echo may be the old heartbeat's, or the new one's. What follows uses three facts, and
claims nothing that they do not prove:

1. The peer answers a frame at most once.
2. It answers in the order in which it was asked, and never before it was asked. So of the frames
   that are still owed an answer, the j-th echo answers the j-th or a later one.
3. A heartbeat may be sent as several identical frames back to back, a *burst*.

Hence, with `old` frames owed from earlier heartbeats, the echo number `old + 1` can only answer
the newest heartbeat, whatever was swallowed: it is proven echoed, and its RTT is real. And when
every frame has been answered, each echo belongs to the frame of its own number: late ones get
their true RTT. A burst therefore has two frames more than are owed, one to prove with and one to
spare for a swallowed copy. Where that would be too many, only the answer to every frame proves
anything, and one frame is as good as several.

Anything in between proves nothing: the heartbeat is missed and no RTT is told. Then the next beat
is held back while answers still come in, since one more frame would keep them untellable for
ever; after a whole interval without an echo only a new connection helps (`lost_track`).

Facts 1 and 2 are taken on trust, and so is one more: the echoes of one burst, and a second answer
to the same frame, come together, each within a quarter of an interval after the one before, or
never. Hence a burst that was proven answered is forgotten, unanswered copies and all, once it has
been quiet for so long. And an echo that nothing asked for shows that fact 1 does not hold for this
peer. From then on, whatever the connection, echoes are counted no more: each beat is one frame,
sent only when it has been quiet for as long, an echo that comes sooner after another is taken for
a second answer, and one that comes while older frames are owed one as well calls for a new
connection. So does the discovery itself, if a heartbeat was missed on the connection before: echoes
that were counted since then may have been second answers to older frames, and would be for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.core.matching import Found, Outcome, answered

SPARE_COPIES = 2
"""How many frames a burst has beyond those still owed an answer."""

BURST_LIMIT = 6
"""The most frames that one heartbeat takes."""

TOGETHER = 0.25
"""Echoes that belong together are at most this share of the interval apart."""

PATIENCE = 1.0
"""How many intervals without an echo it takes to give up on those that prove nothing."""

BURST_MEMORY = 32
"""How many unanswered heartbeats are remembered before a new connection is asked for."""


@dataclass(slots=True)
class _Burst:
    """One heartbeat: its frames, whether it is settled, and whether an echo of it is proven."""

    sent: float
    deadline: float
    copies: int
    missed: bool = False
    proven: bool = False


class Unnumbered:
    """The bursts that are not fully accounted for, in order, and the echoes seen since.

    Args:
        interval: seconds between beats.
    """

    exclusive = True

    def __init__(self, interval: float) -> None:
        self.lost_track = False
        self._interval = interval
        self._bursts: list[_Burst] = []
        self._echoes: list[tuple[float, float]] = []
        self._last_echo = -math.inf
        self._countable = True
        self._missed_here = False

    @property
    def in_flight(self) -> int:
        """How many heartbeats are sent and not settled: none or one."""
        return len(self._unsettled())

    def next_deadline(self) -> float:
        """When the heartbeat in flight is missed; infinity when none is."""
        return min((burst.deadline for burst in self._unsettled()), default=math.inf)

    def copies(self, now: float) -> int:
        """How many frames the next heartbeat takes; 0 to hold it back."""
        quiet = (now - self._last_echo) / self._interval
        if self._bursts and self._bursts[-1].proven and quiet > TOGETHER:
            self._forget()
        if len(self._bursts) == BURST_MEMORY or (self._echoes and quiet > PATIENCE):
            self.lost_track = True
        return self._burst_size(quiet)

    def sent(self, key: int, copies: int, at: float, deadline: float) -> None:  # noqa: ARG002 - frames have no key
        """Remember a heartbeat that was handed to the kernel, in so many frames."""
        self._bursts.append(_Burst(at, deadline, copies))

    def expire(self, now: float) -> int:
        """Settle the heartbeat in flight if its deadline came; return how many were missed."""
        expired = [burst for burst in self._unsettled() if burst.deadline <= now]
        for burst in expired:
            burst.missed = self._missed_here = True
        return len(expired)

    def received(self, key: int | None, arrived: float, earliest: float) -> list[Found]:  # noqa: ARG002
        """Match one echo by order and count; return all that it proves."""
        # Echoes come in order: a stamp that says otherwise is wrong, and no RTT is taken from it.
        arrived = max(arrived, self._last_echo)
        soon = earliest - self._last_echo <= TOGETHER * self._interval
        self._last_echo = arrived
        asked = [burst for burst in self._bursts if burst.sent <= arrived]
        if not asked or (soon and not self._countable):
            self._found_out()
            return [(Outcome.UNSOLICITED, arrived, None)]
        if len(asked) > 1 and not self._countable:
            self.lost_track = True
            return []
        self._echoes.append((arrived, earliest))
        found = self._prove_newest(asked)
        if len(self._echoes) == _frames(asked):
            found = self._prove_all(asked[:-1]) + found
            self._echoes.clear()
            del self._bursts[: len(asked)]
        return found

    def lost(self) -> int:
        """Forget the connection and all doubt; return how many heartbeats were in flight."""
        aborted = self.in_flight
        self._forget()
        self._last_echo = -math.inf
        self.lost_track = self._missed_here = False
        return aborted

    def _found_out(self) -> None:
        """Take it that this peer answers twice; what was counted in a doubt is worth nothing."""
        if self._countable and self._missed_here:
            self.lost_track = True
        self._countable = False

    def again(self) -> Unnumbered:
        """Return one for another connection to the same peer, countable or not as this one is."""
        other = Unnumbered(self._interval)
        other._countable = self._countable
        return other

    def _unsettled(self) -> list[_Burst]:
        return [burst for burst in self._bursts if not (burst.missed or burst.proven)]

    def _burst_size(self, quiet: float) -> int:
        if self.lost_track or self._echoes:
            # Answers are coming in, nobody knows to what.
            return 0
        if not self._countable:
            return 1 if quiet > TOGETHER else 0
        size = _frames(self._bursts) + SPARE_COPIES
        return size if SPARE_COPIES < size <= BURST_LIMIT else 1

    def _prove_newest(self, asked: list[_Burst]) -> list[Found]:
        """Find the newest burst answered once more echoes came than older frames explain."""
        newest = asked[-1]
        if newest.proven or len(self._echoes) <= _frames(asked[:-1]):
            return []
        newest.proven = True
        outcome = Outcome.LATE if newest.missed else Outcome.ECHOED
        return [answered(outcome, newest.sent, *self._echoes[-1])]

    def _prove_all(self, older: list[_Burst]) -> list[Found]:
        """Find every older burst answered, each by the echo of its first frame's own number."""
        found: list[Found] = []
        first = 0
        for burst in older:
            if not burst.proven:
                found.append(answered(Outcome.LATE, burst.sent, *self._echoes[first]))
            first += burst.copies
        return found

    def _forget(self) -> None:
        self._bursts.clear()
        self._echoes.clear()


def _frames(bursts: list[_Burst]) -> int:
    return sum(burst.copies for burst in bursts)
