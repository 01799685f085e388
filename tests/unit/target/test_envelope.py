"""Talo's error envelopes, byte for byte."""

import json

import pytest

from monitor.target.envelope import CONNECTED, error, reply_to

IDENTIFY = "v1.players.identify"


def test_connected_is_exact() -> None:
    """Clients compare it as a text."""
    assert CONNECTED == '{"res":"v1.connected","data":{}}'


def test_an_error_without_a_cause_has_no_cause() -> None:
    """JavaScript leaves an undefined member out."""
    assert error("RATE_LIMIT_EXCEEDED") == (
        '{"res":"v1.error","data":{"req":"unknown","message":"Rate limit exceeded",'
        '"errorCode":"RATE_LIMIT_EXCEEDED"}}'
    )


@pytest.mark.parametrize(
    "message",
    ["", "v1.heartbeat\n", " v1.heartbeat", "{", "NaN", '{"req":Infinity}', "[" * 100_000],
)
def test_what_is_no_json_cannot_be_routed(message: str) -> None:
    """There is no cause: the text of the parser's complaint stays inside."""
    assert reply_to(message) == (
        '{"res":"v1.error","data":{"req":"unknown",'
        '"message":"An error occurred while routing the message","errorCode":"ROUTING_ERROR"}}'
    )


@pytest.mark.parametrize(
    "message",
    [
        '"v1.heartbeat"',
        "null",
        "[]",
        '{"req":"v1.heartbeat","data":{}}',
        '{"req":"v1.players.identify"}',
        '{"req":"v1.players.identify","data":[]}',
        '{"req":1,"data":{}}',
        '{"req":"v1.players.identify","data":"ä\\ud800"}',
    ],
)
def test_json_that_is_no_known_request_is_invalid_and_is_quoted(message: str) -> None:
    """The cause is the raw text."""
    assert json.loads(reply_to(message)) == {
        "res": "v1.error",
        "data": {
            "req": "unknown",
            "message": "Invalid message request",
            "errorCode": "INVALID_MESSAGE",
            "cause": message,
        },
    }


@pytest.mark.parametrize(
    "request_name", ["v1.channels.message", "v1.player-relationships.broadcast"]
)
def test_a_request_of_a_player_needs_a_player(request_name: str) -> None:
    """That comes before its data are looked at."""
    data = json.loads(reply_to(json.dumps({"req": request_name, "data": {}})))["data"]
    assert data == {
        "req": request_name,
        "message": "You must identify a player before sending this request",
        "errorCode": "NO_PLAYER_FOUND",
    }


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        ("{}", "{}"),
        ('{ "playerAliasId": "1", "socketToken": "ä" }', '{"playerAliasId":"1","socketToken":"ä"}'),
        ('{"playerAliasId":true,"socketToken":"t"}', '{"playerAliasId":true,"socketToken":"t"}'),
        ('{"playerAliasId":1}', '{"playerAliasId":1}'),
        ('{"socketToken":"t"}', '{"socketToken":"t"}'),
        (
            '{"playerAliasId":1,"socketToken":"t","sessionToken":2}',
            '{"playerAliasId":1,"socketToken":"t","sessionToken":2}',
        ),
        ('{"playerAliasId":"\\ud800"}', '{"playerAliasId":"\\ud800"}'),
    ],
)
def test_bad_data_of_an_identification_are_quoted_as_compact_json(sent: str, cause: str) -> None:
    """The cause is JSON within JSON."""
    reply = reply_to(f'{{"req":"{IDENTIFY}","data":{sent}}}')
    reply.encode()
    assert json.loads(reply)["data"] == {
        "req": IDENTIFY,
        "message": "Invalid message data for request",
        "errorCode": "INVALID_MESSAGE_DATA",
        "cause": cause,
    }


@pytest.mark.parametrize("session", ["", ',"sessionToken":"s"'])
def test_an_identification_finds_no_such_socket_token(session: str) -> None:
    """The target has no players."""
    data = f'{{"playerAliasId":1,"socketToken":"t"{session}}}'
    reply = json.loads(reply_to(f'{{"req":"{IDENTIFY}","data":{data}}}'))["data"]
    assert reply == {
        "req": IDENTIFY,
        "message": "Invalid socket token",
        "errorCode": "INVALID_SOCKET_TOKEN",
    }
