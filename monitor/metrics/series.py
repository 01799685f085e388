"""All values of one probe: a sink for its events, and the numbers that a scrape sees.

A beat costs a few additions in one array here. What others count anyway (traffic, downtime) is
read at the scrape.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
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
    Stopped,
    Unsolicited,
    UpChanged,
    Waiting,
)
from monitor.core.failures import Phase
from monitor.core.traffic import Traffic
from monitor.metrics import families, places
from monitor.metrics.block import Blocks, Other, other
from monitor.metrics.layout import FULL, Detail, layout_of
from monitor.metrics.lines import make_base
from monitor.metrics.places import ABSENT

MICROSECOND = 6
"""The digits after the point that a phase's duration has."""

LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")


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


class ProbeSeries:
    """The values of one probe.

    Args:
        identity: what does not change while the probe lives.
        traffic: read at every scrape.
        availability: read at every scrape.
        detail: how finely it is shown.

    Raises:
        ValueError: a label from the config has no valid name or one that is ours.
    """

    __slots__ = (
        "_availability",
        "_base",
        "_beats",
        "_connection",
        "_detail",
        "_identity",
        "_info",
        "_layout",
        "_numbers",
        "_traffic",
        "_unexpected",
    )

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
        self._connection = ("", "", "")
        self._unexpected: dict[tuple[str, str], int] = {}
        self._arrange(identity)
        self._numbers = self._layout.blank[:]
        self._describe()

    def become(self, identity: ProbeIdentity) -> None:
        """Be shown under another identity: every value goes on, under the new labels.

        A mode that is new begins at 0, one that is gone takes its values with it.

        Raises:
            ValueError: a label from the config has no valid name or one that is ours.
        """
        before = self._layout
        self._arrange(identity)
        self._numbers = self._layout.take_over(self._numbers, before)
        self._describe()

    def take(self, event: Event) -> None:
        """Take in one event."""
        self._TAKE[type(event)](self, event)

    def note(self, blocks: Blocks, now: float) -> None:
        """Have a scrape see the probe as it is now, in monotonic seconds."""
        numbers, traffic = self._numbers, self._traffic
        numbers[places.DOWNTIME] = self._availability.downtime(now)
        numbers[places.MESSAGES_RECEIVED] = traffic.messages
        numbers[places.RECEIVED_BYTES] = traffic.received_bytes
        numbers[places.SERVER_PINGS] = traffic.server_pings
        blocks.of(self._layout).add(self._base, numbers, self._others())

    def _arrange(self, identity: ProbeIdentity) -> None:
        """Find the places of the numbers, and the labels of all lines."""
        for label in identity.labels:
            if label in families.RESERVED_LABELS or not LABEL_NAME.fullmatch(label):
                raise ValueError(f"probe {identity.name}: {label!r} cannot be a label")
        self._identity = identity
        self._base = make_base({**identity.labels, "probe": identity.name})
        self._layout = layout_of(self._base.names, identity.modes, self._detail)
        self._beats = self._layout.beats

    def _describe(self) -> None:
        """Put in what the config says, and what the latest connection is."""
        identity = self._identity
        for mode, facts in identity.modes.items():
            at = self._beats[mode]
            self._numbers[at + places.HEARTBEAT_INTERVAL] = facts.interval
            self._numbers[at + places.HEARTBEAT_TIMEOUT] = facts.timeout
        labels = (identity.protocol, identity.endpoint, *self._connection)
        self._info = other(families.INFO, self._base, labels, 1)

    def _others(self) -> Sequence[Other]:
        """Return the lines that have no place in the layout."""
        if not self._unexpected:
            return (self._info,)
        ends = self._unexpected.items()
        return [
            self._info,
            *(other(families.DISCONNECTS, self._base, end, count) for end, count in ends),
        ]

    def _ignore(self, event: Event) -> None:
        """Take in an event that no family shows."""

    def _sent(self, event: Sent) -> None:
        at = self._beats[event.mode]
        self._numbers[at + places.SENT] += 1
        self._numbers[at + places.IN_FLIGHT] += 1

    def _skipped(self, event: Skipped) -> None:
        self._numbers[self._beats[event.mode] + places.SKIPPED[event.reason]] += event.count

    def _echoed(self, event: Echoed) -> None:
        at, numbers = self._beats[event.mode], self._numbers
        numbers[at + places.ECHOED] += 1
        numbers[at + places.IN_FLIGHT] -= 1
        numbers[at + places.CONSECUTIVE_MISSED] = 0
        self._heard(at, event)

    def _missed(self, event: Missed) -> None:
        at, numbers = self._beats[event.mode], self._numbers
        numbers[at + places.MISSED] += 1
        numbers[at + places.IN_FLIGHT] -= 1
        numbers[at + places.CONSECUTIVE_MISSED] = event.consecutive

    def _aborted(self, event: Aborted) -> None:
        at, numbers = self._beats[event.mode], self._numbers
        numbers[at + places.ABORTED] += event.count
        numbers[at + places.IN_FLIGHT] -= event.count

    def _late(self, event: Late) -> None:
        at = self._beats[event.mode]
        self._numbers[at + places.LATE] += 1
        self._heard(at, event)

    def _heard(self, at: int, event: Echoed | Late) -> None:
        self._numbers[at + places.LAST_ECHO] = event.at
        if event.rtt is not None:
            self._observe(at + places.RTT, self._detail.rtt_buckets, event.rtt)

    def _unsolicited(self, event: Unsolicited) -> None:
        self._numbers[self._beats[event.mode] + places.UNSOLICITED] += 1

    def _dialing(self, event: Dialing) -> None:  # noqa: ARG002 - that it happened is all there is
        self._numbers[places.CONNECT_ATTEMPTS] += 1

    def _dial_failed(self, event: DialFailed) -> None:
        self._numbers[places.CONNECT_FAILURES[event.reason]] += 1
        self._took(event.phases)
        self._saw_certificate(event.certificate_not_after)

    def _opened(self, event: Opened) -> None:
        self._numbers[places.CONNECTED] = 1
        self._numbers[places.CONNECTION_START] = event.at
        self._saw_certificate(event.certificate_not_after)
        self._connection = (event.address, event.tls_version, event.timestamping)
        self._describe()

    def _ready(self, event: Ready | Renewed) -> None:
        bounds = families.CONNECT_DURATION.buckets
        self._observe(places.CONNECT_DURATION, bounds, event.duration)
        self._took(event.phases)
        for mode, row in event.rows.items():
            self._numbers[self._beats[mode] + places.CONSECUTIVE_MISSED] = row

    def _disconnected(self, event: Disconnected) -> None:
        if not event.spare:
            self._closed()
        bounds = families.CONNECTION_LIFETIME.buckets
        self._observe(places.CONNECTION_LIFETIME, bounds, event.lifetime)
        end = (event.initiator, close_code_label(event.code, self._detail.close_codes))
        place = places.DISCONNECTS.get(end)
        if place is not None:
            self._numbers[place] += 1
        elif families.DISCONNECTS in self._layout.children:
            self._unexpected[end] = self._unexpected.get(end, 0) + 1

    def _up_changed(self, event: UpChanged) -> None:
        self._numbers[places.UP] = event.up

    def _path_measured(self, event: PathMeasured) -> None:
        self._numbers[places.TCP_RETRANSMITS] += event.retransmits
        if self._numbers[places.CONNECTED]:
            self._numbers[places.TCP_RTT] = event.rtt

    def _stopped(self, event: Stopped) -> None:  # noqa: ARG002 - that it happened is all there is
        self._numbers[places.UP] = 0
        self._closed()

    def _observe(self, at: int, bounds: Sequence[float], value: float) -> None:
        """Count one observation of a histogram. A bucket includes its bound, as `le` says."""
        numbers = self._numbers
        numbers[at + bisect_left(bounds, value)] += 1
        numbers[at + len(bounds) + 1] += value

    def _took(self, phases: Mapping[Phase, float]) -> None:
        for phase, place in places.CONNECT_PHASES.items():
            # What is finer is noise, and every scrape would write all of its digits.
            self._numbers[place] = round(phases.get(phase, 0), MICROSECOND)

    def _saw_certificate(self, not_after: float | None) -> None:
        if not_after is not None:
            self._numbers[places.CERTIFICATE_NOT_AFTER] = not_after

    def _closed(self) -> None:
        self._numbers[places.CONNECTED] = 0
        self._numbers[places.CONNECTION_START] = ABSENT
        self._numbers[places.TCP_RTT] = ABSENT

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
