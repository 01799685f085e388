"""A server's WebSocket frames (RFC 6455, section 5.2): final, unmasked, uncompressed. Pure."""

from __future__ import annotations

import struct
from enum import IntEnum


class Opcode(IntEnum):
    """The frame types that the target sends."""

    TEXT = 0x1
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


def encode(opcode: Opcode, payload: bytes = b"") -> bytes:
    """Return one whole message as a single frame."""
    first = 0x80 | opcode
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", first, length) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


def close(code: int | None, reason: str = "") -> bytes:
    """Return a close frame; None stands for one without a code."""
    payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return encode(Opcode.CLOSE, payload)
