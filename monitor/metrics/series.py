"""All values of one probe: a sink for its events, and the lines that expose them.

A beat costs a look-up and a few additions here. Prefixes are built once, when the probe appears,
and thrown away with it. What others count anyway (traffic, downtime) is read at the scrape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from monitor.core.availability import Availability
from monitor.core.close_codes import close_code_label
from monitor.core.events import (
    Aborted,
    Crashed,
    DialFailed,
    Dialing,
    Disconnected,
    Echoed,
    Event,
    Indistinct,
    Initiator,
    Late,
    Missed,
    Mode,
    Notice,
    Opened,
    PathMeasured,
    Postponed,
    Ready,
    Renewed,
    Sent,
    Skipped,
    SkipReason,
    Stopped,
    Unsolicited,
    UpChanged,
    Waiting,
)
from monitor.core.failures import FailureReason, Phase
from monitor.core.traffic import Traffic
from monitor.metrics import families
from monitor.metrics.cells import Cell, Histogram, Reading
from monitor.metrics.lines import Child, Snapshot, gather, make_base, snapshot

LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")

EXPECTED_DISCONNECTS = (
    (Initiator.LOCAL, "1000"),
    (Initiator.LOCAL, "1006"),
    (Initiator.REMOTE, "1000"),
    (Initiator.REMOTE, "1001"),
    (Initiator.REMOTE, "1005"),
    (Initiator.REMOTE, "1008"),
    (Initiator.REMOTE, "1011"),
    (Initiator.REMOTE, "3000"),
    (Initiator.NETWORK, "1006"),
)
"""The ends that a probe shows at 0 from the first scrape on.

