"""The `ping` protocol: nothing but control frames (RFC 6455 section 5.5).

Any server answers a ping by a pong with the same payload, so this works against every endpoint.
It shows that the network and the server's WebSocket layer answer; not that the application does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.dialects.dialect import NUMBER, Frame, Meaning

_NUMBER = re.compile(NUMBER)


class Control:
    """One connection that is only ever pinged."""

    usable_at_once = True
    numbered = False

    def opening(self) -> Sequence[Frame]:
        """Nothing."""
        return ()

    def heartbeat(self, key: int) -> Frame:
        """Refuse: this dialect has no message heartbeat."""
        raise NotImplementedError(f"the ping protocol has no message heartbeat (asked for {key})")

    def read(self, data: bytes, *, text: bool) -> Meaning:  # noqa: ARG002 - no message concerns us
        """Ignore whatever the peer pushes."""
        return None

    def closed(self, code: int) -> str:  # noqa: ARG002 - no code is special
        """No close code is special."""
        return ""


def ping_payload(nonce: bytes, key: int) -> bytes:
    """The payload of one ping: unique per connection (`nonce`) and heartbeat (`key`)."""
    return nonce + b"-%d" % key


def ping_key(nonce: bytes, payload: bytes) -> int | None:
    """The heartbeat that a pong answers; None where it answers none of ours."""
    prefix = nonce + b"-"
    match = _NUMBER.fullmatch(payload, len(prefix)) if payload.startswith(prefix) else None
    return int(match["id"]) if match else None
