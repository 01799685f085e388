"""Which addresses a probe keeps off: those that a network denies and none allows."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""The well-known prefix (RFC 6052 section 2.1): the last 32 bits are an IPv4 address."""


@dataclass(frozen=True, slots=True)
class DenyList:
    """Networks to keep off; an address that `allowed` has as well may be dialled."""

    denied: tuple[Network, ...] = ()
    allowed: tuple[Network, ...] = ()

    def match(self, host: str) -> Network | None:
        """Return the network that denies a numeric address, or None.

        An IPv4 address that an IPv6 one stands for is judged as well.

        Raises:
            ValueError: `host` is no numeric address.
        """
        found = (self._denied_by(reading) for reading in _readings(host))
        return next((network for network in found if network is not None), None)

    def _denied_by(self, address: _Address) -> Network | None:
        if any(address in network for network in self.allowed):
            return None
        return next((network for network in self.denied if address in network), None)


def _readings(host: str) -> tuple[_Address, ...]:
    """An address, and the IPv4 address that it stands for."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address, address.ipv4_mapped)
    if address in _NAT64:
        return (address, ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (address,)


NOTHING_DENIED = DenyList()
"""Keeps off nothing."""
