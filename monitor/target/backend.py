"""What all connections of a target share: the stand-in for Talo's process, Redis and database."""

from __future__ import annotations

from monitor.target.counters import Counters
from monitor.target.credentials import Credentials
from monitor.target.faults import Faults
from monitor.target.ratelimit import ClientLimits
from monitor.target.settings import TargetSettings
from monitor.target.tickets import TicketBook


class Backend:
    """Shared state, without behaviour of its own. `faults` is replaced whole."""

    __slots__ = ("counters", "credentials", "faults", "settings", "ticket_limits", "tickets")

    def __init__(self, settings: TargetSettings) -> None:
        self.settings = settings
        self.faults = Faults()
        self.counters = Counters()
        self.credentials = Credentials(settings.api_key)
        self.tickets = TicketBook(settings.ticket_ttl)
        self.ticket_limits = ClientLimits(settings.ticket_points, settings.rate_window)
