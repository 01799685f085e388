"""The life of a probe: the whole table, and that nothing else is possible."""

import itertools

import pytest

from monitor.core.lifecycle import TRANSITIONS, IllegalTransitionError, Lifecycle, Signal, State

LEGAL = {
    (State.IDLE, Signal.WAIT): State.WAITING,
    (State.IDLE, Signal.STOP): State.STOPPED,
    (State.WAITING, Signal.DIAL): State.DIALING,
    (State.WAITING, Signal.STOP): State.STOPPED,
    (State.DIALING, Signal.OPENED): State.OPENING,
    (State.DIALING, Signal.FAILED): State.WAITING,
    (State.DIALING, Signal.STOP): State.STOPPED,
    (State.OPENING, Signal.READY): State.READY,
    (State.OPENING, Signal.FAILED): State.WAITING,
    (State.OPENING, Signal.STOP): State.STOPPED,
    (State.READY, Signal.DIAL): State.RENEWING,
    (State.READY, Signal.LOST): State.WAITING,
    (State.READY, Signal.STOP): State.STOPPED,
    (State.RENEWING, Signal.OPENED): State.OVERLAPPING,
    (State.RENEWING, Signal.FAILED): State.READY,
    (State.RENEWING, Signal.LOST): State.DIALING,
    (State.RENEWING, Signal.STOP): State.STOPPED,
    (State.OVERLAPPING, Signal.READY): State.READY,
    (State.OVERLAPPING, Signal.FAILED): State.READY,
    (State.OVERLAPPING, Signal.LOST): State.OPENING,
    (State.OVERLAPPING, Signal.STOP): State.STOPPED,
}
READY = [Signal.WAIT, Signal.DIAL, Signal.OPENED, Signal.READY]
PATHS = {
    State.IDLE: [],
    State.WAITING: [Signal.WAIT],
    State.DIALING: [Signal.WAIT, Signal.DIAL],
    State.OPENING: [Signal.WAIT, Signal.DIAL, Signal.OPENED],
    State.READY: READY,
    State.RENEWING: [*READY, Signal.DIAL],
    State.OVERLAPPING: [*READY, Signal.DIAL, Signal.OPENED],
    State.STOPPED: [Signal.STOP],
}
ILLEGAL = [pair for pair in itertools.product(State, Signal) if pair not in LEGAL]


def lifecycle_in(state: State) -> Lifecycle:
    """Lead a probe to a state, second by second."""
    lifecycle = Lifecycle(1.0)
    for now, signal in enumerate(PATHS[state], start=2):
        lifecycle.take(signal, float(now))
    return lifecycle


class TestLifecycle:
    """Every pair of state and signal."""

    def test_a_probe_begins_idle(self) -> None:
        lifecycle = Lifecycle(7.0)
        assert (lifecycle.state, lifecycle.since, lifecycle.is_open) == (State.IDLE, 7.0, False)

    @pytest.mark.parametrize(("state", "signal"), LEGAL)
    def test_a_legal_step_leads_on_and_says_since_when(self, state: State, signal: Signal) -> None:
        lifecycle = lifecycle_in(state)
        assert lifecycle.take(signal, 50.0) is LEGAL[state, signal]
        assert lifecycle.state is LEGAL[state, signal]
        assert lifecycle.since == 50.0

    @pytest.mark.parametrize(("state", "signal"), ILLEGAL)
    def test_an_illegal_step_raises_and_changes_nothing(self, state: State, signal: Signal) -> None:
        lifecycle = lifecycle_in(state)
        since = lifecycle.since
        with pytest.raises(IllegalTransitionError, match=f"^{signal} in state {state}$"):
            lifecycle.take(signal, 50.0)
        assert (lifecycle.state, lifecycle.since) == (state, since)

    def test_the_table_has_a_row_for_every_state_and_no_step_besides_these(self) -> None:
        assert set(TRANSITIONS) == set(State)
        assert sum(len(row) for row in TRANSITIONS.values()) == len(LEGAL)

    @pytest.mark.parametrize("state", State)
    def test_which_states_have_a_connection_and_which_an_attempt(self, state: State) -> None:
        lifecycle = lifecycle_in(state)
        in_use = {State.READY, State.RENEWING, State.OVERLAPPING}
        assert lifecycle.in_use == (state in in_use)
        assert lifecycle.is_open == (state in {State.OPENING, *in_use})
        assert lifecycle.under_way == (
            state in {State.DIALING, State.OPENING, State.RENEWING, State.OVERLAPPING}
        )
