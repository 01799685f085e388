"""The socket tickets that were issued and not yet used. Pure: told the time, told the text."""

from __future__ import annotations


class TicketBook:
    """Tickets that are good once, until `ttl` seconds after their issue."""

    __slots__ = ("_issued", "_ttl")

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._issued: dict[str, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._issued)

    def issue(self, ticket: str, key: str, now: float) -> None:
        """Remember that `ticket` was given to the owner of the API key `key`."""
        self._forget_expired(now)
        self._issued[ticket] = (key, now + self._ttl)

    def redeem(self, ticket: str, now: float) -> str | None:
        """Use `ticket` up and return its API key, or None if it is unknown, used or expired."""
        key, expires = self._issued.pop(ticket, ("", now))
        return key if now < expires else None

    def _forget_expired(self, now: float) -> None:
        # One TTL for all, and a dict keeps the order of issue: the oldest expire first.
        while self._issued:
            oldest = next(iter(self._issued))
            if now < self._issued[oldest][1]:
                return
            del self._issued[oldest]
