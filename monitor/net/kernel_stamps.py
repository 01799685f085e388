"""The kernel's own word on when bytes came to a socket and when they left it.

Linux stamps segments (`SO_TIMESTAMPING`, Documentation/networking/timestamping.rst). What comes has
its stamp beside it. What leaves puts its stamp into the socket's error queue: one for the last byte
of each send call, as soon as a device has taken it. Stamps are wall-clock time; they become
monotonic by their age.
"""

from __future__ import annotations

import math
import socket
import struct
import sys
import time

SO_TIMESTAMPING = 37
"""asm-generic/socket.h; `socket` has no name for it."""

_TX_SOFTWARE = 1 << 1
_RX_SOFTWARE = 1 << 3
_SOFTWARE = 1 << 4
_STAMPS_WITHOUT_PACKETS = 1 << 11
WANTED = _TX_SOFTWARE | _RX_SOFTWARE | _SOFTWARE | _STAMPS_WITHOUT_PACKETS

_FIRST_TIMESPEC = struct.Struct("qq")
SPACE = socket.CMSG_SPACE(3 * _FIRST_TIMESPEC.size)
"""Bytes of ancillary data that a stamp takes."""

_AT_ONCE = 2e-6
"""Seconds between two readings of a clock within which nothing else ran."""

_TRIES = range(3)

_LATELY = 1e-3
"""Seconds for which what was found out about the clocks is believed: the wall clock may be set."""

Ancillary = list[tuple[int, int, bytes]]


def request(sock: socket.socket) -> bool:
    """Ask for stamps of both directions; return whether there will be any."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, WANTED)
    except OSError:
        return False
    return True


class Clocks:
    """Reads stamps, by what it knows of the two clocks.

    They run at one rate, and their distance changes only when the wall clock is set.
    """

    def __init__(self) -> None:
        self._compared = -math.inf
        self._second = 0
        self._began = 0.0

    def read(self, ancillary: Ancillary) -> tuple[float | None, float]:
        """Return the monotonic seconds of the kernel's stamp, None without one, and of now."""
        now = time.monotonic()
        for level, kind, payload in ancillary:
            if kind == SO_TIMESTAMPING and level == socket.SOL_SOCKET:
                if now - self._compared > _LATELY:
                    self._compare()
                seconds, nanoseconds = _FIRST_TIMESPEC.unpack_from(payload)
                return self._began + (seconds - self._second) + nanoseconds * 1e-9, now
        return None, now

    def _compare(self) -> None:
        """Find out when a second of the wall clock began, in monotonic seconds.

        What runs between two readings of the clocks would make it seem later than it was.
        """
        for _ in _TRIES:
            before = time.monotonic()
            wall = time.time_ns()
            after = time.monotonic()
            if after - before < _AT_ONCE:
                break
        self._second, nanoseconds = divmod(wall, 1_000_000_000)
        self._began = after - nanoseconds * 1e-9
        self._compared = after


read = Clocks().read
"""One for all sockets: the clocks are those of the machine."""
