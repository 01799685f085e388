"""Small frames are written and read as the library would, and the rest is left to it."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from monitor.net import frames
from monitor.net.frames import Piece, Protocol, plain_frames

MESSAGES = st.builds(Frame, st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=300))
CONTROLS = st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


def fragments(parts: list[bytes]) -> list[Frame]:
    """Return one message in several frames, with a pong between two of them."""
    opcodes = [Opcode.TEXT] + [Opcode.CONT] * (len(parts) - 1)
    pieces = [Frame(opcode, part, fin=False) for opcode, part in zip(opcodes, parts, strict=True)]
    pieces[-1].fin = True
    return [pieces[0], Frame(Opcode.PONG, b"between"), *pieces[1:]] if len(parts) > 1 else pieces


FRAGMENTED = st.lists(st.binary(max_size=20), min_size=1, max_size=3).map(fragments)
STREAMS = st.lists(
    st.one_of(MESSAGES.map(lambda frame: [frame]), CONTROLS.map(lambda frame: [frame]), FRAGMENTED)
).map(lambda groups: [frame for group in groups for frame in group])


def upgraded() -> tuple[Protocol, ServerProtocol]:
    """Return the two sides of an accepted upgrade."""
    client, server = Protocol(parse_uri("ws://127.0.0.1/")), ServerProtocol()
    client.send_request(client.connect())
    server.receive_data(b"".join(client.data_to_send()))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    client.receive_data(b"".join(server.data_to_send()))
    client.events_received()
    return client, server


def read(client: Protocol, data: bytes) -> Iterable[Piece]:
    """Read what comes in at once, as a connection does."""
    pieces, parsed = plain_frames(data) if client.between_messages() else ([], 0)
    yield from pieces
    if parsed < len(data):
        client.receive_data(data[parsed:])
        for event in client.events_received():
            assert isinstance(event, Frame)
            yield frames.piece_of(event)


class TestReading:
    """However the bytes are cut, the frames are those that were sent."""

    @given(sent=STREAMS, cuts=st.lists(st.integers(0, 2000)))
    def test_every_frame_comes_once_and_in_order(self, sent: list[Frame], cuts: list[int]) -> None:
        client, _ = upgraded()
        stream = b"".join(frame.serialize(mask=False) for frame in sent)
        edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        got = [piece for start, end in pairwise(edges) for piece in read(client, stream[start:end])]
        assert got == [frames.piece_of(frame) for frame in sent]

    def test_a_small_whole_frame_takes_no_detour(self) -> None:
        pong, echo = b"\x8a\x02ab", b"\x81\x04hb-1"
        assert plain_frames(pong + echo) == ([(0xA, b"ab", True), (0x1, b"hb-1", True)], 10)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\x01\x01a", id="a fragment"),
            pytest.param(b"\x89\x01a", id="a ping, which wants an answer"),
            pytest.param(b"\x88\x02\x03\xe8", id="a close frame"),
            pytest.param(b"\xc1\x01a", id="a bit of an extension"),
            pytest.param(b"\x83\x01a", id="an opcode that does not exist"),
            pytest.param(b"\x81\x81\x00\x00\x00\x00a", id="masked, which a server must not"),
            pytest.param(b"\x81\x7e\x00\x7e" + bytes(126), id="long"),
            pytest.param(b"\x81\x05a", id="not all of it is there"),
            pytest.param(b"\x81", id="not even the length is there"),
        ],
    )
    def test_whatever_is_not_small_and_plain_is_left_to_the_library(self, data: bytes) -> None:
        assert plain_frames(b"\x81\x01a" + data) == ([(0x1, b"a", True)], 3)

    def test_after_a_close_frame_nothing_is_read(self) -> None:
        client, _ = upgraded()
        assert client.between_messages()
        list(read(client, b"\x88\x02\x03\xe8"))
        assert not client.between_messages()
        assert list(read(client, b"\x81\x01a")) == []

    def test_before_the_upgrade_nothing_is_a_frame(self) -> None:
        assert not Protocol(parse_uri("ws://127.0.0.1/")).between_messages()


class TestWriting:
    """A server reads what we write."""

    @given(payload=st.binary(max_size=frames.SMALL))
    @pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY, Opcode.PING])
    def test_a_server_reads_a_frame_as_it_was_meant(self, opcode: Opcode, payload: bytes) -> None:
        _, server = upgraded()
        server.receive_data(frames.small_frame(opcode, payload))
        assert server.events_received() == [Frame(opcode, payload)]

    def test_masking_keys_hardly_ever_repeat(self) -> None:
        """RFC 6455 section 5.3; of five thousand random keys two are alike once in 340 runs."""
        keys = {frames.small_frame(frames.TEXT, b"")[2:] for _ in range(5000)}
        assert len(keys) >= 4990
