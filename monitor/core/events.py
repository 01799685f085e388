"""What the core says happened: the vocabulary between the core and its sinks.

A sink (metrics, log, status page) is a plain callable that takes one event. Times are monotonic
seconds, durations are seconds. No event carries a secret or a full URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from monitor.core.failures import FailureReason, Phase


class Mode(StrEnum):
    """How a heartbeat travels: as an application message or as a ping control frame."""

    MESSAGE = "message"
    PING = "ping"


class SkipReason(StrEnum):
    """Why a due heartbeat was never sent."""

    NOT_CONNECTED = "not_connected"
    OVERRUN = "overrun"
    PAUSED = "paused"
    AMBIGUOUS = "ambiguous"


class Initiator(StrEnum):
    """Who ended a connection: we, the peer, or the network between (no close frame, a reset)."""

    LOCAL = "local"
    REMOTE = "remote"
    NETWORK = "network"


class AbortReason(StrEnum):
    """Why we ended a connection ourselves."""

    MISSED = "missed"
    AMBIGUOUS = "ambiguous"
    FLOODED = "flooded"
    NOT_READY = "not_ready"
    SHUTDOWN = "shutdown"
    REMOVED = "removed"
    RENEWED = "renewed"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Sent:
    """A heartbeat was handed to the kernel; `slip` is how much later than due."""

    mode: Mode
    at: float
    slip: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """`count` due heartbeats were never sent."""

    mode: Mode
    count: int
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Echoed:
    """A heartbeat's echo arrived in time.

    `rtt` is None when the arrival can only be bounded: bytes that reached the kernel while this
    process was stopped share one time stamp with whatever came after them.
    """

    mode: Mode
    at: float
    rtt: float | None


@dataclass(frozen=True, slots=True)
class Missed:
    """No echo came before the deadline while the connection was open.

    `consecutive` counts misses since the last echo, across connections; `on_connection` counts
    only those since this connection opened.
    """

    mode: Mode
    at: float
    consecutive: int
    on_connection: int


@dataclass(frozen=True, slots=True)
class Aborted:
    """`count` heartbeats were in flight when their connection ended."""

    mode: Mode
    at: float
    count: int


@dataclass(frozen=True, slots=True)
class Late:
    """An echo for a heartbeat already missed. The miss stands; the RTT is real all the same."""

    mode: Mode
    at: float
    rtt: float | None


@dataclass(frozen=True, slots=True)
class Unsolicited:
    """An echo that answers nothing."""

    mode: Mode
    at: float


@dataclass(frozen=True, slots=True)
class Indistinct:
    """Echoes without an id can no longer be told apart: only a new connection settles it.

    Told whenever a beat is held back for it.
    """

    mode: Mode
    at: float


HeartbeatEvent = Sent | Skipped | Echoed | Missed | Aborted | Late | Unsolicited | Indistinct


@dataclass(frozen=True, slots=True)
class Dialing:
    """A connect attempt begins."""

    at: float
    attempt: int


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A connect attempt failed in `phase`.

    `detail` is our own sentence, free of secrets and of the peer's text. `phases` holds the
    seconds of each phase that completed.
    """

    at: float
    reason: FailureReason
    phase: Phase
    detail: str
    phases: Mapping[Phase, float] = field(default_factory=dict)
    certificate_not_after: float | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The upgrade succeeded: the transport is open, the dialect is not ready yet."""

    at: float
    address: str
    tls_version: str
    timestamping: str
    subprotocol: str | None = None
    certificate_not_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The dialect says that the connection is usable; `duration` is the whole connect.

    `rows` has the misses in a row that still stand, by mode: an answer from the application may
    have ended them.
    """

    at: float
    duration: float
    phases: Mapping[Phase, float]
    rows: Mapping[Mode, int]


@dataclass(frozen=True, slots=True)
class Disconnected:
    """An open connection ended.

    `code` is the close code as received or sent (1006 when there was no close frame);
    `planned` marks an end that was our own decision and no verdict on the target; `spare` that of a
    connection beside the one in use, so that the probe stays connected.
    """

    at: float
    initiator: Initiator
    code: int
    lifetime: float
    was_ready: bool
    detail: str
    abort_reason: AbortReason | None = None
    planned: bool = False
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Renewed:
    """Beats moved to a new connection that is usable; the old one settles and is closed.

    `cause` says what for. The rest is as in `Ready`.
    """

    at: float
    cause: str
    duration: float
    phases: Mapping[Phase, float]
    rows: Mapping[Mode, int]


@dataclass(frozen=True, slots=True)
class Postponed:
    """A renewal failed and is tried again in `delay` seconds; the old connection stays in use."""

    at: float
    delay: float
    cause: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The next connect attempt begins in `delay` seconds."""

    at: float
    delay: float
    cause: str


@dataclass(frozen=True, slots=True)
class UpChanged:
    """The verdict changed: 1 = ready and fewer than `missed_threshold` consecutive misses."""

    at: float
    up: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Notice:
    """The peer said something worth a log line, reduced to a name from a closed set."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class PathMeasured:
    """The kernel's view of the path (TCP_INFO): smoothed RTT, segments sent again since last."""

    at: float
    rtt: float
    retransmits: int


@dataclass(frozen=True, slots=True)
class Crashed:
    """A bug in our own code ended the probe's task; it is restarted alone."""

    at: float
    error: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The probe was removed or the monitor stops."""

    at: float


LifeEvent = (
    Dialing
    | DialFailed
    | Opened
    | Ready
    | Disconnected
    | Renewed
    | Postponed
    | Waiting
    | UpChanged
    | Notice
    | PathMeasured
    | Crashed
    | Stopped
)

Event = HeartbeatEvent | LifeEvent
