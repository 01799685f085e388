"""One open WebSocket connection: frames go out stamped, messages come in with their arrival times.

Frames are handled where they are parsed, in the connection itself: there is no reader task and no
queue, so the peer is always drained and an arrival costs no loop turn. Nothing here retries,
schedules or judges.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.messages import Assembler
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN, SEND_EOF, Event

from monitor.core.events import Initiator
from monitor.core.flood import Flood
from monitor.core.traffic import Traffic
from monitor.dialects.dialect import Frame
from monitor.net import frames
from monitor.net.frames import Piece
from monitor.net.loop_watch import LoopWatch
from monitor.net.stamped_socket import StampedSocket
from monitor.net.tcp_info import TcpInfo, tcp_info

ABNORMAL_CLOSURE = 1006
"""The code of an end without a close frame (RFC 6455 section 7.1.5)."""

WRITE_LIMIT = 32768
"""Bytes that a peer may leave unread, beyond the kernel's buffers, when more is to be sent."""

READS_NOTHING = "the peer reads nothing"
"""Why a peer is given up that still has not read what came before: it would answer the backlog.

One message may be longer than all buffers; only the next one must not wait behind it.
"""

BULK = 8192
"""Bytes read at once, after we had not looked, from which the kernel may have had no room left."""

CATCH_UP = 0.25
"""Seconds, and two round trips of the path, in which a peer sends what there was no room for."""


Arrival = tuple[float, float]
"""When bytes reached the kernel: at the first time, or at some time since the second."""


class _NoQueue(Assembler):
    """Stands in for a queue of messages where they are handled as they come."""

    def __init__(self) -> None:
        pass

    def close(self) -> None:
        pass


NO_QUEUE = _NoQueue()


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a peer.

    `close_timeout` is how many seconds the closing handshake may take, `message_rate` how many
    messages may come in a second.
    """

    close_timeout: float
    message_rate: float


class Receiver(Protocol):
    """Who is told what arrives, at once and in order. Must not raise."""

    def message(self, data: bytes, *, text: bool, arrival: Arrival) -> None:
        """A whole data message."""
        ...

    def pong(self, payload: bytes, arrival: Arrival) -> None:
        """A pong control frame."""
        ...

    def flooded(self) -> None:
        """More messages came than the limit allows. Nothing that comes later is looked at."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended: by whom, with which close code (1006: no close frame at all)."""

    initiator: Initiator
    code: int
    detail: str


