"""The listening socket of a target: it can stop to accept, and stop to listen, and go on.

asyncio's own server can do neither without losing its port, so sockets are accepted here. What is
done with an accepted one is the caller's business.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

_BACKLOG = 1024
# A crowd is let in by and by, so that it does not hold up the loop.
_ACCEPTS_AT_ONCE = 32
_REST_WITHOUT_DESCRIPTORS = 1.0


class Listener:
    """Listens on every address of a host, on one port."""

    def __init__(self, accepted: Callable[[socket.socket], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._accepted = accepted
        self._sockets: list[socket.socket] = []
        self._listening = False
        self._accepting = False
        self._rest: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port that is bound."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    async def open(self, host: str, port: int) -> None:
        """Bind `host` and listen; port 0 takes any free one.

        Raises:
            OSError: an address cannot be bound, or the host has none.
        """
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            for family, _, _, _, address in dict.fromkeys(found):
                bound_port = self.port if self._sockets else port
                self._sockets.append(_bind(family, (address[0], bound_port, *address[2:])))
            self.adjust(listening=True, accepting=True)
        except OSError as problem:
            self.close()
            # A name that cannot be resolved has a number of its own, which is no errno.
            number = errno.EADDRNOTAVAIL if isinstance(problem, socket.gaierror) else problem.errno
            raise OSError(number, f"cannot listen on {host}:{port}: {problem.strerror}") from None

    def adjust(self, *, listening: bool, accepting: bool) -> None:
        """Listen or refuse connections; accept those that come or leave them in the backlog.

        Raises:
            OSError: somebody else has taken the port while it was refusing.
        """
        self._stop_accepting()
        if self._listening and not listening:
            self._refuse()
        elif listening and not self._listening:
            for sock in self._sockets:
                sock.listen(_BACKLOG)
        self._listening = listening
        self._accepting = accepting and listening
        self._start_accepting()

    def close(self) -> None:
        """Give the port up."""
        self._stop_accepting()
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        self._listening = self._accepting = False

    def _refuse(self) -> None:
        # Bound but not listening: connections are refused, and the port stays ours.
        for index, sock in enumerate(self._sockets):
            family, address = sock.family, sock.getsockname()
            sock.close()
            self._sockets[index] = _bind(family, address)

    def _start_accepting(self) -> None:
        self._rest = None
        if self._accepting:
            for sock in self._sockets:
                self._loop.add_reader(sock, self._accept, sock)

    def _stop_accepting(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        for sock in self._sockets:
            self._loop.remove_reader(sock)

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, _address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of file descriptors: the socket stays readable, so look away for a while.
                self._stop_accepting()
                self._rest = self._loop.call_later(_REST_WITHOUT_DESCRIPTORS, self._start_accepting)
                return
            connection.settimeout(0)
            self._accepted(connection)


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
