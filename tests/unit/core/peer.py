"""A simulated peer: it knows which heartbeat each of its echoes answers; the core does not.

It keeps to what `monitor.core.unnumbered` takes on trust: it answers in order, and the echoes of
one burst come together (`gap` apart, at most a quarter of an interval) or never. So a freeze
begins before a burst or after it, never in its middle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from monitor.core.heartbeats import NEVER

Choice = Callable[[int], bool]
"""Says whether something befalls the n-th frame on a connection, counted from 1."""


def never(frame: int) -> bool:  # noqa: ARG001 - that is what it says
    """Befall no frame."""
    return False


def always(frame: int) -> bool:  # noqa: ARG001 - that is what it says
    """Befall all frames."""
    return True


def every(n: int, first: int = 0) -> Choice:
    """Befall each n-th frame, beginning with one of the first n."""
    return lambda frame: frame % n == first


@dataclass(eq=False)
class Beat:
    """What really became of one heartbeat."""

    key: int
    sent: float
    deadline: float
    echoes: list[Echo] = field(default_factory=list)
    echoed: bool = False
    rtt_reported: bool = False

    @property
    def delivered(self) -> list[Echo]:
        """The echoes that the shell has read."""
        return [echo for echo in self.echoes if echo.delivered]

    @property
    def answered_in_time(self) -> bool:
        """Whether an echo came before the deadline, as far as the shell can know."""
        return any(echo.earliest < self.deadline for echo in self.delivered)


@dataclass(eq=False)
class Echo:
    """One answer to one frame; `earliest` is what the shell knows of its arrival."""

    beat: Beat
    arrived: float
    earliest: float
    delivered: bool = False


@dataclass
class Peer:
    """Answers each frame in order, as well as its faults let it.

    `delay` is a whole round trip, `gap` parts the echoes of one burst, both in seconds.
    """

    delay: float = 0.01
    gap: float = 0.0
    swallows: Choice = never
    doubles: Choice = never
    frozen: bool = False
    _frames: int = 0
    _last: float = float("-inf")
    _asked: deque[tuple[float, Beat, int]] = field(default_factory=deque)
    _coming: deque[Echo] = field(default_factory=deque)

    def take(self, beat: Beat, copies: int) -> None:
        """Be asked by a burst of so many frames."""
        answers = 0
        for _ in range(copies):
            self._frames += 1
            if not self.swallows(self._frames):
                answers += 2 if self.doubles(self._frames) else 1
        if answers:
            self._asked.append((beat.sent + self.delay, beat, answers))

    def thaw(self, now: float) -> None:
        """Go on after a freeze: what was asked meanwhile is answered from now on."""
        self.frozen = False
        self._last = max(self._last, now)

    def hang_up(self) -> None:
        """Forget the connection."""
        self._frames = 0
        self._last = float("-inf")
        self._asked.clear()
        self._coming.clear()

    def move(self) -> Peer:
        """Go on with a fresh connection; return the peer on the one so far, with its habits."""
        former = replace(self, _asked=self._asked, _coming=self._coming)
        self._asked, self._coming = deque(), deque()
        self._frames = 0
        self._last = float("-inf")
        return former

    def next_arrival(self) -> float:
        """When the next echo reaches the shell, as things stand."""
        if self._coming:
            return self._coming[0].arrived
        if self.frozen or not self._asked:
            return NEVER
        return max(self._asked[0][0], self._last)

    def answer(self) -> Echo:
        """Let the next echo arrive."""
        if not self._coming:
            first = self.next_arrival()
            _, beat, answers = self._asked.popleft()
            for number in range(answers):
                self._last = first + number * self.gap
                echo = Echo(beat, self._last, self._last)
                beat.echoes.append(echo)
                self._coming.append(echo)
        return self._coming.popleft()
