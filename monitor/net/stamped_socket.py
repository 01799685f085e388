"""A socket that keeps the times that matter: when bytes left the kernel, and when others came.

The kernel stamps both, so an RTT does not contain our own event loop, nor our own way into the
system call. Where it does not, or the stamp cannot be true because the wall clock was set, the time
of our call stands in.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable

from monitor.net import kernel_stamps
from monitor.net.kernel_stamps import SPACE, Ancillary

_SAME_MOMENT = 0.001
"""Seconds by which a stamp may seem to lie before the read before, or after this one."""

READ_SIZE = 16384
"""Most bytes taken by one read, so that no peer can hold up the loop for long."""


_send = socket.socket.send
"""By a name of its own: `super()` would be made anew for each heartbeat."""


def _ignore(size: int) -> None:
    """Do nothing about a read."""


class StampedSocket(socket.socket):
    """A TCP socket for asyncio, non-blocking from the start.

    All times are monotonic seconds.

    Attributes:
        kernel_stamps: whether times are the kernel's word or ours.
        sent_at: when the last send call began.
        left_at: when the last byte of it left the kernel, if that was before the call ended; when
            the call began, if the bytes were held up or the kernel does not say.
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
        "left_at",
        "on_read",
        "read_at",
        "sent_at",
        "stamped",
    )

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self.settimeout(0.0)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kernel_stamps = kernel_stamps.request(self)
        self.sent_at = self.left_at = time.monotonic()
        self.arrived = self.read_at = self._emptied_at = self.sent_at
        self.stamped = self.filled = False
        self.on_read: Callable[[int], None] = _ignore

    def send(self, data: bytes | bytearray | memoryview, flags: int = 0, /) -> int:  # type: ignore[override] # asyncio passes only these
        """Send, and note when the bytes left."""
        self.sent_at = self.left_at = time.monotonic()
        try:
            count = _send(self, data, flags)
        except BlockingIOError:
            self._discard_departures()
            raise
        if self.kernel_stamps and count == len(data):
            self._note_departure()
        return count

    def sendmsg(self, buffers: Iterable[bytes | memoryview], /) -> int:  # type: ignore[override] # asyncio passes only these
        """Send what had to wait; from Python 3.12 on, asyncio does it in this way."""
        try:
            return super().sendmsg(buffers)
        except BlockingIOError:
            self._discard_departures()
            raise

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive at most `READ_SIZE` bytes, and note when they arrived."""
        # Not `min`, whose call takes longer than all of this, for each echo.
        size = size if size < READ_SIZE else READ_SIZE
        try:
            data, ancillary, _, _ = self.recvmsg(size, SPACE, flags)
        except BlockingIOError:
            self._discard_departures()
            raise
        self._note_arrival(ancillary, filled=len(data) == size)
        self.on_read(len(data))
        return data

    def recv_into(self, buffer: memoryview, size: int = 0, flags: int = 0, /) -> int:  # type: ignore[override] # asyncio passes only these
        """Receive into a buffer, and note when the bytes arrived."""
        view = buffer[: size or READ_SIZE]
        try:
            count, ancillary, _, _ = self.recvmsg_into([view], SPACE, flags)
        except BlockingIOError:
            self._discard_departures()
            raise
        self._note_arrival(ancillary, filled=count == len(view))
        self.on_read(count)
        return count

    def has_unread(self) -> bool:
        """Whether bytes wait in the kernel that nobody has read yet."""
        try:
            return bool(super().recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    def _note_departure(self) -> None:
        """Note when the last byte left, if it did within the call.

        If it did not, it waits for the peer or for the network, and that is part of an RTT.
        """
        try:
            while True:
                _, ancillary, _, _ = self.recvmsg(0, SPACE, socket.MSG_ERRQUEUE)
                left, now = kernel_stamps.read(ancillary)
                # What was held up before leaves its stamp late.
                if left is not None and self.sent_at < left <= now:
                    self.left_at = left
                    return
        except OSError:
            return

    def _discard_departures(self) -> None:
        """Take the stamps that came too late: they make the socket look ready again and again."""
        try:
            while self.kernel_stamps:
                self.recvmsg(0, SPACE, socket.MSG_ERRQUEUE)
        except OSError:
            return

    def _note_arrival(self, ancillary: Ancillary, *, filled: bool) -> None:
        if not self.filled:
            self._emptied_at = self.read_at
        self.filled = filled
        arrived, now = kernel_stamps.read(ancillary)
        self.read_at = self.arrived = now
        self.stamped = False
        # Bytes cannot have come before a read that left none, nor after this one. A stamp that
        # says so was taken under another setting of the wall clock.
        if arrived is not None and self._emptied_at - _SAME_MOMENT <= arrived <= now + _SAME_MOMENT:
            self.arrived = arrived if arrived < now else now
            self.stamped = True
