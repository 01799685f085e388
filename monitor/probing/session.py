"""One connection of a probe: the dialect's conversation on it, and how it ends.

A probe has one that it beats on. During a renewal it has two: the next one is being made, or the
former one settles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from monitor.config import ProbeConfig
from monitor.core.events import (
    AbortReason,
    Disconnected,
    Initiator,
    Notice,
    Opened,
    PathMeasured,
)
from monitor.core.failures import FailureReason, Phase
from monitor.dialects.dialect import Dialect, Echo, Meaning, Remark, Usable
from monitor.net.connection import Arrival, Ending
from monitor.net.deadlines import deadline
from monitor.net.dial import Dialled
from monitor.net.dial_errors import DialError, timed_out

POLICY_VIOLATION = 1008


class Hearer(Protocol):
    """Who accounts for the echoes of one connection."""

    def echo(self, key: int | None, arrival: Arrival) -> None:
        """Account for the echo of a message heartbeat."""
        ...

    def pong(self, payload: bytes, arrival: Arrival) -> None:
        """Account for a pong."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is connected to, how it speaks, and when that began, in monotonic seconds."""

    config: ProbeConfig
    dialect: Dialect
    began: float


class Session:
    """One open connection.

    Args:
        attempt: what was tried.
        dialled: what came of it.
        notice: is told what the peer remarks.
        broke: is told of a bug in our code that something received has met.

    Attributes:
        announcement: the event that tells of it, until it was told.
        hearer: who is told of echoes; nobody while there can be none.
        ready_at: when beats began to go out on it.
    """

    def __init__(
        self,
        attempt: Attempt,
        dialled: Dialled,
        *,
        notice: Callable[[Notice], None],
        broke: Callable[[Exception], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.attempt = attempt
        self.connection = dialled.connection
        self.phases = dialled.phases
        self.opened_at = self.ready_at = self._loop.time()
        self.announcement: Opened | None = _announcement(dialled, self.opened_at)
        self.hearer: Hearer | None = None
        self.abort_reason: AbortReason | None = None
        self._notice = notice
        self._broke = broke
        self._retransmits = 0
        self._usable: asyncio.Future[None] = self._loop.create_future()

    async def open(self) -> None:
        """Have the dialect's opening conversation.

        Raises:
            DialError: the connection did not become usable.
        """
        self.connection.deliver_to(self)
        for frame in self.attempt.dialect.opening():
            self.connection.send(frame)
        if not self.attempt.dialect.usable_at_once:
            await self._until_usable()
        self.phases[Phase.READY] = self._loop.time() - self.opened_at

    def message(self, data: bytes, *, text: bool, arrival: Arrival) -> None:
        """Take a message of the peer."""
        try:
            meaning = self.attempt.dialect.read(data, text=text)
            if type(meaning) is not Echo:
                self._take(meaning, arrival)
            elif self.hearer is not None:
                self.hearer.echo(meaning.key, arrival)
        except Exception as error:  # noqa: BLE001 - a bug here must cost this probe alone
            self._broke(error)

    def pong(self, payload: bytes, arrival: Arrival) -> None:
        """Take a pong of the peer."""
        try:
            if self.hearer is not None:
                self.hearer.pong(payload, arrival)
        except Exception as error:  # noqa: BLE001 - a bug here must cost this probe alone
            self._broke(error)

    def flooded(self) -> None:
        """End a connection that brings more than it may: it would cost the other probes."""
        self.close(AbortReason.FLOODED, POLICY_VIOLATION, "too many messages in a second")

    def give_up(self, reason: AbortReason, detail: str) -> None:
        """Drop a dead path at once."""
        if self.connection.usable:
            self.abort_reason = reason
            self.connection.give_up(detail)

    def close(self, reason: AbortReason, code: int, detail: str = "") -> None:
        """End a live path with a closing handshake."""
        if self.connection.usable:
            self.abort_reason = reason
            self.connection.begin_close(code, detail)

    def measure_path(self) -> PathMeasured | None:
        """Return the kernel's view of the path, if there is one."""
        info = self.connection.tcp_info()
        if info is None:
            return None
        new = max(info.retransmits - self._retransmits, 0)
        self._retransmits = info.retransmits
        return PathMeasured(self._loop.time(), info.rtt, new)

    def ended_too_soon(self) -> DialError:
        """Say that the connection ended before there was any use for it."""
        ending = self.connection.ending()
        detail = f"closed with {ending.code} before it was usable"
        error = DialError(
            FailureReason.NOT_READY,
            Phase.READY,
            self._with_meaning(detail, ending),
            close_code=ending.code,
        )
        error.phases = self.phases
        return error

    def farewell(self, *, was_ready: bool, planned: bool, spare: bool) -> Disconnected:
        """Return the event that tells of the end; the connection is of no use any more."""
        now = self._loop.time()
        ending = self.connection.ending()
        return Disconnected(
            now,
            ending.initiator,
            ending.code,
            now - self.opened_at,
            was_ready,
            self._with_meaning(ending.detail, ending),
            self.abort_reason,
            planned=planned,
            spare=spare,
        )

    def _take(self, meaning: Meaning, arrival: Arrival) -> None:
        if isinstance(meaning, Usable):
            if not self._usable.done():
                self._usable.set_result(None)
        elif isinstance(meaning, Remark):
            at, _ = arrival
            self._notice(Notice(at, meaning.name))

    async def _until_usable(self) -> None:
        seconds = self.attempt.config.timeouts.ready
        try:
            async with deadline(seconds):
                await asyncio.wait(
                    (self._usable, self.connection.ended), return_when=asyncio.FIRST_COMPLETED
                )
        except TimeoutError:
            self.give_up(AbortReason.NOT_READY, "not ready in time")
            error = timed_out(Phase.READY, seconds)
            error.phases = self.phases
            raise error from None
        if not self._usable.done():
            raise self.ended_too_soon()

    def _with_meaning(self, detail: str, ending: Ending) -> str:
        """Add what the dialect says of a peer's close code; ours mean what we say they mean."""
        theirs = ending.initiator is Initiator.REMOTE
        meaning = self.attempt.dialect.closed(ending.code) if theirs else ending.detail
        return f"{detail}: {meaning}" if meaning and meaning != detail else detail


def _announcement(dialled: Dialled, at: float) -> Opened:
    return Opened(
        at,
        dialled.address,
        dialled.tls_version,
        dialled.connection.timestamping,
        dialled.subprotocol,
        dialled.certificate_not_after,
    )