class Connection(ClientConnection):
    """A client connection made for measuring.

    Attributes:
        protocol: the library's, which parses what is not small and plain.
        ended: completes when the connection is of no more use: a close frame came, the transport
            is gone, or we gave it up.
    """

    # With more attributes than thirty, each instance would have a dictionary of its own.
    __slots__ = (
        "_blind_since",
        "_blind_until",
        "_catching_up_until",
        "_flood",
        "_flooded",
        "_fragments",
        "_fragments_text",
        "_given_up",
        "_held",
        "_left_over",
        "_pieces",
        "_receiver",
        "_traffic",
        "_watch",
        "ended",
        "sock",
    )

    protocol: frames.Protocol

    def __init__(
        self,
        protocol: frames.Protocol,
        *,
        sock: StampedSocket,
        watch: LoopWatch,
        traffic: Traffic,
        limits: Limits,
    ) -> None:
        super().__init__(
            protocol,
            ping_interval=None,
            ping_timeout=None,
            close_timeout=limits.close_timeout,
            max_queue=None,
            write_limit=WRITE_LIMIT,
        )
        # Nobody waits here to send: a peer that does not read is given up.
        self.drain_waiters = ()  # type: ignore[assignment] # never added to
        self.sock = sock
        sock.on_read = self._note_blindness
        self.ended: asyncio.Future[None] = self.loop.create_future()
        self._watch = watch
        self._traffic = traffic
        self._flood = Flood(limits.message_rate)
        self._flooded = False
        self._receiver: Receiver | None = None
        self._held: list[tuple[Piece, Arrival]] = []
        self._pieces: list[Piece] = []
        self._fragments: list[bytes] = []
        self._fragments_text = True
        self._given_up: Ending | None = None
        self._blind_since: float | None = None
        self._blind_until = -math.inf
        self._left_over = False
        self._catching_up_until = -math.inf

    @property
    def timestamping(self) -> str:
        """Who says when bytes left and arrived: `kernel` or `loop`."""
        return "kernel" if self.sock.kernel_stamps else "loop"

    @property
    def usable(self) -> bool:
        """Whether frames can still be exchanged."""
        return not self.ended.done()

    def deliver_to(self, receiver: Receiver) -> None:
        """Hand over what arrives from now on, and what came in with the upgrade's answer."""
        self._receiver = receiver
        held, self._held = self._held, []
        for piece, arrival in held:
            self._deliver(piece, arrival)
        self._tell_flood()

    def send(self, frame: Frame, copies: int = 1) -> float | None:  # type: ignore[override] # synchronous on purpose: the caller needs the stamp
        """Send a message `copies` times, back to back in one system call.

        Returns when the message left, or when the call began if there are several or if they are
        held up; None if the connection can send no more.
        """
        return self._send(frames.TEXT if frame.text else frames.BINARY, frame.data, copies)

    def ping(self, payload: bytes) -> float | None:  # type: ignore[override] # see `send`
        """Send one ping control frame; as `send`."""
        return self._send(frames.PING, payload, 1)

    def forget_handshake(self) -> None:
        """Let go of the headers: nobody asks for them again, and they are four kilobytes."""
        if self.response is not None:
            # The library's parser keeps the response for as long as it runs.
            self.response.headers.clear()
        self.request = self.response = None

    def unread_since(self, when: float) -> bool:
        """Whether bytes that arrived before `when`, or should have, still wait to be read."""
        since = self.sock.arrived
        catching_up = self.loop.time() < self._catching_up_until
        if (self._left_over or catching_up) and self._blind_since is not None:
            since = self._blind_since
        return self.usable and since < when and (catching_up or self.sock.has_unread())

    def tcp_info(self) -> TcpInfo | None:
        """The kernel's view of the path."""
        return tcp_info(self.sock)

    def give_up(self, detail: str) -> None:
        """Drop a dead path at once, without a closing handshake nobody would answer."""
        self._end_locally(ABNORMAL_CLOSURE, detail)
        self.transport.abort()

    def begin_close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake; `tear_down` sees it through."""
        if self.protocol.state is OPEN and self.usable:
            self._end_locally(code, reason)
            self.protocol.send_close(code, reason)
            self._flush()

    async def tear_down(self) -> None:
        """See the transport gone, within the close timeout; abort it if need be."""
        try:
            async with asyncio.timeout(self.close_timeout):
                await asyncio.shield(self.connection_lost_waiter)
        except TimeoutError:
            pass
        finally:
            self.transport.abort()

    def ending(self) -> Ending:
        """Say how the connection ended."""
        if self._given_up is not None:
            return self._given_up
        protocol = self.protocol
        if protocol.close_rcvd is not None:
            return Ending(
                Initiator.REMOTE, int(protocol.close_rcvd.code), "the peer sent a close frame"
            )
        if protocol.close_sent is not None:
            # The library fails a connection whose peer breaks RFC 6455.
            return Ending(
                Initiator.LOCAL, int(protocol.close_sent.code), "the peer broke the protocol"
            )
        cause = self.connection_exc
        detail = "the stream ended without a close frame"
        if cause is not None:
            detail = f"the stream broke without a close frame ({type(cause).__name__})"
        return Ending(Initiator.NETWORK, ABNORMAL_CLOSURE, detail)

    # What follows is called by asyncio and by the library.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, and let go of the queue that no message ever goes through."""
        super().connection_made(transport)
        self.recv_messages = NO_QUEUE

    def data_received(self, data: bytes) -> None:
        """Take bytes off the transport."""
        self._traffic.received_bytes += len(data)
        if self._flooded:
            return
        whole = self.protocol.between_messages()
        pieces, parsed = frames.plain_frames(data) if whole else ([], 0)
        if parsed == len(data):
            self._arrived(pieces)
            return
        self._leave_to_library(data[parsed:])
        pieces += self._pieces
        self._pieces.clear()
        if pieces:
            self._arrived(pieces)
        if self.protocol.close_sent is not None or self.protocol.close_rcvd is not None:
            self._end()

    def send_data(self) -> None:
        """Write what the library has to say in one call, be it a thousand pongs."""
        if self.paused:
            self.give_up(READS_NOTHING)
            return
        writes = self.protocol.data_to_send()
        if data := b"".join(writes):
            self.transport.write(data)
        if SEND_EOF not in writes:
            return
        if self.transport.can_write_eof():
            # The peer may be gone already.
            with contextlib.suppress(OSError):
                self.transport.write_eof()
        else:
            self.transport.close()

    def process_event(self, event: Event) -> None:
        """Collect the frames of one read; the library sees only the upgrade's answer."""
        if isinstance(event, Response):
            super().process_event(event)
        elif isinstance(event, WireFrame):
            self._pieces.append(frames.piece_of(event))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the transport is gone."""
        super().connection_lost(exc)
        self._end()

    def _send(self, opcode: int, payload: bytes, copies: int) -> float | None:
        # `usable`, without the call that a property is.
        if self.protocol.state is not OPEN or self.ended.done():
            return None
        if self.paused:
            self.give_up(READS_NOTHING)
            return None
        if len(payload) > frames.SMALL or self.protocol.extensions:
            for _ in range(copies):
                self.protocol.send_frame(WireFrame(Opcode(opcode), payload))
            self._flush()
        elif copies == 1:
            self._write(frames.small_frame(opcode, payload))
        else:
            self._write(b"".join(frames.small_frame(opcode, payload) for _ in range(copies)))
        # The first of several may have been answered before the last one left.
        return self.sock.left_at if copies == 1 else self.sock.sent_at

    def _flush(self) -> None:
        self._write(b"".join(self.protocol.data_to_send()))

    def _write(self, data: bytes) -> None:
        before = self.sock.sent_at
        self.transport.write(data)
        if self.sock.sent_at == before:
            # No system call: the bytes wait behind others that the peer does not read.
            self.sock.sent_at = self.sock.left_at = self.loop.time()

    def _leave_to_library(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.handshake_exc is not None and not self.response_rcvd.done():
            # The library would wait until a peer that makes no sense hangs up.
            self.response_rcvd.set_result(None)

    def _note_blindness(self, size: int) -> None:
        """Work out since when what was read may have arrived, where that is not known.

        Read by read, not message by message: a read may hold no whole record of TLS.
        """
        sock = self.sock
        since = self._watch.unseen_since(sock.read_at)
        in_doubt = self._left_over or sock.read_at < self._catching_up_until
        if since is not None:
            if in_doubt and self._blind_since is not None:
                # We were held again, over a backlog that has waited for longer than that.
                since = min(since, self._blind_since)
            self._blind_since, self._blind_until = since, sock.read_at
        elif not in_doubt:
            self._blind_since = None
        if self._blind_since is not None and size >= BULK:
            self._catching_up_until = sock.read_at + CATCH_UP + 2 * self._path_rtt()
        # One read does not take a large backlog, and the rest of it is no better known.
        self._left_over = sock.filled and sock.arrived <= self._blind_until and sock.has_unread()

    def _arrived(self, pieces: list[Piece]) -> None:
        """Deliver the frames of one read. Only the last one may be known to end its last bytes.

        What a peer could not send because we had left no room has no arrival of its own making.
        """
        at = self.sock.arrived
        earliest = earliest_of_last = at
        if self._blind_since is not None:
            earliest = min(self._blind_since, at)
            if not self._last_is_known():
                earliest_of_last = earliest
        self._flooded = self._flood.take(len(pieces), earliest, at)
        last = pieces.pop()
        for piece in pieces:
            self._deliver(piece, (at, earliest))
        self._deliver(last, (at, earliest_of_last))
        if self._flooded:
            self._tell_flood()

    def _path_rtt(self) -> float:
        info = self.tcp_info()
        return 0.0 if info is None else info.rtt

    def _last_is_known(self) -> bool:
        """Whether the kernel's stamp is that of the last frame: nothing came after it.

        The kernel stamps the latest bytes of all.
        """
        sock = self.sock
        return (
            sock.stamped
            and sock.arrived <= self._blind_until
            and not (sock.filled or self.protocol.reader.buffer or _undeciphered(self.transport))
        )

    def _tell_flood(self) -> None:
        if self._flooded and self._receiver is not None:
            self._receiver.flooded()

    def _deliver(self, piece: Piece, arrival: Arrival) -> None:
        opcode, data, fin = piece
        receiver = self._receiver
        if receiver is None:
            self._held.append((piece, arrival))
        elif fin and opcode in frames.MESSAGES:
            self._traffic.messages += 1
            receiver.message(data, text=opcode == frames.TEXT, arrival=arrival)
        elif opcode == frames.PONG:
            receiver.pong(data, arrival)
        elif opcode == frames.PING:
            self._traffic.server_pings += 1
        elif opcode != frames.CLOSE:
            self._join(piece, arrival, receiver)

    def _join(self, piece: Piece, arrival: Arrival, receiver: Receiver) -> None:
        """Take a part of a message, and deliver that when it is whole."""
        opcode, data, fin = piece
        if opcode != frames.CONTINUATION:
            self._fragments_text = opcode == frames.TEXT
        self._fragments.append(data)
        if fin:
            whole = b"".join(self._fragments)
            self._fragments.clear()
            self._traffic.messages += 1
            receiver.message(whole, text=self._fragments_text, arrival=arrival)

    def _end_locally(self, code: int, detail: str) -> None:
        if self.usable:
            self._given_up = Ending(Initiator.LOCAL, code, detail)
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _undeciphered(transport: asyncio.BaseTransport) -> int:
    """How many bytes of a TLS record have come that is not whole yet; asyncio tells nobody."""
    layer = getattr(transport, "_ssl_protocol", None)
    return getattr(getattr(layer, "_incoming", None), "pending", 0)
