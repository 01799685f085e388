"""What each client may have of what there is, so that no one of them can take it all.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import ipaddress
from collections import Counter

from monitor.core.budget import Budget

MOST_REMEMBERED = 1024
"""Clients whose pace is remembered; the one that was seen longest ago is forgotten first."""


def client_of(peer: object) -> str:
    """Name the client at a socket's other end.

    An IPv6 client has a network of its own to choose addresses from, so that network is the client.
    """
    host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


class Shares:
    """So many places for all clients, and so many of them for each."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()

    def take(self, client: str) -> bool:
        """Take a place, if there is one for this client."""
        if self._taken.total() >= self._most or self._taken[client] >= self._each:
            return False
        self._taken[client] += 1
        return True

    def leave(self, client: str) -> None:
        """Give a place back."""
        self._taken[client] -= 1
        if self._taken[client] <= 0:
            del self._taken[client]


class Pace:
    """So many things a second for each client, and so many of them at once."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._budgets: dict[str, Budget] = {}

    def wait(self, client: str, now: float) -> float:
        """Return the seconds that this client's next thing has to wait."""
        budget = self._budgets.pop(client, None)
        if budget is None:
            budget = Budget(per_second=self._per_second, burst=self._burst)
            if len(self._budgets) >= MOST_REMEMBERED:
                del self._budgets[next(iter(self._budgets))]
        self._budgets[client] = budget
        return budget.reserve(now)
