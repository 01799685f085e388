"""Why the web port turned a client away: a closed set, the values of a label."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """What was wrong with a connection or a request."""

    CONNECTIONS = "connections"
    """Too many connections are open, of all clients or of this one."""
    HANDSHAKE = "handshake"
    """TLS was not agreed on, or not in time."""
    CERTIFICATE = "certificate"
    """The client's certificate is good and has none of the names that are let in."""
    SLOW = "slow"
    """A request did not arrive, or its answer was not taken, in time."""
    SIZE = "size"
    """A request is too large."""
    RATE = "rate"
    """The rate limit."""
    PASSWORD = "password"  # noqa: S105 - a label's value
    """No password, or a wrong one."""
    ORIGIN = "origin"
    """A page of another site wanted to change something."""
    BUSY = "busy"
    """Too many answers or passwords are being worked on."""
