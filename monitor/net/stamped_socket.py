"""A socket that keeps the times that matter: of each send call, and of each arrival in the kernel.

Linux stamps every received segment (`SO_TIMESTAMPNS`, socket(7)) before any process is woken, so
an RTT does not contain our own event loop. The stamp is wall-clock time; it is turned into
monotonic time by its age. Where the option does not exist, or the stamp cannot be true because
the wall clock was set, the time of the read stands in.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; `socket` has no name for it before Python 3.14
_TIMESPEC = struct.Struct("qq")
_ANCILLARY_SPACE = socket.CMSG_SPACE(_TIMESPEC.size)

_SAME_MOMENT = 0.001
"""Seconds by which a stamp may seem to lie before the read before, or after this one."""

READ_SIZE = 16384
"""Most bytes taken by one read, so that no peer can hold up the loop for long."""


def _ignore(size: int) -> None:
    """Do nothing about a read."""


class StampedSocket(socket.socket):
    """A TCP socket for asyncio, non-blocking from the start.

    All times are monotonic seconds.

    Attributes:
        kernel_stamps: whether arrivals are the kernel's word or ours.
        sent_at: when the last send call began.
        arrived: when the last bytes read had arrived.
        stamped: whether `arrived` is the kernel's word.
        read_at: when they were read.
        filled: whether they filled the buffer, so that more may wait.
        on_read: is called after each read with the number of bytes; all times are noted then.
    """

    __slots__ = (
        "_emptied_at",
        "arrived",
        "filled",
        "kernel_stamps",
        "on_read",
        "read_at",
        "sent_at",
        "stamped",
    )

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self.settimeout(0.0)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kernel_stamps = self._enable_stamps()
        self.sent_at = self.arrived = self.read_at = self._emptied_at = time.monotonic()
        self.stamped = self.filled = False
        self.on_read: Callable[[int], None] = _ignore

    def send(self, data: bytes | bytearray | memoryview, flags: int = 0, /) -> int:  # type: ignore[override] # asyncio passes only these
        """Send, and note when the system call began."""
        self.sent_at = time.monotonic()
        return super().send(data, flags)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive at most `READ_SIZE` bytes, and note when they arrived."""
        size = min(size, READ_SIZE)
        data, ancillary, _, _ = self.recvmsg(size, _ANCILLARY_SPACE, flags)
        self._note_arrival(ancillary, filled=len(data) == size)
        self.on_read(len(data))
        return data

    def recv_into(self, buffer: memoryview, size: int = 0, flags: int = 0, /) -> int:  # type: ignore[override] # asyncio passes only these
        """Receive into a buffer, and note when the bytes arrived."""
        view = buffer[: size or READ_SIZE]
        count, ancillary, _, _ = self.recvmsg_into([view], _ANCILLARY_SPACE, flags)
        self._note_arrival(ancillary, filled=count == len(view))
        self.on_read(count)
        return count

    def has_unread(self) -> bool:
        """Whether bytes wait in the kernel that nobody has read yet."""
        try:
            return bool(super().recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    def _enable_stamps(self) -> bool:
        if sys.platform != "linux" or sys.maxsize < 2**32:
            return False
        try:
            self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        except OSError:
            return False
        return True

    def _note_arrival(self, ancillary: list[tuple[int, int, bytes]], *, filled: bool) -> None:
        if not self.filled:
            self._emptied_at = self.read_at
        self.filled = filled
        self.read_at = self.arrived = time.monotonic()
        self.stamped = False
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack(payload)
                age = (time.time_ns() - seconds * 1_000_000_000 - nanoseconds) / 1e9
                arrived = self.read_at - age
                # Bytes cannot have come before a read that left none, nor after this one. A
                # stamp that says so was taken under another setting of the wall clock.
                if self._emptied_at - _SAME_MOMENT <= arrived <= self.read_at + _SAME_MOMENT:
                    self.arrived = min(arrived, self.read_at)
                    self.stamped = True
