"""A server's frames (RFC 6455, section 5)."""

import pytest

from monitor.target import frames
from monitor.target.frames import Opcode


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_length_takes_its_shortest_form(length: int, head: bytes) -> None:
    """As section 5.2 demands."""
    assert frames.encode(Opcode.TEXT, b"x" * length) == head + b"x" * length


def test_the_examples_of_the_rfc() -> None:
    """Section 5.7: an unmasked text, and an unmasked ping."""
    assert frames.encode(Opcode.TEXT, b"Hello") == b"\x81\x05Hello"
    assert frames.encode(Opcode.PING, b"Hello") == b"\x89\x05Hello"
    assert frames.encode(Opcode.PONG) == b"\x8a\x00"


def test_a_close_frame_has_a_code_and_a_reason_or_neither() -> None:
    """Section 5.5.1."""
    assert frames.close(1008, "no") == b"\x88\x04\x03\xf0no"
    assert frames.close(3000) == b"\x88\x02\x0b\xb8"
    assert frames.close(None) == b"\x88\x00"
