"""Talo's messages: the heartbeat and the JSON envelopes. Pure text in, text out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn

HEARTBEAT = "v1.heartbeat"
CORRUPT_HEARTBEAT = "v1.he@rtbeat"
CONNECTED = '{"res":"v1.connected","data":{}}'
LIVE_CONFIG_UPDATED = '{"res":"v1.live-config.updated","data":{"config":[]}}'

RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"

_IDENTIFY = "v1.players.identify"
_REQUESTS = frozenset(
    {_IDENTIFY, "v1.channels.message", "v1.player-relationships.broadcast"},
)

_ERROR_MESSAGES: Mapping[str, str] = {
    "INVALID_MESSAGE": "Invalid message request",
    "INVALID_MESSAGE_DATA": "Invalid message data for request",
    "INVALID_SOCKET_TOKEN": "Invalid socket token",
    "NO_PLAYER_FOUND": "You must identify a player before sending this request",
    RATE_LIMIT_EXCEEDED: "Rate limit exceeded",
    "ROUTING_ERROR": "An error occurred while routing the message",
}


def error(code: str, *, request: str = "unknown", cause: str | None = None) -> str:
    """Return the `v1.error` envelope for an error code."""
    data = {"req": request, "message": _ERROR_MESSAGES[code], "errorCode": code}
    if cause is not None:
        data["cause"] = cause
    return _to_json({"res": "v1.error", "data": data})


def reply_to(message: str) -> str:
    """Return Talo's answer to a message that is no heartbeat, on a connection without a player.

    No player can ever identify here, so every request ends in an error.
    """
    try:
        envelope = json.loads(message, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return error("ROUTING_ERROR")
    match envelope:
        case {"req": str(request), "data": dict(data)} if request in _REQUESTS:
            return _reply_to_request(request, data)
    return error("INVALID_MESSAGE", cause=message)


def _reply_to_request(request: str, data: dict[str, object]) -> str:
    if request != _IDENTIFY:
        return error("NO_PLAYER_FOUND", request=request)
    if not _is_identification(data):
        return error("INVALID_MESSAGE_DATA", request=request, cause=_to_json(data))
    return error("INVALID_SOCKET_TOKEN", request=request)


def _is_identification(data: dict[str, object]) -> bool:
    alias = data.get("playerAliasId")
    return (
        isinstance(alias, int | float)
        and not isinstance(alias, bool)
        and isinstance(data.get("socketToken"), str)
        and isinstance(data.get("sessionToken", ""), str)
    )


def _to_json(value: object) -> str:
    """Write JSON as JavaScript does: compact, and a lone surrogate as its escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
