"""Talo's socket protocol.

The ticket goes into the query string before the upgrade. The server accepts every upgrade and
only then checks the ticket: the connection is usable after `{"res":"v1.connected"}`, and whatever
is sent before that is lost without a word. A heartbeat is the plain string `v1.heartbeat`; its
echo is the same string, without an id, among pushed JSON messages that are no concern of ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from monitor.dialects.dialect import Echo, Frame, Meaning, Remark, Usable

HEARTBEAT = b"v1.heartbeat"

_BEAT = Frame(HEARTBEAT)
_ECHO = Echo(None)

SERVER_PATIENCE = 30.0
"""Seconds between the server's pings; it drops a client that gave no sign of life in between."""

MESSAGES_PER_MINUTE = 300
"""What the server accepts from an unidentified connection, heartbeats included."""

ERROR_CODES = frozenset(
    {
        "INVALID_MESSAGE",
        "INVALID_MESSAGE_DATA",
        "INVALID_SESSION_TOKEN",
        "INVALID_SIGNATURE",
        "INVALID_SOCKET_TOKEN",
        "LISTENER_ERROR",
        "MISSING_ACCESS_KEY_SCOPES",
        "MISSING_API_KEY_SCOPES",
        "NO_PLAYER_FOUND",
        "RATE_LIMIT_EXCEEDED",
        "ROUTING_ERROR",
        "UNHANDLED_REQUEST",
    }
)

CLOSE_MEANINGS = {
    1002: "the server saw a protocol error",
    1007: "the server saw invalid UTF-8",
    1008: "the server's rate limit was exceeded",
    1009: "the server found a message too big",
    3000: "the ticket or API key was refused, or the server's database is down",
}

_REMARK_PREFIX = "talo_error_"


class Talo:
    """One connection to a Talo server."""

    usable_at_once = False
    numbered = False

    def opening(self) -> Sequence[Frame]:
        """Nothing: what comes before `v1.connected` is lost."""
        return ()

    def heartbeat(self, key: int) -> Frame:  # noqa: ARG002 - the protocol has no id
        """The plain string, always the same."""
        return _BEAT

    def read(self, data: bytes, *, text: bool) -> Meaning:
        """Say what a message of the server means."""
        if not text:
            return None
        if data == HEARTBEAT:
            return _ECHO
        envelope = _envelope(data)
        if envelope.get("res") == "v1.connected":
            return Usable()
        if envelope.get("res") == "v1.error":
            return _error(envelope.get("data"))
        return None

    def closed(self, code: int) -> str:
        """Say what one of the server's close codes means."""
        return CLOSE_MEANINGS.get(code, "")


def _envelope(data: bytes) -> dict[str, object]:
    # Pushed messages may be large and frequent, and only two kinds concern us.
    if b'"v1.connected"' not in data and b'"v1.error"' not in data:
        return {}
    try:
        envelope = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _error(data: object) -> Meaning:
    code = data.get("errorCode") if isinstance(data, dict) else None
    known = isinstance(code, str) and code in ERROR_CODES
    return Remark(_REMARK_PREFIX + (str(code).lower() if known else "other"))
