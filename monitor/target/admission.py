"""A new socket's way from its 101 to `v1.connected`. Pure: told the time.

Talo first fetches the ticket from Redis, which uses it up, then the API key from the database.
"""

from __future__ import annotations

from enum import Enum

from monitor.target.credentials import Credentials
from monitor.target.faults import Faults
from monitor.target.tickets import TicketBook


class Verdict(Enum):
    """How far a socket came."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    REFUSED = "refused"


class Admission:
    """The checks of one socket's ticket. Ask again whenever the faults have changed."""

    __slots__ = ("_key", "_ticket")

    def __init__(self, ticket: str) -> None:
        self._ticket: str | None = ticket
        self._key: str | None = None

    def advance(
        self, now: float, faults: Faults, tickets: TicketBook, credentials: Credentials
    ) -> Verdict:
        """Go as far as the faults allow."""
        if faults.stall_messages:
            return Verdict.WAITING
        if self._ticket is not None:
            self._key = tickets.redeem(self._ticket, now)
            self._ticket = None
        if self._key is None or faults.database_down:
            return Verdict.REFUSED
        if faults.database_stalled:
            return Verdict.WAITING
        return Verdict.REFUSED if credentials.is_revoked(self._key) else Verdict.ADMITTED
