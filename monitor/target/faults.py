"""What can be made to go wrong, as values. Pure.

Everything is off in `Faults()`. What a fault does is decided where it acts: `conversation`,
`admission`, `connection`, `endpoints` and `server`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CloseFrame:
    """A close frame: its code and its reason (RFC 6455, section 5.5.1)."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An HTTP answer instead of the one that was asked for."""

    status: int
    retry_after: int | str | None = None
    """Seconds, or any text; None sends no `Retry-After`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults that are on. They compose; times are in seconds."""

    silent: bool = False
    """Heartbeats are read and counted, and no echo is sent."""
    delay: float = 0.0
    """From a heartbeat's arrival to its echo. Echoes keep their order."""
    swallow_every: int = 0
    """Every n-th heartbeat of a connection gets no echo."""
    duplicate: int = 0
    """Extra echoes, right after each."""
    corrupt: bool = False
    """The echo differs from the heartbeat in one character."""
    freeze: bool = False
    """The whole server stalls, as under SIGSTOP: connections hang, pings too."""
    stall_messages: bool = False
    """The message path alone stalls, as with Redis frozen."""
    database_down: bool = False
    """A new connection is closed with 3000 after its 101."""
    database_stalled: bool = False
    """A new connection gets its 101, and `v1.connected` only on release."""
    never_connected: bool = False
    """A new connection gets its 101 and never `v1.connected`, even after the release."""
    accept_then_close: CloseFrame | None = None
    """A new connection is closed right after its 101."""
    refuse: bool = False
    """The port does not listen; open connections stay."""
    reject_upgrade: Rejection | None = None
    """An HTTP status instead of the 101; 401 is what a stripped `Upgrade` header brings."""
    redirect: str | None = None
    """A 302 to this location instead of the 101."""
    no_heartbeat_support: bool = False
    """A heartbeat is answered with ROUTING_ERROR, as before Talo 0.100."""
    rate_points: int | None = None
    """Messages that a connection has in a window, instead of the setting's."""
    noise: float = 0.0
    """`v1.live-config.updated` messages per second, pushed to every connection."""
    connect_delay: float = 0.0
    """Between the 101 and the ticket check of a new connection, in addition."""
    ticket_status: Rejection | None = None
    """An HTTP status instead of a ticket."""
    mute_pongs: bool = False
    """Control pings are not answered."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `fault_json.parse_faults` reads back."""
        return asdict(self)
