"""What `/metrics` said at one moment, parsed by Prometheus' own library."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram; `buckets` are cumulative, by upper bound in seconds."""

    count: float
    sum: float
    buckets: Mapping[float, float]

    def within(self, low: float, high: float) -> float:
        """Return how many observations fell into the buckets above `low`, up to `high`."""
        return self.buckets[high] - (self.buckets[low] if low else 0.0)

    def __sub__(self, before: Histogram) -> Histogram:
        """Return what was observed since."""
        return Histogram(
            self.count - before.count,
            self.sum - before.sum,
            {bound: count - before.buckets[bound] for bound, count in self.buckets.items()},
        )


class BeatView:
    """The figures of one probe in one mode."""

    def __init__(self, scrape: Scrape, labels: dict[str, str]) -> None:
        self._scrape = scrape
        self._labels = labels

    def _total(self, what: str) -> int:
        return int(self._scrape.value(f"ws_probe_heartbeats_{what}", **self._labels))

    @property
    def sent(self) -> int:
        """Heartbeats sent."""
        return self._total("sent_total")

    @property
    def echoed(self) -> int:
        """Heartbeats echoed in time."""
        return self._total("echoed_total")

    @property
    def missed(self) -> int:
        """Heartbeats missed."""
        return self._total("missed_total")

    @property
    def aborted(self) -> int:
        """Heartbeats that were in flight when their connection ended."""
        return self._total("aborted_total")

    @property
    def late(self) -> int:
        """Echoes of missed heartbeats."""
        return self._total("late_total")

    @property
    def unsolicited(self) -> int:
        """Echoes that answer nothing."""
        return self._total("unsolicited_total")

    @property
    def in_flight(self) -> int:
        """Heartbeats sent and not settled."""
        return self._total("in_flight")

    @property
    def skipped(self) -> dict[str, int]:
        """Heartbeats never sent, by reason; reasons that never occurred are left out."""
        found = self._scrape.by("ws_probe_heartbeats_skipped_total", "reason", **self._labels)
        return {reason: int(count) for reason, count in found.items() if count}

    @property
    def due(self) -> int:
        """Heartbeats that fell due and are accounted for: sent or skipped."""
        return self.sent + sum(self.skipped.values())

    @property
    def in_a_row(self) -> int:
        """Misses since the last echo."""
        return int(self._scrape.value("ws_probe_consecutive_missed", **self._labels))

    @property
    def last_echo(self) -> float | None:
        """Wall-clock time of the last echo in seconds, None before the first."""
        return self._scrape.find("ws_probe_last_echo_timestamp_seconds", **self._labels)

    @property
    def interval(self) -> float:
        """Seconds between beats."""
        return self._scrape.value("ws_probe_heartbeat_interval_seconds", **self._labels)

    @property
    def rtt(self) -> Histogram:
        """The round-trip times in seconds."""
        return self._scrape.histogram("ws_probe_rtt_seconds", **self._labels)

    def assert_balanced(self) -> None:
        """See that each heartbeat that was sent is accounted for exactly once."""
        settled = self.echoed + self.missed + self.aborted
        assert self.sent == settled + self.in_flight, (
            f"{self._labels}: {self.sent} sent, but {self.echoed} echoed + {self.missed} missed "
            f"+ {self.aborted} aborted + {self.in_flight} in flight"
        )

    def __str__(self) -> str:
        return (
            f"sent {self.sent} echoed {self.echoed} missed {self.missed} aborted {self.aborted} "
            f"late {self.late} unsolicited {self.unsolicited} in flight {self.in_flight} "
            f"skipped {self.skipped}"
        )


