"""JSON becomes faults, or one clear line."""

import dataclasses
import json
from typing import Any

import pytest

from monitor.target.fault_json import FaultError, parse_close_frame, parse_faults, parse_text
from monitor.target.faults import CloseFrame, Faults, Rejection

ALL: dict[str, Any] = {
    "silent": True,
    "delay": 1.5,
    "swallow_every": 3,
    "duplicate": 1,
    "corrupt": True,
    "freeze": True,
    "stall_messages": True,
    "database_down": True,
    "database_stalled": True,
    "never_connected": True,
    "accept_then_close": {"code": 1013, "reason": "busy"},
    "refuse": True,
    "reject_upgrade": {"status": 503, "retry_after": "soon"},
    "redirect": "wss://elsewhere.example/",
    "no_heartbeat_support": True,
    "rate_points": 0,
    "noise": 0.5,
    "connect_delay": 2,
    "ticket_status": {"status": 429, "retry_after": 7},
    "mute_pongs": True,
}


def test_every_fault_can_be_switched_on() -> None:
    """The table of parsers knows every field, and each reaches its own."""
    assert set(ALL) == {field.name for field in dataclasses.fields(Faults)}
    faults = parse_faults(ALL)
    assert faults.accept_then_close == CloseFrame(1013, "busy")
    assert faults.reject_upgrade == Rejection(503, "soon")
    off = Faults()
    for name in ALL:
        assert getattr(faults, name) != getattr(off, name)


def test_what_to_json_writes_can_be_read_back() -> None:
    """For the faults that are on and for those that are off."""
    for faults in (Faults(), parse_faults(ALL)):
        assert parse_faults(json.loads(json.dumps(faults.to_json()))) == faults


def test_nothing_named_is_nothing_on() -> None:
    """And null means off."""
    assert parse_faults({}) == Faults()
    assert parse_faults(dict.fromkeys(ALL)) == Faults()


def test_a_bare_number_is_a_code_or_a_status() -> None:
    """The short form of the object."""
    assert parse_faults({"accept_then_close": 1012}).accept_then_close == CloseFrame(1012)
    assert parse_faults({"reject_upgrade": 401}).reject_upgrade == Rejection(401)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"silence": True}, 'unknown fault "silence", did you mean "silent"?'),
        ({"silent": "yes"}, 'silent: must be true or false, not "yes"'),
        ({"delay": -1}, "delay: must be a number of seconds from 0 to 3600, not -1"),
        ({"delay": True}, "delay: must be a number of seconds from 0 to 3600, not true"),
        ({"delay": "1s"}, 'delay: must be a number of seconds from 0 to 3600, not "1s"'),
        ({"delay": float("nan")}, "delay: must be a number of seconds from 0 to 3600, not NaN"),
        ({"delay": 3601}, "delay: must be a number of seconds from 0 to 3600, not 3601"),
        ({"noise": 1e9}, "noise: must be a number of messages per second from 0 to 1000, not"),
        ({"duplicate": 1.0}, "duplicate: must be a whole number from 0 to 100, not 1.0"),
        ({"duplicate": True}, "duplicate: must be a whole number from 0 to 100, not true"),
        ({"duplicate": 101}, "duplicate: must be a whole number from 0 to 100, not 101"),
        ({"accept_then_close": 999}, "accept_then_close: must be a whole number from 1000 to"),
        ({"accept_then_close": 1006}, "accept_then_close: must be a close code that may be sent"),
        ({"accept_then_close": 2999}, "accept_then_close: must be a close code that may be sent"),
        ({"accept_then_close": {}}, "accept_then_close: needs a code"),
        ({"accept_then_close": {"code": 1}}, "accept_then_close: code: must be a whole number"),
        (
            {"accept_then_close": {"code": 4000, "reason": "ä" * 62}},
            "accept_then_close: reason: must be a text of at most 123 bytes, not this value",
        ),
        (
            {"accept_then_close": {"code": 4000, "reason": "\ud800"}},
            "accept_then_close: reason: must be a text that UTF-8 can carry",
        ),
        (
            {"reject_upgrade": {"code": 503}},
            'reject_upgrade: unknown key "code"; known: status, retry_after',
        ),
        ({"reject_upgrade": {"retry_after": 1}}, "reject_upgrade: needs a status"),
        ({"reject_upgrade": 101}, "reject_upgrade: must be a whole number from 200 to 599"),
        (
            {"ticket_status": {"status": 503, "retry_after": "1\r\nX: y"}},
            "ticket_status: retry_after: must be a line of printable ASCII",
        ),
        ({"redirect": ""}, "redirect: must be a line of printable ASCII"),
        ({"redirect": True}, "redirect: must be a line of printable ASCII"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(values: dict[str, Any], line: str) -> None:
    """It says what would have fitted."""
    with pytest.raises(FaultError) as caught:
        parse_faults(values)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_without_a_likeness_is_told_all_names() -> None:
    """There are not too many for one line."""
    with pytest.raises(FaultError, match=r'^unknown fault "xyz"; known: silent, delay, '):
        parse_faults({"xyz": 1})


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_a_close_frame_takes_every_code_that_may_be_sent(code: int) -> None:
    """RFC 6455, section 7.4."""
    assert parse_close_frame({"code": code}) == CloseFrame(code)


def test_a_reason_may_have_123_bytes() -> None:
    """A control frame has 125, and the code takes two."""
    assert parse_close_frame({"code": 4000, "reason": "x" * 123}).reason == "x" * 123


def test_a_text_is_needed_and_must_be_one() -> None:
    """The parameter of `push`."""
    assert parse_text({"text": ""}) == ""
    with pytest.raises(FaultError, match=r"^text: must be a text, not 1$"):
        parse_text({"text": 1})
    with pytest.raises(FaultError, match=r"^needs a text$"):
        parse_text({})
