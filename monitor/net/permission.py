"""Which of the addresses that a name resolved to may be dialled.

It is asked about the very addresses that are dialled next: what a name meant a moment ago says
nothing about what it means now.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from monitor.core.deny_list import DenyList, Network
from monitor.net.resolver import Address


class AddressDeniedError(OSError):
    """No address is left that may be dialled; the text names a network, never the address."""

    def __init__(self, network: Network) -> None:
        self.detail = f"the address is in {network}, which discovered probes keep off"
        super().__init__(errno.EACCES, self.detail)


def permitted(addresses: Sequence[Address], deny_list: DenyList) -> list[Address]:
    """Return the addresses that may be dialled, in their order.

    Raises:
        AddressDeniedError: there were some, and none of them may.
    """
    denying = [deny_list.match(address.host) for address in addresses]
    left = [address for address, found in zip(addresses, denying, strict=True) if found is None]
    for network in denying:
        if network is not None and not left:
            raise AddressDeniedError(network)
    return left
