"""The life of a probe as a table: its states, its signals, and every allowed step.

IDLE -> WAITING <-> DIALING -> OPENING -> READY -> WAITING ...   and STOPPED from anywhere.
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
    STOPPED = "stopped"


class Signal(StrEnum):
    """What can happen to a probe."""

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
        Signal.LOST: State.WAITING,
        Signal.STOP: State.STOPPED,
    },
    State.READY: {Signal.LOST: State.WAITING, Signal.STOP: State.STOPPED},
    State.STOPPED: {},
}


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
        return self.state in (State.OPENING, State.READY)