A series born at 1 hides its first event from `increase()`, and three initiators times every code
would be half of a probe's series. So the ends that are likely are there from the start: our own,
orderly (1000) or abrupt (1006); a peer that closes (1000, 1005: without a code), goes away (1001),
refuses by policy (1008), fails (1011) or rejects a ticket (3000); a connection that breaks (1006).
Our own 1001 comes with the end of the process, when nobody scrapes any more. Any other appears
when it is seen, and the count of `ws_probe_connection_lifetime_seconds` has them all.
"""


@dataclass(frozen=True, slots=True)
class BeatFacts:
    """What the config says about the heartbeats of one mode, in seconds."""

    interval: float
    timeout: float


@dataclass(frozen=True, slots=True)
class ProbeIdentity:
    """What a probe is called and what does not change while it lives.

    `labels` are those that the config gives the probe. `endpoint` is scheme, host and port alone.
    """

    name: str
    labels: Mapping[str, str]
    protocol: str
    endpoint: str
    modes: Mapping[Mode, BeatFacts]


@dataclass(frozen=True, slots=True)
class Detail:
    """How finely all probes are shown.

    `rtt_buckets` are the upper bounds of the RTT histogram, in seconds; `close_codes` those that
    the config lists, to be shown as numbers; `shown` the families to expose.
    """

    rtt_buckets: Sequence[float] = families.RTT.buckets
    close_codes: Collection[int] = ()
    shown: Sequence[families.Family] = families.PROBE_FAMILIES


FULL = Detail()


class _Beats:
    """The heartbeats of one mode."""

    __slots__ = (
        "aborted",
        "consecutive_missed",
        "echoed",
        "facts",
        "in_flight",
        "last_echo",
        "last_echo_at",
        "late",
        "missed",
        "rtt",
        "sent",
        "skipped",
        "unsolicited",
    )

    def __init__(self, facts: BeatFacts, rtt_buckets: Sequence[float]) -> None:
        self.facts = facts
        self.sent = Cell()
        self.echoed = Cell()
        self.missed = Cell()
        self.aborted = Cell()
        self.late = Cell()
        self.unsolicited = Cell()
        self.skipped = {reason: Cell() for reason in SkipReason}
        self.in_flight = Cell()
        self.consecutive_missed = Cell()
        self.last_echo = Reading()
        self.last_echo_at: float | None = None
        self.rtt = Histogram(rtt_buckets)

    def children(self, mode: Mode) -> Iterator[Child]:
        yield families.SENT, (mode,), self.sent
        yield families.ECHOED, (mode,), self.echoed
        yield families.MISSED, (mode,), self.missed
        yield families.ABORTED, (mode,), self.aborted
        yield families.LATE, (mode,), self.late
        yield families.UNSOLICITED, (mode,), self.unsolicited
        for reason, cell in self.skipped.items():
            yield families.SKIPPED, (mode, reason), cell
        yield families.IN_FLIGHT, (mode,), self.in_flight
        yield families.CONSECUTIVE_MISSED, (mode,), self.consecutive_missed
        yield families.LAST_ECHO, (mode,), self.last_echo
        yield families.RTT, (mode,), self.rtt
        yield families.HEARTBEAT_INTERVAL, (mode,), Cell(self.facts.interval)
        yield families.HEARTBEAT_TIMEOUT, (mode,), Cell(self.facts.timeout)

    def heard(self, at: float, rtt: float | None) -> None:
        self.last_echo_at = at
        if rtt is not None:
            self.rtt.observe(rtt)


class _Life:
    """The connections of one probe."""

    __slots__ = (
        "attempts",
        "certificate_not_after",
        "connect_duration",
        "connected",
        "connection_start",
        "disconnects",
        "downtime",
        "failures",
        "lifetime",
        "messages",
        "opened_at",
        "phases",
        "received_bytes",
        "server_pings",
        "tcp_retransmits",
        "tcp_rtt",
        "up",
    )

    def __init__(self) -> None:
        self.up = Cell()
        self.connected = Cell()
        self.attempts = Cell()
        self.failures = {reason: Cell() for reason in FailureReason}
        self.connect_duration = Histogram(families.CONNECT_DURATION.buckets)
        self.phases = {phase: Cell() for phase in Phase}
        self.connection_start = Reading()
        self.opened_at: float | None = None
        self.lifetime = Histogram(families.CONNECTION_LIFETIME.buckets)
        self.disconnects = {end: Cell() for end in EXPECTED_DISCONNECTS}
        self.downtime = Cell()
        self.messages = Cell()
        self.received_bytes = Cell()
        self.server_pings = Cell()
        self.tcp_rtt = Reading()
        self.tcp_retransmits = Cell()
        self.certificate_not_after = Reading()

    def children(self) -> Iterator[Child]:
        yield families.UP, (), self.up
        yield families.CONNECTED, (), self.connected
        yield families.CONNECT_ATTEMPTS, (), self.attempts
        for reason, cell in self.failures.items():
            yield families.CONNECT_FAILURES, (reason,), cell
        yield families.CONNECT_DURATION, (), self.connect_duration
        for phase, cell in self.phases.items():
            yield families.CONNECT_PHASE_DURATION, (phase,), cell
        yield families.CONNECTION_START, (), self.connection_start
        yield families.CONNECTION_LIFETIME, (), self.lifetime
        for end, cell in self.disconnects.items():
            yield families.DISCONNECTS, end, cell
        yield families.DOWNTIME, (), self.downtime
        yield families.MESSAGES_RECEIVED, (), self.messages
        yield families.RECEIVED_BYTES, (), self.received_bytes
        yield families.SERVER_PINGS, (), self.server_pings
        yield families.TCP_RTT, (), self.tcp_rtt
        yield families.TCP_RETRANSMITS, (), self.tcp_retransmits
        yield families.CERTIFICATE_NOT_AFTER, (), self.certificate_not_after

    def took(self, phases: Mapping[Phase, float]) -> None:
        for phase, cell in self.phases.items():
            cell.value = phases.get(phase, 0)

    def saw_certificate(self, not_after: float | None) -> None:
        if not_after is not None:
            self.certificate_not_after.value = not_after

    def closed(self) -> None:
        self.connected.value = 0
        self.opened_at = None
        self.tcp_rtt.value = None


class ProbeSeries:
    """The values of one probe. Called with an event, it takes it in.

    Args:
        identity: what does not change while the probe lives.
        traffic: read at every scrape.
        availability: read at every scrape.
        detail: how finely it is shown.

    Raises:
        ValueError: a label from the config has no valid name or one that is ours.
    """

    def __init__(
        self,
        identity: ProbeIdentity,
        traffic: Traffic,
        availability: Availability,
        detail: Detail = FULL,
    ) -> None:
        self._traffic = traffic
        self._availability = availability
        self._detail = detail
        self._life = _Life()
        self._beats: dict[Mode, _Beats] = {}
        self._connection = ("", "", "")
        self.become(identity)

    def become(self, identity: ProbeIdentity) -> None:
        """Be shown under another identity: every value goes on, under the new labels.

        A mode that is new begins at 0, one that is gone takes its values with it.

        Raises:
            ValueError: a label from the config has no valid name or one that is ours.
        """
        for label in identity.labels:
            if label in families.RESERVED_LABELS or not LABEL_NAME.fullmatch(label):
                raise ValueError(f"probe {identity.name}: {label!r} cannot be a label")
        self._identity = identity
        self._beats = {mode: self._beats_of(mode, facts) for mode, facts in identity.modes.items()}
        self._base = make_base({**identity.labels, "probe": identity.name})
        self.lines = gather(self._detail.shown, self._children(), self._base)
        self._describe()

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        self._TAKE[type(event)](self, event)

    def refresh(self, now: float, epoch: float) -> None:
        """Read what is only read at a scrape.

        Args:
            now: monotonic seconds.
            epoch: the Unix time at which the monotonic clock was at 0.
        """
        life = self._life
        life.downtime.value = self._availability.downtime(now)
        life.messages.value = self._traffic.messages
        life.received_bytes.value = self._traffic.received_bytes
        life.server_pings.value = self._traffic.server_pings
        life.connection_start.value = _unix(life.opened_at, epoch)
        for beats in self._beats.values():
            beats.last_echo.value = _unix(beats.last_echo_at, epoch)

    def snapshot(self) -> Snapshot:
        """Return the numbers of this instant."""
        return snapshot(self.lines.values(), self._base)

    def _children(self) -> Iterator[Child]:
        yield from self._life.children()
        for mode, beats in self._beats.items():
            yield from beats.children(mode)

    def _beats_of(self, mode: Mode, facts: BeatFacts) -> _Beats:
        beats = self._beats.get(mode)
        if beats is None:
            return _Beats(facts, self._detail.rtt_buckets)
        beats.facts = facts
        return beats

    def _describe(self) -> None:
        identity = self._identity
        info = self.lines[families.INFO]
        info.clear()
        info.add((identity.protocol, identity.endpoint, *self._connection), Cell(1))

    def _ignore(self, event: Event) -> None:
        """Take in an event that no family shows."""

    def _sent(self, event: Sent) -> None:
        beats = self._beats[event.mode]
        beats.sent.value += 1
        beats.in_flight.value += 1

    def _skipped(self, event: Skipped) -> None:
        self._beats[event.mode].skipped[event.reason].value += event.count

    def _echoed(self, event: Echoed) -> None:
        beats = self._beats[event.mode]
        beats.echoed.value += 1
        beats.in_flight.value -= 1
        beats.consecutive_missed.value = 0
        beats.heard(event.at, event.rtt)

    def _missed(self, event: Missed) -> None:
        beats = self._beats[event.mode]
        beats.missed.value += 1
        beats.in_flight.value -= 1
        beats.consecutive_missed.value = event.consecutive

    def _aborted(self, event: Aborted) -> None:
        beats = self._beats[event.mode]
        beats.aborted.value += event.count
        beats.in_flight.value -= event.count

    def _late(self, event: Late) -> None:
        beats = self._beats[event.mode]
        beats.late.value += 1
        beats.heard(event.at, event.rtt)

    def _unsolicited(self, event: Unsolicited) -> None:
        self._beats[event.mode].unsolicited.value += 1

    def _dialing(self, event: Dialing) -> None:  # noqa: ARG002 - that it happened is all there is
        self._life.attempts.value += 1

    def _dial_failed(self, event: DialFailed) -> None:
        self._life.failures[event.reason].value += 1
        self._life.took(event.phases)
        self._life.saw_certificate(event.certificate_not_after)

    def _opened(self, event: Opened) -> None:
        self._life.connected.value = 1
        self._life.opened_at = event.at
        self._life.saw_certificate(event.certificate_not_after)
        self._connection = (event.address, event.tls_version, event.timestamping)
        self._describe()

    def _ready(self, event: Ready | Renewed) -> None:
        self._life.connect_duration.observe(event.duration)
        self._life.took(event.phases)
        for mode, row in event.rows.items():
            self._beats[mode].consecutive_missed.value = row

    def _disconnected(self, event: Disconnected) -> None:
        if not event.spare:
            self._life.closed()
        self._life.lifetime.observe(event.lifetime)
        end = (event.initiator, close_code_label(event.code, self._detail.close_codes))
        cell = self._life.disconnects.get(end)
        if cell is None:
            cell = self._life.disconnects[end] = Cell()
            if families.DISCONNECTS in self.lines:
                self.lines[families.DISCONNECTS].add(end, cell)
        cell.value += 1

    def _up_changed(self, event: UpChanged) -> None:
        self._life.up.value = int(event.up)

    def _path_measured(self, event: PathMeasured) -> None:
        self._life.tcp_retransmits.value += event.retransmits
        if self._life.connected.value:
            self._life.tcp_rtt.value = event.rtt

    def _stopped(self, event: Stopped) -> None:  # noqa: ARG002 - that it happened is all there is
        self._life.up.value = 0
        self._life.closed()

    _TAKE: ClassVar[Mapping[type[Any], Callable[[Any, Any], None]]] = {
        Sent: _sent,
        Skipped: _skipped,
        Echoed: _echoed,
        Missed: _missed,
        Aborted: _aborted,
        Late: _late,
        Unsolicited: _unsolicited,
        Indistinct: _ignore,
        Dialing: _dialing,
        DialFailed: _dial_failed,
        Opened: _opened,
        Ready: _ready,
        Renewed: _ready,
        Postponed: _ignore,
        Disconnected: _disconnected,
        Waiting: _ignore,
        UpChanged: _up_changed,
        Notice: _ignore,
        PathMeasured: _path_measured,
        Crashed: _ignore,
        Stopped: _stopped,
    }


def _unix(at: float | None, epoch: float) -> float | None:
    """Return Unix time to the millisecond; two clocks do not agree to more."""
    return None if at is None else round(epoch + at, 3)
