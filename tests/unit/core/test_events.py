"""The vocabulary between the core and its sinks."""

import dataclasses
from typing import get_args

import pytest

from monitor.core import events
from monitor.core.events import (
    DialFailed,
    Event,
    HeartbeatEvent,
    Initiator,
    LifeEvent,
    Mode,
    Sent,
    SkipReason,
)
from monitor.core.failures import FailureReason, Phase

EVENTS = get_args(Event)


class TestEvents:
    """Values that sinks may rely on."""

    def test_every_event_is_either_of_a_heartbeat_or_of_a_life(self) -> None:
        defined = {kind for kind in vars(events).values() if dataclasses.is_dataclass(kind)}
        assert set(EVENTS) == defined
        assert set(get_args(HeartbeatEvent)) | set(get_args(LifeEvent)) == defined
        assert not set(get_args(HeartbeatEvent)) & set(get_args(LifeEvent))

    @pytest.mark.parametrize("kind", EVENTS)
    def test_no_sink_can_change_an_event(self, kind: type) -> None:
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert "__slots__" in vars(kind)

    @pytest.mark.parametrize("kind", get_args(HeartbeatEvent))
    def test_every_event_of_a_heartbeat_names_its_mode(self, kind: type) -> None:
        assert dataclasses.fields(kind)[0].name == "mode"

    def test_equal_events_are_equal(self) -> None:
        assert Sent(Mode.PING, 1.0, 0.0) == Sent(Mode.PING, 1.0, 0.0)
        assert Sent(Mode.PING, 1.0, 0.0) != Sent(Mode.MESSAGE, 1.0, 0.0)

    def test_a_failed_dial_need_not_have_completed_a_phase(self) -> None:
        failed = DialFailed(1.0, FailureReason.DNS, Phase.DNS, "no such host")
        assert failed.phases == {}
        assert failed.certificate_not_after is None

    @pytest.mark.parametrize(
        ("names", "values"),
        [
            (Mode, "message ping"),
            (SkipReason, "not_connected overrun paused ambiguous"),
            (Initiator, "local remote network"),
            (Phase, "ticket dns tcp proxy tls upgrade ready"),
            (
                FailureReason,
                "ticket dns tcp_refused tcp_timeout tcp_reset proxy tls_verify tls_expired "
                "tls_other http_status redirect bad_upgrade subprotocol not_ready limit local",
            ),
        ],
    )
    def test_label_values_are_these_and_no_others(self, names: type[Mode], values: str) -> None:
        assert [name.value for name in names] == values.split()
