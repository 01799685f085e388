"""One open WebSocket: carries out what `admission` and `conversation` decide.

It writes frames to the transport itself, and never waits for the peer to read them: as in Talo,
nothing that one client does can hold up an echo, a ping or the liveness tick.
It must not read: frames come from `server`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from enum import Enum

from monitor.target import frames
from monitor.target.admission import Admission, Verdict
from monitor.target.backend import Backend
from monitor.target.conversation import Conversation, Echo, Say, Swallow
from monitor.target.envelope import CONNECTED, HEARTBEAT
from monitor.target.faults import CloseFrame
from monitor.target.frames import Opcode
from monitor.target.ratelimit import FixedWindow

_REFUSED = CloseFrame(3000)
_NO_CODE = 1005


class Phase(Enum):
    """The life of a connection. It only moves down this list, and may leave steps out."""

    NEW = "new"  # 101 sent; nothing is answered but control pings
    CONNECTED = "connected"  # v1.connected sent
    CLOSING = "closing"  # our close frame sent; waits for the peer's
    ENDED = "ended"


class Connection:
    """An accepted WebSocket, from the 101 to the end of its transport."""

    __slots__ = (
        "_admission",
        "_backend",
        "_conversation",
        "_held",
        "_loop",
        "_outbox",
        "_phase",
        "_timers",
        "_transport",
    )

    def __init__(self, transport: asyncio.Transport, ticket: str, backend: Backend) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._backend = backend
        self._phase = Phase.NEW
        self._admission: Admission | None = None
        self._conversation = Conversation(
            backend.settings.message_points, FixedWindow(backend.settings.rate_window)
        )
        self._held: deque[str] = deque()
        self._outbox: deque[tuple[float, str]] = deque()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._open(ticket)

    # What the peer sends.

    def receive_message(self, message: str) -> None:
        """Take a text or binary message. Before `v1.connected` nobody listens: it is lost."""
        if self._phase is not Phase.CONNECTED:
            return
        self._backend.counters.heartbeats_received += message == HEARTBEAT
        if self._backend.faults.stall_messages:
            self._held.append(message)
        else:
            self._answer(message)

    def receive_ping(self, payload: bytes) -> None:
        """Take a control ping. The WebSocket library answers it, whatever the application does."""
        self._backend.counters.pings_received += 1
        if not self._backend.faults.mute_pongs:
            self._send(Opcode.PONG, payload)

    def receive_pong(self) -> None:
        """Take a control pong, asked for or not."""
        self._backend.counters.pongs_received += 1
        if self._phase is Phase.CONNECTED:
            self._conversation.sign_of_life()

    def receive_close(self, code: int | None, reason: str) -> None:
        """Take a close frame; None stands for one without a code. Its echo precedes the FIN."""
        self._backend.counters.close_codes_received[_NO_CODE if code is None else code] += 1
        if self._phase in {Phase.NEW, Phase.CONNECTED}:
            self._transport.write(frames.close(code, reason))
        self._leave_for(Phase.ENDED)
        self._transport.close()

    def lost(self) -> None:
        """Take note that the transport has ended."""
        self._leave_for(Phase.ENDED)

    # What the target does of its own accord.

    def resume(self) -> None:
        """Go on with whatever the last faults held up and the present ones do not."""
        if self._backend.faults.freeze:
            return
        if "admit" not in self._timers:
            self._admit()
        while self._held and not self._backend.faults.stall_messages:
            self._answer(self._held.popleft())
        self._flush_outbox()

    def tick(self) -> None:
        """Cut the connection if it gave no sign of life since the last tick, else ping it."""
        if self._phase is not Phase.CONNECTED:
            return
        if self._conversation.tick():
            self._send(Opcode.PING)
        else:
            self.abort()

    def push(self, text: str) -> None:
        """Send a message that answers nothing."""
        if self._phase is Phase.CONNECTED:
            self._send(Opcode.TEXT, text.encode())

    def close(self, frame: CloseFrame) -> None:
        """Start the closing handshake (RFC 6455, section 7.1.2); the peer ends it, or a timer."""
        if self._phase in {Phase.CLOSING, Phase.ENDED}:
            return
        self._leave_for(Phase.CLOSING)
        self._transport.write(frames.close(frame.code, frame.reason))
        self._call_later("close", self._backend.settings.close_timeout, self.abort)

    def abort(self) -> None:
        """End the TCP connection at once: a FIN, no close frame."""
        self._leave_for(Phase.ENDED)
        self._transport.abort()

    def reset(self) -> None:
        """End the TCP connection at once with a RST."""
        linger_on_for_no_time = struct.pack("ii", 1, 0)
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_on_for_no_time)
        self.abort()

    # Inside.

    def _open(self, ticket: str) -> None:
        faults = self._backend.faults
        if faults.accept_then_close is not None:
            self.close(faults.accept_then_close)
        elif not faults.never_connected:
            self._admission = Admission(ticket)
            wait = self._backend.settings.connect_time + faults.connect_delay
            self._call_later("admit", wait, self._admit)

    def _admit(self) -> None:
        self._timers.pop("admit", None)
        backend = self._backend
        if self._phase is not Phase.NEW or self._admission is None or backend.faults.freeze:
            return
        match self._admission.advance(
            self._loop.time(), backend.faults, backend.tickets, backend.credentials
        ):
            case Verdict.ADMITTED:
                self._phase = Phase.CONNECTED
                self._send(Opcode.TEXT, CONNECTED.encode())
            case Verdict.REFUSED:
                self.close(_REFUSED)
            case Verdict.WAITING:
                pass

    def _answer(self, message: str) -> None:
        match self._conversation.receive(message, self._loop.time(), self._backend.faults):
            case Say(text):
                self._send(Opcode.TEXT, text.encode())
            case Echo(text, copies):
                self._schedule_echo(text, copies)
            case Swallow():
                self._backend.counters.heartbeats_swallowed += 1
            case CloseFrame() as frame:
                self.close(frame)

    def _schedule_echo(self, text: str, copies: int) -> None:
        due = self._loop.time() + self._backend.faults.delay
        self._outbox.extend([(due, text)] * copies)
        self._flush_outbox()

    def _flush_outbox(self) -> None:
        """Send what is due, in order; one timer waits for the first echo that is not.

        An echo that was given a shorter delay waits behind the earlier ones.
        """
        if timer := self._timers.pop("echo", None):
            timer.cancel()
        if self._backend.faults.freeze:
            return
        now = self._loop.time()
        while self._outbox and self._outbox[0][0] <= now:
            self._backend.counters.echoes_sent += 1
            self._send(Opcode.TEXT, self._outbox.popleft()[1].encode())
        if self._outbox:
            self._call_later("echo", self._outbox[0][0] - now, self._flush_outbox)

    def _send(self, opcode: Opcode, payload: bytes = b"") -> None:
        if self._phase in {Phase.NEW, Phase.CONNECTED} and not self._transport.is_closing():
            self._transport.write(frames.encode(opcode, payload))

    def _call_later(self, name: str, delay: float, callback: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_later(delay, callback)

    def _leave_for(self, phase: Phase) -> None:
        """Forget all that was still to be sent."""
        self._phase = phase
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._held.clear()
        self._outbox.clear()