class ProbeView:
    """The figures of one probe."""

    def __init__(self, scrape: Scrape, name: str) -> None:
        self._scrape = scrape
        self.name = name

    def value(self, name: str, **labels: str) -> float:
        """Return any other sample of the probe."""
        return self._scrape.value(name, probe=self.name, **labels)

    def mode(self, mode: str) -> BeatView:
        """Return the figures in one mode."""
        return BeatView(self._scrape, {"probe": self.name, "mode": mode})

    @property
    def message(self) -> BeatView:
        """The figures of its application heartbeats."""
        return self.mode("message")

    @property
    def ping(self) -> BeatView:
        """The figures of its ping control frames."""
        return self.mode("ping")

    @property
    def modes(self) -> list[str]:
        """The modes in which it beats."""
        return sorted(self._scrape.by("ws_probe_heartbeats_sent_total", "mode", probe=self.name))

    @property
    def up(self) -> bool:
        """Whether it says that its target is up."""
        return self.value("ws_probe_up") == 1

    @property
    def connected(self) -> bool:
        """Whether its transport is open."""
        return self.value("ws_probe_connected") == 1

    @property
    def attempts(self) -> int:
        """Connect attempts begun."""
        return int(self.value("ws_probe_connect_attempts_total"))

    @property
    def failures(self) -> dict[str, int]:
        """Failed connects by reason; reasons that never occurred are left out."""
        found = self._scrape.by("ws_probe_connect_failures_total", "reason", probe=self.name)
        return {reason: int(count) for reason, count in found.items() if count}

    @property
    def disconnects(self) -> dict[tuple[str, str], int]:
        """Ends of open connections by initiator and code; those that never occurred left out."""
        return {
            (labels["initiator"], labels["code"]): int(value)
            for labels, value in self._scrape.samples("ws_probe_disconnects_total")
            if labels["probe"] == self.name and value
        }

    @property
    def started(self) -> float | None:
        """Wall-clock time in seconds at which its connection began, None without one."""
        return self._scrape.find("ws_probe_connection_start_timestamp_seconds", probe=self.name)

    @property
    def downtime(self) -> float:
        """Seconds of downtime."""
        return self.value("ws_probe_downtime_seconds_total")

    def __str__(self) -> str:
        beats = "; ".join(f"{mode}: {self.mode(mode)}" for mode in self.modes)
        return (
            f"{self.name}: up {self.up} attempts {self.attempts} failures {self.failures} "
            f"disconnects {self.disconnects}; {beats}"
        )


class Scrape:
    """One answer of `/metrics`.

    Args:
        text: the page.
        began: the monotonic second before it was asked for.
        ended: the monotonic second after it was there; its figures are from between the two.
    """

    def __init__(self, text: str, began: float, ended: float) -> None:
        self.text = text
        self.began = began
        self.ended = ended

    @cached_property
    def _samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        found = defaultdict(list)
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                found[sample.name].append((dict(sample.labels), sample.value))
        return dict(found)

    @cached_property
    def _index(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (name, frozenset(labels.items())): value
            for name, samples in self._samples.items()
            for labels, value in samples
        }

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return every sample of this name: its labels and its value."""
        return self._samples.get(name, [])

    def find(self, name: str, **labels: str) -> float | None:
        """Return the one sample that has these labels, perhaps among others; None if none has."""
        exact = self._index.get((name, frozenset(labels.items())))
        if exact is not None:
            return exact
        found = [value for has, value in self.samples(name) if labels.items() <= has.items()]
        assert len(found) <= 1, f"{name}{labels}: {len(found)} samples"
        return found[0] if found else None

    def value(self, name: str, **labels: str) -> float:
        """Return the one sample that has these labels, perhaps among others."""
        value = self.find(name, **labels)
        assert value is not None, f"no sample {name}{labels}"
        return value

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Return the samples that have these labels, by the value of another label."""
        return {
            has[label]: value for has, value in self.samples(name) if labels.items() <= has.items()
        }

    def histogram(self, name: str, **labels: str) -> Histogram:
        """Return one histogram."""
        buckets = self.by(f"{name}_bucket", "le", **labels)
        return Histogram(
            self.value(f"{name}_count", **labels),
            self.value(f"{name}_sum", **labels),
            {float(bound): count for bound, count in buckets.items()},
        )

    @property
    def probes(self) -> list[str]:
        """The names of all probes."""
        return sorted(self.by("ws_probe_up", "probe"))

    def probe(self, name: str) -> ProbeView:
        """Return one probe's figures."""
        return ProbeView(self, name)
