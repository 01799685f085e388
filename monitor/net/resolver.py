"""Resolving names without letting a slow resolver hold anybody else up.

`getaddrinfo` blocks, so it runs in threads of its own, many of them; lookups of one name share
one thread. A literal address needs none.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")
        self._running: dict[tuple[str, int, int], asyncio.Future[list[Address]]] = {}

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
            loop = asyncio.get_running_loop()
            lookup = loop.run_in_executor(self._threads, _look_up, host, port, family)
            self._running[key] = lookup
            lookup.add_done_callback(lambda _: self._running.pop(key, None))
            # Whoever asked may have given up by the time it fails.
            lookup.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(lookup)

    def close(self) -> None:
        """Let go of the threads without waiting for those that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)


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
