"""Resolving names without letting a slow resolver hold anybody else up.

`getaddrinfo` blocks, for half a minute if it likes, so each lookup runs in a thread of its own;
lookups of one name share one. A literal address needs no thread.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

from monitor.net.threads import in_daemon

THREADS = 64
"""How many different names can hang in the resolver before a healthy one has to wait."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address to connect to, as `socket.connect` takes it."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int]

    @property
    def host(self) -> str:
        """The numeric address."""
        return self.sockaddr[0]


class Resolver:
    """Resolves host names to addresses, in the order of the system's preference."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(THREADS)
        self._running: dict[tuple[str, int, int], asyncio.Task[list[Address]]] = {}

    async def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> list[Address]:
        """Return the addresses of `host`.

        Raises:
            OSError: it has none, or none of that family (`socket.gaierror`).
        """
        if _is_literal(host):
            return _look_up(host, port, family)
        key = (host, port, family)
        lookup = self._running.get(key)
        if lookup is None:
            lookup = self._running[key] = asyncio.create_task(self._in_thread(*key))
            lookup.add_done_callback(lambda _: self._running.pop(key, None))
            # Whoever asked may have given up by the time it fails.
            lookup.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(lookup)

    def close(self) -> None:
        """Wait for no lookup any more."""
        for lookup in list(self._running.values()):
            lookup.cancel()

    async def _in_thread(self, host: str, port: int, family: int) -> list[Address]:
        async with self._places:
            return await in_daemon(f"resolve {host}", lambda: _look_up(host, port, family))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _look_up(host: str, port: int, family: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A TCP lookup finds nothing but the two IP families.
    return [Address(kind, sockaddr) for kind, _, _, _, sockaddr in found]  # type: ignore[arg-type]
