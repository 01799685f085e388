"""Who follows a probe's events: its metrics, its log lines, the trace, our own figures."""

from __future__ import annotations

from monitor.config import ProbeConfig, SecretUnavailable, endpoint_of
from monitor.core.availability import Availability
from monitor.core.events import Crashed, Event, Mode, Sent
from monitor.core.traffic import Traffic
from monitor.logs.narrator import Narrator
from monitor.logs.trace import Trace
from monitor.metrics.exposition import Exposition
from monitor.metrics.series import BeatFacts, ProbeIdentity
from monitor.probing.fleet import Observer
from monitor.probing.probe import Sink

TOLD = Narrator.tells_of()


class Observing:
    """Prepares the observers of each probe. `trace`, if given, gets a line for every heartbeat."""

    def __init__(self, exposition: Exposition, trace: Trace | None) -> None:
        self._exposition = exposition
        self._trace = trace

    def observe(
        self, config: ProbeConfig, traffic: Traffic, availability: Availability
    ) -> Observer:
        """Prepare metrics and log for one probe."""
        identity = _identity(config)
        series = self._exposition.add(identity, traffic, availability)
        narrator = Narrator(config.name, identity.endpoint)
        others: list[Sink] = [] if self._trace is None else [self._trace.of(config.name)]
        own = self._exposition.monitor

        def sink(event: Event) -> None:
            series.take(event)
            # Most events are of heartbeats that fare well: they make no line.
            if type(event) in TOLD:
                narrator(event)
            # Some say something about the monitor itself.
            if type(event) is Sent:
                own.beat_slip.observe(event.slip)
            elif type(event) is Crashed:
                own.crashed()
            for take in others:
                take(event)

        def change(config: ProbeConfig) -> None:
            identity = _identity(config)
            series.become(identity)
            narrator.watch(identity.endpoint)

        return Observer(sink, change, lambda: self._exposition.remove(config.name))


def _identity(config: ProbeConfig) -> ProbeIdentity:
    modes = {
        Mode(mode): BeatFacts(beat.interval, beat.timeout) for mode, beat in config.modes.items()
    }
    return ProbeIdentity(
        config.name, config.merged_labels, config.protocol, _endpoint(config), modes
    )


def _endpoint(config: ProbeConfig) -> str:
    """Scheme, host and port; where the URL is a secret that cannot be read yet, where it is."""
    try:
        return endpoint_of(config.read_url())
    except SecretUnavailable:
        return config.endpoint
