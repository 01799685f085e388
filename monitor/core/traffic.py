"""Plain counters of what a probe's connections have received, cheap enough for every frame."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Traffic:
    """Totals over all connections of one probe."""

    messages: int = 0
    received_bytes: int = 0
    server_pings: int = 0
