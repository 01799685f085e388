"""Small whole frames, written and read without the library's detour (RFC 6455 section 5.2).

A heartbeat and its echo are frames of a few bytes, whole and plain, and the library takes longer
over each than the system call. What is anything else (fragments, pings, close frames, extensions,
long or broken frames) is left to the library, which is told where to go on.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Generator, Iterator

from websockets.client import ClientProtocol
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.streams import StreamReader
from websockets.utils import apply_mask as apply_mask_slowly

try:
    from websockets.speedups import apply_mask
except ImportError:  # where there is no compiled one
    apply_mask = apply_mask_slowly

SMALL = 125
"""The longest payload whose length is in the header's second byte."""

CONTINUATION = int(Opcode.CONT)
TEXT = int(Opcode.TEXT)
BINARY = int(Opcode.BINARY)
CLOSE = int(Opcode.CLOSE)
PING = int(Opcode.PING)
PONG = int(Opcode.PONG)

MESSAGES = (TEXT, BINARY)
"""What begins a message, and with FIN is all of it."""

FIN = 0x80
MASKED = 0x80

PLAIN = frozenset(FIN | opcode for opcode in (TEXT, BINARY, PONG))
"""First bytes of the frames that call for nothing but being handed over."""

_HEAD = struct.Struct("BB4s")
"""Opcode, length and masking key."""

_KEYS = struct.Struct("4s")
KEYS_AT_ONCE = 1024
"""Asked of the system together."""


Piece = tuple[int, bytes, bool]
"""A frame that came in: its opcode, its payload, and whether it is the last of its message."""


def piece_of(frame: WireFrame) -> Piece:
    """Return what the library has parsed."""
    return int(frame.opcode), bytes(frame.data), frame.fin


class Protocol(ClientProtocol):
    """The library's protocol, which can tell whether it is in the middle of something."""

    reader: _Reader

    def parse(self) -> Generator[None]:
        """Parse as the library does, from a reader that knows what is asked of it."""
        self.reader = _Reader()
        yield from super().parse()

    def between_messages(self) -> bool:
        """Whether the next byte begins a frame that belongs to none before it."""
        return (
            self.reader.between_frames
            and self.current_size is None
            and self.state is OPEN
            and not self.extensions
        )


class _Reader(StreamReader):
    """Before each frame the library asks whether there is more, and waits there until there is."""

    between_frames = False

    def at_eof(self) -> Generator[None, None, bool]:
        self.between_frames = True
        try:
            return (yield from super().at_eof())
        finally:
            self.between_frames = False


def plain_frames(data: bytes) -> tuple[list[Piece], int]:
    """Return the small whole frames that `data` begins with, and how many bytes they take."""
    pieces: list[Piece] = []
    at, size = 0, len(data)
    while at + 2 <= size:
        first, length = data[at], data[at + 1]
        end = at + 2 + length
        if first not in PLAIN or length > SMALL or end > size:
            break
        pieces.append((first ^ FIN, data[at + 2 : end], True))
        at = end
    return pieces, at


def _masks() -> Iterator[bytes]:
    """Yield masking keys that nobody can foretell (section 5.3), each of them once."""
    while True:
        for (key,) in _KEYS.iter_unpack(secrets.token_bytes(_KEYS.size * KEYS_AT_ONCE)):
            yield key


MASKS = _masks()


def small_frame(opcode: int, payload: bytes) -> bytes:
    """Return a masked frame around a payload of at most `SMALL` bytes."""
    key = next(MASKS)
    return _HEAD.pack(FIN | opcode, MASKED | len(payload), key) + apply_mask(payload, key)
