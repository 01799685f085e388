"""The life of a probe as a table: its states, its signals, and every allowed step.

IDLE -> WAITING <-> DIALING -> OPENING -> READY -> WAITING ...   and STOPPED from anywhere.

A renewal goes through the same steps beside the connection that is ready, which goes on beating:
READY -> RENEWING -> OVERLAPPING -> READY. If that one is lost meanwhile, the attempt that is under
way is an ordinary one from then on.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a probe is."""

    IDLE = "idle"
    WAITING = "waiting"
    DIALING = "dialing"
    OPENING = "opening"
    READY = "ready"
    RENEWING = "renewing"
    OVERLAPPING = "overlapping"
    STOPPED = "stopped"


class Signal(StrEnum):
    """What can happen to a probe.

    DIAL, OPENED, READY and FAILED tell of the attempt under way, LOST of the connection in use.
    """

    WAIT = "wait"
    DIAL = "dial"
    FAILED = "failed"
    OPENED = "opened"
    READY = "ready"
    LOST = "lost"
    STOP = "stop"


TRANSITIONS: dict[State, dict[Signal, State]] = {
    State.IDLE: {Signal.WAIT: State.WAITING, Signal.STOP: State.STOPPED},
    State.WAITING: {Signal.DIAL: State.DIALING, Signal.STOP: State.STOPPED},
    State.DIALING: {
        Signal.OPENED: State.OPENING,
        Signal.FAILED: State.WAITING,
        Signal.STOP: State.STOPPED,
    },
    State.OPENING: {
        Signal.READY: State.READY,
        Signal.FAILED: State.WAITING,
        Signal.STOP: State.STOPPED,
    },
    State.READY: {
        Signal.DIAL: State.RENEWING,
        Signal.LOST: State.WAITING,
        Signal.STOP: State.STOPPED,
    },
    State.RENEWING: {
        Signal.OPENED: State.OVERLAPPING,
        Signal.FAILED: State.READY,
        Signal.LOST: State.DIALING,
        Signal.STOP: State.STOPPED,
    },
    State.OVERLAPPING: {
        Signal.READY: State.READY,
        Signal.FAILED: State.READY,
        Signal.LOST: State.OPENING,
        Signal.STOP: State.STOPPED,
    },
    State.STOPPED: {},
}

IN_USE = frozenset({State.READY, State.RENEWING, State.OVERLAPPING})
"""The states in which there is a connection that beats go out on."""

UNDER_WAY = frozenset({State.DIALING, State.OPENING, State.RENEWING, State.OVERLAPPING})
"""The states in which an attempt has begun and has not come to anything yet."""


class IllegalTransitionError(Exception):
    """A signal that the present state does not allow: a bug of ours, never the peer's."""


class Lifecycle:
    """The state of one probe and when it was entered, in monotonic seconds."""

    def __init__(self, now: float) -> None:
        self.state = State.IDLE
        self.since = now

    def take(self, signal: Signal, now: float) -> State:
        """Take one step and return the new state.

        Raises:
            IllegalTransitionError: the table has no such step.
        """
        try:
            self.state = TRANSITIONS[self.state][signal]
        except KeyError:
            raise IllegalTransitionError(f"{signal} in state {self.state}") from None
        self.since = now
        return self.state

    @property
    def is_open(self) -> bool:
        """Whether the transport is open."""
        return self.state is State.OPENING or self.in_use

    @property
    def in_use(self) -> bool:
        """Whether there is a connection that beats go out on."""
        return self.state in IN_USE

    @property
    def under_way(self) -> bool:
        """Whether an attempt is under way."""
        return self.state in UNDER_WAY
