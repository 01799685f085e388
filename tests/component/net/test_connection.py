"""One open connection: what arrives is told, who ended it is told, and no peer makes it hang."""

import asyncio
import socket
import struct
import threading
import time
import zlib
from typing import Any

import pytest

from monitor.core.events import Initiator
from monitor.dialects.dialect import Frame
from monitor.net.connection import Ending
from monitor.net.stamped_socket import READ_SIZE
from tests.component.net.clients import SHORT, Client, Received
from tests.component.net.conftest import Serve, ServeAs
from tests.component.net.peers import (
    BINARY,
    CLOSE,
    CONT,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Peer,
    Script,
    close_frame,
    frame,
)


def says(*data: bytes, headers: tuple[str, ...] = ()) -> Script:
    """Accept, send so much, one segment each, and wait for the end."""

    def script(peer: Peer) -> None:
        peer.upgrade(*headers)
        for part in data:
            peer.send(part)
        peer.wait_end()

    return script


async def ended(connection: Any) -> Ending:
    """Wait for the end of a connection."""
    async with asyncio.timeout(PATIENCE):
        await connection.ended
    return connection.ending()


class TestArriving:
    """What a peer sends."""

    async def test_messages_come_whole_in_order_and_with_their_kind(
        self, serve: Serve, client: Client
    ) -> None:
        server = serve(
            says(
                frame(TEXT, b"a") + frame(BINARY, b"\x00\xff"), frame(TEXT, b""), frame(TEXT, b"b")
            )
        )
        _, received = await client.connect(server.port)
        await received.until(4)
        assert received.messages == [
            (b"a", True),
            (b"\x00\xff", False),
            (b"", True),
            (b"b", True),
        ]
        assert client.traffic.messages == 4

    async def test_a_fragmented_message_is_one_message_and_control_frames_may_come_between(
        self, serve: Serve, client: Client
    ) -> None:
        server = serve(
            says(
                frame(TEXT, b"he", fin=False),
                frame(PONG, b"early") + frame(CONT, b"l", fin=False) + frame(PING, b"?"),
                frame(CONT, b"lo"),
                frame(BINARY, b"1", fin=False) + frame(CONT, b"2"),
            )
        )
        _, received = await client.connect(server.port)
        await received.until(3)
        assert received.messages == [(b"hello", True), (b"12", False)]
        assert received.pongs == [b"early"]
        assert (client.traffic.messages, client.traffic.server_pings) == (2, 1)

    async def test_what_comes_with_the_101_is_kept_for_who_takes_over(
        self, serve: Serve, client: Client
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade(then=frame(TEXT, b"welcome") + frame(PING, b"?") + frame(PONG, b"!"))
            assert peer.read_frame() == (PONG, b"?")
            peer.wait_end()

        dialled = await client.dial(serve(script).port)
        received = Received()
        dialled.connection.deliver_to(received)
        await received.until(2)
        assert (received.messages, received.pongs) == ([(b"welcome", True)], [b"!"])
        assert client.traffic.server_pings == 1

    async def test_text_that_is_no_utf_8_comes_as_it_is(self, serve: Serve, client: Client) -> None:
        _, received = await client.connect(serve(says(frame(TEXT, b"\xff\xfe"))).port)
        await received.until(1)
        assert received.messages == [(b"\xff\xfe", True)]

    async def test_bytes_are_counted_as_they_come_off_the_wire(
        self, serve: Serve, client: Client
    ) -> None:
        _, received = await client.connect(serve(says(frame(TEXT, b"x" * 1000))).port)
        await received.until(1)
        assert client.traffic.received_bytes >= 1004

    async def test_pings_are_answered_however_many_and_beats_go_on(
        self, serve: Serve, client: Client
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade()
            peer.send(b"".join(frame(PING, b"%d" % number) for number in range(3000)))
            frames = [peer.read_frame() for _ in range(3001)]
            assert frames.count((TEXT, b"beat")) == 1
            frames.remove((TEXT, b"beat"))
            assert frames == [(PONG, b"%d" % number) for number in range(3000)]
            peer.send(frame(TEXT, b"beat"))
            peer.wait_end()

        connection, received = await client.connect(serve(script).port)
        connection.send(Frame(b"beat"))
        await received.until(1)
        assert received.messages == [(b"beat", True)]
        assert client.traffic.server_pings == 3000

    async def test_a_peer_that_pings_a_thousand_times_and_breaks_off_makes_no_noise(
        self, serve: Serve, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade()
            for _ in range(20):
                peer.send(frame(PING, b"?") * 1000)
            peer.reset()

        connection, _ = await client.connect(serve(script).port)
        assert (await ended(connection)).initiator in (Initiator.NETWORK, Initiator.LOCAL)
        await connection.tear_down()
        assert caplog.records == []

    @pytest.mark.parametrize("what", [frame(TEXT, b"x"), frame(PING), frame(TEXT, b"x" * 200)])
    async def test_more_than_the_limit_in_a_second_is_a_flood_and_the_rest_is_not_looked_at(
        self, serve: Serve, client: Client, what: bytes
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade()
            peer.send(what * 20_000)
            peer.sock.shutdown(socket.SHUT_WR)
            peer.wait_end()

        connection, received = await client.connect(serve(script).port, max_message_rate=1000)
        await received.flood()
        taken = client.traffic.messages + client.traffic.server_pings
        assert 1000 < taken < 20_000
        await ended(connection)
        assert client.traffic.messages + client.traffic.server_pings == taken
        assert client.traffic.received_bytes >= 20_000 * len(what)

    async def test_an_encrypted_message_of_any_size_comes_through_the_small_buffer(
        self, serve_as: ServeAs, client: Client
    ) -> None:
        data = bytes(index % 251 for index in range(300_000))
        server = serve_as(True, says(frame(BINARY, data), frame(TEXT, b"and on")))
        connection, received = await client.connect(server.port, secure=True)
        await received.until(2)
        assert received.messages == [(data, False), (b"and on", True)]
        assert len(connection.transport._ssl_protocol._ssl_buffer) == READ_SIZE  # type: ignore[attr-defined] # asyncio tells nobody

    async def test_a_flood_that_came_with_the_upgrade_is_told_with_it(
        self, serve: Serve, client: Client
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade(then=frame(TEXT, b"x") * 1001)
            peer.wait_end()

        _, received = await client.connect(serve(script).port, max_message_rate=1000)
        await received.flood()
        assert received.messages == [(b"x", True)] * 1001

    async def test_compressed_messages_are_told_as_they_were_meant(
        self, serve: Serve, client: Client
    ) -> None:
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(b"beat" * 100) + packer.flush(zlib.Z_SYNC_FLUSH)
        server = serve(
            says(
                frame(TEXT, packed[:-4], rsv=0x40),
                headers=("Sec-WebSocket-Extensions: permessage-deflate",),
            )
        )
        _, received = await client.connect(server.port, deflate=True)
        await received.until(1)
        assert received.messages == [(b"beat" * 100, True)]


class TestSending:
    """What we send."""

    async def test_frames_go_out_as_asked_and_copies_back_to_back(
        self, serve: Serve, client: Client
    ) -> None:
        seen: list[tuple[int, bytes]] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            seen.extend(peer.read_frame() for _ in range(5))
            peer.send(frame(TEXT, b"done"))

        connection, received = await client.connect(serve(script).port)
        connection.send(Frame(b"text"))
        connection.send(Frame(b"\x00", text=False))
        connection.ping(b"payload")
        connection.send(Frame(b"twice"), copies=2)
        await received.until(1)
        assert seen == [
            (TEXT, b"text"),
            (BINARY, b"\x00"),
            (PING, b"payload"),
            (TEXT, b"twice"),
            (TEXT, b"twice"),
        ]

    async def test_pongs_are_told_with_their_payload(self, serve: Serve, client: Client) -> None:
        connection, received = await client.connect(
            serve(lambda peer: (peer.upgrade(), peer.echo())).port
        )
        connection.ping(b"one")
        connection.ping(b"two")
        await received.until(2)
        assert received.pongs == [b"one", b"two"]

    async def test_nothing_goes_out_on_a_connection_that_is_ending(
        self, serve: Serve, client: Client
    ) -> None:
        connection, _ = await client.connect(serve(says(close_frame(1001))).port)
        await ended(connection)
        assert not connection.usable
        assert connection.send(Frame(b"beat")) is None
        assert connection.ping(b"x") is None

    async def test_a_message_longer_than_all_buffers_is_sent_to_who_reads_it_in_the_end(
        self, serve: Serve, client: Client
    ) -> None:
        sent = threading.Event()

        def script(peer: Peer) -> None:
            peer.upgrade()
            assert sent.wait(PATIENCE)
            peer.echo()

        server = serve(script, receive_buffer=4096)
        connection, received = await client.connect(server.port, max_message_size=1 << 24)
        long = Frame(b"x" * 6_000_000)
        for count in (1, 2):
            connection.send(long)
            assert connection.usable
            sent.set()
            await received.until(count)
        assert received.messages == [(long.data, True)] * 2

    async def test_a_peer_that_pings_and_never_reads_the_pongs_is_given_up(
        self, serve: Serve, client: Client
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade()
            while True:
                peer.send(frame(PING, b"x" * 125) * 100)

        connection, _ = await client.connect(serve(script, receive_buffer=4096).port)
        assert await ended(connection) == Ending(Initiator.LOCAL, 1006, "the peer reads nothing")

    async def test_a_peer_that_reads_nothing_is_given_up_and_not_waited_for(
        self, serve: Serve, client: Client
    ) -> None:
        over = threading.Event()

        def script(peer: Peer) -> None:
            peer.upgrade()
            assert over.wait(PATIENCE)

        connection, _ = await client.connect(serve(script, receive_buffer=4096).port)
        sent = 0
        while connection.send(Frame(b"x" * 65536)) is not None:
            sent += 1
            assert sent < 1000, "somebody reads all this"
        over.set()
        assert await ended(connection) == Ending(Initiator.LOCAL, 1006, "the peer reads nothing")
        assert connection.transport.is_closing()

    async def test_the_kernel_tells_of_the_path_while_there_is_one(
        self, serve: Serve, client: Client
    ) -> None:
        connection, received = await client.connect(
            serve(lambda peer: (peer.upgrade(), peer.echo())).port
        )
        connection.send(Frame(b"beat"))
        await received.until(1)
        info = connection.tcp_info()
        assert info is not None
        assert 0 < info.rtt < 1
        assert info.retransmits == 0
        connection.give_up("over")
        await connection.tear_down()
        assert connection.tcp_info() is None


class TestEnding:
    """Who ended it, and how."""

    @pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 3000, 4999])
    async def test_a_close_frame_is_the_peer_s_decision(
        self, serve: Serve, client: Client, code: int
    ) -> None:
        codes: list[int] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            peer.send(close_frame(code, b"hidden words"))
            codes.append(peer.read_close())

        connection, _ = await client.connect(serve(script).port)
        assert await ended(connection) == Ending(
            Initiator.REMOTE, code, "the peer sent a close frame"
        )
        await connection.tear_down()
        assert codes == [code]

    async def test_a_close_frame_without_a_code_is_1005(self, serve: Serve, client: Client) -> None:
        connection, _ = await client.connect(serve(says(frame(CLOSE))).port)
        ending = await ended(connection)
        assert (ending.initiator, ending.code) == (Initiator.REMOTE, 1005)

    async def test_messages_before_a_close_frame_in_the_same_segment_are_told(
        self, serve: Serve, client: Client
    ) -> None:
        connection, received = await client.connect(
            serve(says(frame(TEXT, b"last") + close_frame(1000) + frame(TEXT, b"after"))).port
        )
        await ended(connection)
        assert received.messages == [(b"last", True)]

    async def test_a_close_frame_with_the_101_ends_it_at_once(
        self, serve: Serve, client: Client
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade(then=frame(TEXT, b"hello") + close_frame(3000))
            peer.wait_end()

        connection, received = await client.connect(serve(script).port)
        assert (await ended(connection)).code == 3000
        assert received.messages == [(b"hello", True)]

    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    async def test_an_end_of_the_stream_without_a_close_frame_is_the_network_s(
        self, serve_as: ServeAs, client: Client, secure: bool
    ) -> None:
        server = serve_as(secure, lambda peer: peer.upgrade())
        connection, _ = await client.connect(server.port, secure=secure)
        assert await ended(connection) == Ending(
            Initiator.NETWORK, 1006, "the stream ended without a close frame"
        )

    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    async def test_a_reset_is_the_network_s(
        self, serve_as: ServeAs, client: Client, secure: bool
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade()
            assert peer.read_frame() == (TEXT, b"go")
            peer.reset()

        server = serve_as(secure, script)
        connection, _ = await client.connect(server.port, secure=secure)
        connection.send(Frame(b"go"))
        assert await ended(connection) == Ending(
            Initiator.NETWORK,
            1006,
            "the stream broke without a close frame (ConnectionResetError)",
        )

    async def test_a_close_frame_counts_though_a_reset_follows_it(
        self, serve: Serve, client: Client
    ) -> None:
        def script(peer: Peer) -> None:
            peer.upgrade()
            peer.send(close_frame(1011))
            peer.read_close()
            peer.reset()

        connection, _ = await client.connect(serve(script).port)
        assert (await ended(connection)).code == 1011
        await connection.tear_down()
        assert connection.ending().code == 1011

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"\x81\x85\x00\x00\x00\x00hello", 1002),
            (frame(0x3, b"reserved"), 1002),
            (frame(TEXT, b"x", rsv=0x40), 1002),
            (frame(CONT, b"of nothing"), 1002),
            (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
            (frame(PING, b"p", fin=False), 1002),
            (frame(PING, b"p" * 126), 1002),
            (frame(CLOSE, b"\x03"), 1002),
            (close_frame(999), 1002),
            (close_frame(1000, b"\xff\xfe"), 1007),
            (frame(TEXT, b"x" * 2000), 1009),
            (frame(TEXT, b"x" * 900, fin=False) + frame(CONT, b"x" * 900), 1009),
            (b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 1009),
            (b"HTTP/1.1 200 OK\r\n" * 10, 1002),
        ],
        ids=[
            "masked",
            "reserved opcode",
            "reserved bit",
            "continuation of nothing",
            "message within a message",
            "fragmented ping",
            "long ping",
            "half a code",
            "code out of range",
            "reason that is no UTF-8",
            "too long",
            "too long together",
            "absurdly long",
            "HTTP",
        ],
    )
    async def test_a_peer_that_breaks_the_protocol_is_told_so_and_left(
        self, serve: Serve, client: Client, data: bytes, code: int
    ) -> None:
        codes: list[int] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            peer.send(frame(TEXT, b"good") + data)
            codes.append(peer.read_close())

        connection, received = await client.connect(serve(script).port, max_message_size=1000)
        assert await ended(connection) == Ending(
            Initiator.LOCAL, code, "the peer broke the protocol"
        )
        await connection.tear_down()
        assert codes == [code]
        assert received.messages == [(b"good", True)]

    async def test_a_message_that_grows_too_long_when_unpacked_is_too_long(
        self, serve: Serve, client: Client
    ) -> None:
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(b"x" * 10_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
        server = serve(
            says(
                frame(TEXT, packed[:-4], rsv=0x40),
                headers=("Sec-WebSocket-Extensions: permessage-deflate",),
            )
        )
        connection, received = await client.connect(server.port, deflate=True)
        ending = await ended(connection)
        assert (ending.initiator, ending.code) == (Initiator.LOCAL, 1009)
        assert received.messages == []


class TestLeaving:
    """How we end it, and that we always get away."""

    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    async def test_a_farewell_says_its_code_and_waits_for_the_answer(
        self, serve_as: ServeAs, client: Client, secure: bool
    ) -> None:
        codes: list[int] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            codes.append(peer.read_close())
            peer.send(close_frame(1001))

        server = serve_as(secure, script)
        connection, _ = await client.connect(server.port, secure=secure)
        connection.begin_close(1001)
        assert not connection.usable
        await connection.tear_down()
        assert codes == [1001]
        assert connection.ending() == Ending(Initiator.LOCAL, 1001, "")

    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    @pytest.mark.parametrize("first", [close_frame(1000), b""], ids=["it closed", "we close"])
    async def test_a_peer_that_never_lets_go_is_let_go(
        self,
        serve_as: ServeAs,
        client: Client,
        secure: bool,
        first: bytes,
    ) -> None:
        server = serve_as(secure, says(first or frame(TEXT, b"x")))
        connection, _ = await client.connect(server.port, secure=secure, close_timeout=SHORT)
        if first:
            await ended(connection)
        else:
            connection.begin_close(1000)
        began = time.monotonic()
        await connection.tear_down()
        assert time.monotonic() - began >= SHORT * 0.9
        # The script ends when it sees our side gone, or fails the test.

    async def test_a_dead_path_is_dropped_without_a_farewell(
        self, serve: Serve, client: Client
    ) -> None:
        frames: list[bytes] = []

        def script(peer: Peer) -> None:
            peer.upgrade()
            frames.append(peer.sock.recv(100))

        server = serve(script)
        connection, _ = await client.connect(server.port)
        connection.give_up("too many misses")
        await connection.tear_down()
        await server.done()
        assert connection.ending() == Ending(Initiator.LOCAL, 1006, "too many misses")
        assert frames == [b""]

    async def test_the_first_reason_to_leave_stays_the_reason(
        self, serve: Serve, client: Client
    ) -> None:
        connection, _ = await client.connect(serve(says()).port)
        connection.give_up("first")
        connection.give_up("second")
        connection.begin_close(1000)
        assert connection.ending().detail == "first"
        await connection.tear_down()

    async def test_a_peer_that_closed_first_closed_first(
        self, serve: Serve, client: Client
    ) -> None:
        connection, _ = await client.connect(serve(says(close_frame(1012))).port)
        await ended(connection)
        connection.begin_close(1001)
        connection.give_up("too late to have an opinion")
        assert connection.ending().code == 1012

    async def test_tearing_down_again_is_harmless(self, serve: Serve, client: Client) -> None:
        connection, _ = await client.connect(serve(says()).port)
        connection.give_up("over")
        await connection.tear_down()
        await connection.tear_down()

    async def test_a_cancelled_farewell_still_leaves_nothing_open(
        self, serve: Serve, client: Client
    ) -> None:
        connection, _ = await client.connect(serve(says()).port)
        connection.begin_close(1001)
        task = asyncio.create_task(connection.tear_down())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert connection.transport.is_closing()


def test_a_server_s_frames_are_what_they_should_be() -> None:
    """The tests' own encoder, for lengths of each kind."""
    assert frame(TEXT, b"x") == b"\x81\x01x"
    assert frame(TEXT, b"x" * 126)[:4] == b"\x81\x7e" + struct.pack("!H", 126)
    assert frame(TEXT, b"x" * 65536)[:10] == b"\x81\x7f" + struct.pack("!Q", 65536)
