"""What a connected socket is answered, and when it counts as dead."""

import json

import pytest

from monitor.target.conversation import Conversation, Echo, Reply, Say, Swallow
from monitor.target.envelope import CORRUPT_HEARTBEAT, HEARTBEAT
from monitor.target.faults import CloseFrame, Faults
from monitor.target.ratelimit import FixedWindow

NO_FAULT = Faults()


def conversation(points: int = 300) -> Conversation:
    """Return a fresh connection's."""
    return Conversation(points, FixedWindow(60))


def error_code(reply: Reply) -> str:
    """Return the error code of an error envelope."""
    assert isinstance(reply, Say)
    return str(json.loads(reply.text)["data"]["errorCode"])


def test_a_heartbeat_has_its_echo_and_anything_else_an_error() -> None:
    """Nothing else is ever answered to a socket without a player."""
    talk = conversation()
    assert talk.receive(HEARTBEAT, 0, NO_FAULT) == Echo(HEARTBEAT)
    assert error_code(talk.receive("hello", 0, NO_FAULT)) == "ROUTING_ERROR"


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(silent=True), Swallow()),
        (Faults(swallow_every=1), Swallow()),
        (Faults(swallow_every=2), Echo(HEARTBEAT)),
        (Faults(duplicate=2), Echo(HEARTBEAT, copies=3)),
        (Faults(corrupt=True, duplicate=1), Echo(CORRUPT_HEARTBEAT, copies=2)),
        (Faults(silent=True, duplicate=1, corrupt=True), Swallow()),
    ],
)
def test_faults_of_the_echo(faults: Faults, expected: Reply) -> None:
    """Swallowing goes before all others."""
    assert conversation().receive(HEARTBEAT, 0, faults) == expected


def test_every_nth_heartbeat_is_swallowed_whatever_comes_in_between() -> None:
    """Other messages do not count."""
    talk, faults = conversation(), Faults(swallow_every=3)
    replies = []
    for _ in range(7):
        talk.receive("hello", 0, faults)
        replies.append(talk.receive(HEARTBEAT, 0, faults))
    assert [reply == Swallow() for reply in replies] == [False, False, True] * 2 + [False]


def test_an_old_server_knows_no_heartbeat() -> None:
    """It takes it for a message, and not for a sign of life."""
    talk = conversation()
    talk.tick()
    reply = talk.receive(HEARTBEAT, 0, Faults(no_heartbeat_support=True))
    assert error_code(reply) == "ROUTING_ERROR"
    assert not talk.tick()


def test_the_fourth_message_beyond_the_limit_closes() -> None:
    """Three warnings come before, instead of the echo."""
    talk = conversation(points=300)
    for _ in range(300):
        assert talk.receive(HEARTBEAT, 0, NO_FAULT) == Echo(HEARTBEAT)
    for _ in range(3):
        assert error_code(talk.receive(HEARTBEAT, 1, NO_FAULT)) == "RATE_LIMIT_EXCEEDED"
    assert talk.receive(HEARTBEAT, 1, NO_FAULT) == CloseFrame(1008, "RATE_LIMIT_EXCEEDED")


def test_a_pong_takes_a_warning_back() -> None:
    """So a slow client beyond the limit may never reach the close."""
    talk = conversation(points=0)
    for _ in range(10):
        assert error_code(talk.receive(HEARTBEAT, 0, NO_FAULT)) == "RATE_LIMIT_EXCEEDED"
        talk.sign_of_life()
    for _ in range(3):
        assert error_code(talk.receive(HEARTBEAT, 0, NO_FAULT)) == "RATE_LIMIT_EXCEEDED"
    assert talk.receive(HEARTBEAT, 0, NO_FAULT) == CloseFrame(1008, "RATE_LIMIT_EXCEEDED")


def test_warnings_do_not_fall_below_none() -> None:
    """Good behaviour cannot be saved up."""
    talk = conversation(points=0)
    for _ in range(5):
        talk.sign_of_life()
    replies = [talk.receive(HEARTBEAT, 0, NO_FAULT) for _ in range(4)]
    assert isinstance(replies[-1], CloseFrame)


def test_a_heartbeat_after_the_block_takes_a_warning_back() -> None:
    """Warnings outlive the window they came in."""
    talk = conversation(points=1)
    replies = [talk.receive(HEARTBEAT, now, NO_FAULT) for now in (0, 0, 0, 0)]
    assert [isinstance(reply, Say) for reply in replies] == [False, True, True, True]
    assert talk.receive(HEARTBEAT, 60, NO_FAULT) == Echo(HEARTBEAT)
    assert isinstance(talk.receive(HEARTBEAT, 60, NO_FAULT), Say)
    assert isinstance(talk.receive(HEARTBEAT, 60, NO_FAULT), CloseFrame)


def test_rate_points_take_the_place_of_the_limit() -> None:
    """None at all is a limit, too."""
    assert error_code(conversation().receive(HEARTBEAT, 0, Faults(rate_points=0))) == (
        "RATE_LIMIT_EXCEEDED"
    )
    assert conversation(points=0).receive(HEARTBEAT, 0, Faults(rate_points=1)) == Echo(HEARTBEAT)


def test_a_new_connection_lives_at_its_first_tick_and_a_silent_one_dies_at_the_second() -> None:
    """Hence 30 to 60 s in Talo."""
    talk = conversation()
    assert [talk.tick(), talk.tick()] == [True, False]


def test_one_sign_of_life_between_two_ticks_is_enough() -> None:
    """A pong or a heartbeat; a swallowed one has been read all the same."""
    talk = conversation()
    for _ in range(3):
        assert talk.tick()
        talk.sign_of_life()
        assert talk.tick()
        talk.receive(HEARTBEAT, 0, Faults(silent=True))


@pytest.mark.parametrize("message", ["hello", HEARTBEAT])
def test_other_messages_and_limited_heartbeats_are_no_sign_of_life(message: str) -> None:
    """Only a heartbeat that was compared counts."""
    talk = conversation()
    talk.tick()
    talk.receive(message, 0, Faults(rate_points=0 if message == HEARTBEAT else None))
    assert not talk.tick()
