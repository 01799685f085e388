"""The target's own books, to compare a monitor's with. They only ever count, except for `open`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counters:
    """What happened since the start, over all connections."""

    connections_open: int = 0
    connections_total: int = 0
    """Sockets that got a 101."""
    tickets_issued: int = 0
    heartbeats_received: int = 0
    """On a connection that had its `v1.connected`, rate-limited and stalled ones included."""
    heartbeats_swallowed: int = 0
    """Left without an echo by `silent` or `swallow_every`."""
    echoes_sent: int = 0
    """Frames: duplicates and corrupt ones included."""
    pings_received: int = 0
    pongs_received: int = 0
    close_codes_received: Counter[int] = field(default_factory=Counter)
    """Close frames by code; 1005 is one without a code (RFC 6455, section 7.1.5)."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values; close codes become text, as JSON's keys are."""
        # dataclasses.asdict would rebuild the Counter from its items and count those.
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        values["close_codes_received"] = {
            str(code): count for code, count in sorted(self.close_codes_received.items())
        }
        return values
