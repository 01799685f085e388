"""What a target is told once, at its start.

Faults are not settings: they change while the target runs (`monitor.target.faults`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.net.origin import is_loopback

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """Addresses, credentials and the protocol's constants. Times are in seconds.

    Raises:
        ValueError: the control endpoint would be reachable from other machines and
            `expose_control` does not say that it may be.
    """

    host: str = "127.0.0.1"
    port: int = 10441
    """0 takes any free port."""
    ssl_context: ssl.SSLContext | None = None
    """Serve `https` and `wss` with it."""

    control_host: str = "127.0.0.1"
    control_port: int | None = 10442
    """0 takes any free port; None starts no control endpoint."""
    expose_control: bool = False
    """Allow a `control_host` that is not loopback."""

    api_key: str | None = None
    """The one key that is accepted; None accepts every Bearer token that looks like a JWT."""
    tick_period: float = 30.0
    """Between two liveness ticks. Talo's is fixed at 30."""
    connect_time: float = 0.005
    """From the 101 to the ticket check; Talo on loopback takes 5 to 30 ms to `v1.connected`."""
    close_timeout: float = 30.0
    """How long a close frame waits for the peer's before the connection is cut."""
    ticket_ttl: float = 300.0
    ticket_points: int = 20
    """Requests for a ticket that one client address has in a window."""
    message_points: int = 300
    """Messages that one connection has in a window."""
    rate_window: float = 60.0
    """Length of a window, and of the block that follows an excess."""

    def __post_init__(self) -> None:
        if self.control_port is None or self.expose_control or is_loopback(self.control_host):
            return
        raise ValueError(
            f"the control endpoint must listen on loopback, not on {self.control_host!r}, "
            "unless it is exposed on purpose"
        )
