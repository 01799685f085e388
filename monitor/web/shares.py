"""What each client may have of what there is, so that no one of them can take it all.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(eq=False, slots=True)
class Place:
    """One place, its client's until it is given back; `give_way` is called if it is taken away."""

    client: str
    give_way: Callable[[], None]


class Shares:
    """So many places for all clients, and so many of them for each.

    Once they are all taken, whoever has the most gives one up for a client that has fewer. So
    nobody is kept out by a few others, however many places those want.
    """

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: dict[str, list[Place]] = {}

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return sum(map(len, self._taken.values()))

    def take(self, client: str, give_way: Callable[[], None]) -> Place | None:
        """Take a place, if there is one for this client."""
        own = len(self._taken.get(client, ()))
        if own >= self._each or (self.taken >= self._most and not self._make_room(own)):
            return None
        place = Place(client, give_way)
        self._taken.setdefault(client, []).append(place)
        return place

    def leave(self, place: Place) -> None:
        """Give a place back, if it was not taken away."""
        places = self._taken.get(place.client, [])
        if place in places:
            places.remove(place)
        if not places:
            self._taken.pop(place.client, None)

    def _make_room(self, own: int) -> bool:
        """Take the latest place from the client that has the most, if that makes it fairer."""
        most = max(self._taken.values(), key=len)
        if len(most) <= own + 1:
            return False
        place = most[-1]
        self.leave(place)
        place.give_way()
        return True


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
