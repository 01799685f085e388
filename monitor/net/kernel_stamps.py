"""The kernel's own word on when bytes came to a socket and when they left it.

Linux stamps segments (`SO_TIMESTAMPING`, Documentation/networking/timestamping.rst). What comes has
its stamp beside it. What leaves puts its stamp into the socket's error queue: one for the last byte
of each send call, as soon as a device has taken it. Stamps are wall-clock time; they become
monotonic by their age.
"""

from __future__ import annotations

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


def read(ancillary: Ancillary) -> tuple[float | None, float]:
    """Return the monotonic seconds of the kernel's stamp, None where there is none, and of now.

    What runs between two readings of the clocks would make a stamp seem older than it is.
    """
    for _ in _TRIES:
        before = time.monotonic()
        wall = time.time_ns()
        now = time.monotonic()
        if now - before < _AT_ONCE:
            break
    for level, kind, payload in ancillary:
        if kind == SO_TIMESTAMPING and level == socket.SOL_SOCKET:
            seconds, nanoseconds = _FIRST_TIMESPEC.unpack_from(payload)
            return now - (wall - seconds * 1_000_000_000 - nanoseconds) / 1e9, now
    return None, now
