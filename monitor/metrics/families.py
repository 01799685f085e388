"""Every metric family, declared once: name, type, help, labels, buckets.

The names are a public interface: dashboards, alerts and documents use them. This module declares
and does nothing else. Run as a program, `python -m monitor.metrics.families`, it prints the list
that the tests pin in `tests/data/metrics/families.txt`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The types of the exposition formats that we use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family.

    `name` is the one that queries use, so a counter's ends in `_total`. `labels` come on top of
    `probe` and what the config gives the probe. `buckets` are a histogram's upper bounds.
    `basic` marks what remains when a very large fleet asks for fewer series.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    basic: bool = False

    @property
    def unit(self) -> str:
        """The base unit that the name ends in, or nothing."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in ("seconds", "bytes") else ""


UP = Family(
    "ws_probe_up",
    Kind.GAUGE,
    "Whether the connection is ready and too few heartbeats in a row were missed to call it down.",
    basic=True,
)
CONNECTED = Family("ws_probe_connected", Kind.GAUGE, "Whether the transport is open.", basic=True)
INFO = Family(
    "ws_probe_info",
    Kind.GAUGE,
    "Always 1; the labels describe the probe and its latest connection.",
    ("protocol", "endpoint", "address", "tls_version", "timestamping"),
    basic=True,
)
CONNECT_ATTEMPTS = Family(
    "ws_probe_connect_attempts_total", Kind.COUNTER, "Connect attempts begun.", basic=True
)
CONNECT_FAILURES = Family(
    "ws_probe_connect_failures_total",
    Kind.COUNTER,
    "Connect attempts that failed, by reason; a reason implies the phase.",
    ("reason",),
)
CONNECT_DURATION = Family(
    "ws_probe_connect_duration_seconds",
    Kind.HISTOGRAM,
    "Time from the begin of a connect attempt until the connection was ready.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
CONNECT_PHASE_DURATION = Family(
    "ws_probe_connect_phase_duration_seconds",
    Kind.GAUGE,
    "Time that each completed phase of the latest connect attempt took; 0 if it had no such phase.",
    ("phase",),
)
CONNECTION_START = Family(
    "ws_probe_connection_start_timestamp_seconds",
    Kind.GAUGE,
    "When the open connection was opened, in Unix time; absent while there is none.",
)
CONNECTION_LIFETIME = Family(
    "ws_probe_connection_lifetime_seconds",
    Kind.HISTOGRAM,
    "How long connections had been open when they ended.",
    buckets=(30.0, 60.0, 120.0, 240.0, 300.0, 600.0, 3600.0, 7200.0),
)
DISCONNECTS = Family(
    "ws_probe_disconnects_total",
    Kind.COUNTER,
    "Open connections that ended, by who ended them and the close code.",
    ("initiator", "code"),
)
DOWNTIME = Family(
    "ws_probe_downtime_seconds_total",
    Kind.COUNTER,
    "Time during which the probe was not up, exact and not sampled.",
    basic=True,
)
MESSAGES_RECEIVED = Family(
    "ws_probe_messages_received_total",
    Kind.COUNTER,
    "Messages received, heartbeat echoes included.",
    basic=True,
)
RECEIVED_BYTES = Family(
    "ws_probe_received_bytes_total",
    Kind.COUNTER,
    "Bytes read from open connections, framing included.",
)
SERVER_PINGS = Family(
    "ws_probe_server_pings_total", Kind.COUNTER, "Ping control frames received from the server."
)
TCP_RTT = Family(
    "ws_probe_tcp_rtt_seconds",
    Kind.GAUGE,
    "The kernel's smoothed round-trip time of the open connection; absent while not measured.",
)
TCP_RETRANSMITS = Family(
    "ws_probe_tcp_retransmits_total",
    Kind.COUNTER,
    "TCP segments that the kernel had to send again.",
)
CERTIFICATE_NOT_AFTER = Family(
    "ws_probe_tls_certificate_not_after_timestamp_seconds",
    Kind.GAUGE,
    "When the server certificate seen last expires, in Unix time; absent until one was seen.",
    basic=True,
)
SENT = Family(
    "ws_probe_heartbeats_sent_total",
    Kind.COUNTER,
    "Heartbeats handed to the kernel.",
    ("mode",),
    basic=True,
)
ECHOED = Family(
    "ws_probe_heartbeats_echoed_total",
    Kind.COUNTER,
    "Heartbeats whose echo arrived in time.",
    ("mode",),
    basic=True,
)
MISSED = Family(
    "ws_probe_heartbeats_missed_total",
    Kind.COUNTER,
    "Heartbeats without an echo in time on an open connection.",
    ("mode",),
    basic=True,
)
ABORTED = Family(
    "ws_probe_heartbeats_aborted_total",
    Kind.COUNTER,
    "Heartbeats that were in flight when their connection ended.",
    ("mode",),
    basic=True,
)
LATE = Family(
    "ws_probe_heartbeats_late_total",
    Kind.COUNTER,
    "Echoes of heartbeats already counted as missed.",
    ("mode",),
    basic=True,
)
UNSOLICITED = Family(
    "ws_probe_heartbeats_unsolicited_total",
    Kind.COUNTER,
    "Echoes that answer no heartbeat.",
    ("mode",),
)
SKIPPED = Family(
    "ws_probe_heartbeats_skipped_total",
    Kind.COUNTER,
    "Heartbeats that fell due and were never sent, by reason.",
    ("mode", "reason"),
    basic=True,
)
IN_FLIGHT = Family(
    "ws_probe_heartbeats_in_flight",
    Kind.GAUGE,
    "Heartbeats sent and neither echoed, missed nor aborted yet.",
    ("mode",),
)
CONSECUTIVE_MISSED = Family(
    "ws_probe_consecutive_missed",
    Kind.GAUGE,
    "Heartbeats missed in a row.",
    ("mode",),
    basic=True,
)
LAST_ECHO = Family(
    "ws_probe_last_echo_timestamp_seconds",
    Kind.GAUGE,
    "When the latest echo arrived, in Unix time; absent until there was one.",
    ("mode",),
    basic=True,
)
RTT = Family(
    "ws_probe_rtt_seconds",
    Kind.HISTOGRAM,
    "Time from the send of a heartbeat to the arrival of its echo, late echoes included.",
    ("mode",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    basic=True,
)
HEARTBEAT_INTERVAL = Family(
    "ws_probe_heartbeat_interval_seconds",
    Kind.GAUGE,
    "Configured time between heartbeats.",
    ("mode",),
    basic=True,
)
HEARTBEAT_TIMEOUT = Family(
    "ws_probe_heartbeat_timeout_seconds",
    Kind.GAUGE,
    "Configured time within which an echo is in time.",
    ("mode",),
    basic=True,
)

PROBE_FAMILIES = (
    UP,
    CONNECTED,
    INFO,
    CONNECT_ATTEMPTS,
    CONNECT_FAILURES,
    CONNECT_DURATION,
    CONNECT_PHASE_DURATION,
    CONNECTION_START,
    CONNECTION_LIFETIME,
    DISCONNECTS,
    DOWNTIME,
    MESSAGES_RECEIVED,
    RECEIVED_BYTES,
    SERVER_PINGS,
    TCP_RTT,
    TCP_RETRANSMITS,
    CERTIFICATE_NOT_AFTER,
    SENT,
    ECHOED,
    MISSED,
    ABORTED,
    LATE,
    UNSOLICITED,
    SKIPPED,
    IN_FLIGHT,
    CONSECUTIVE_MISSED,
    LAST_ECHO,
    RTT,
    HEARTBEAT_INTERVAL,
    HEARTBEAT_TIMEOUT,
)
"""The families that every probe has, in the order of the exposition."""

LOOP_LAG = Family(
    "ws_monitor_loop_lag_seconds",
    Kind.HISTOGRAM,
    "How late the event loop of the monitor ran a timer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
BEAT_SLIP = Family(
    "ws_monitor_beat_slip_seconds",
    Kind.HISTOGRAM,
    "How much later than due heartbeats were sent.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
STALLED = Family(
    "ws_monitor_stalled_seconds_total",
    Kind.COUNTER,
    "Time during which the monitor itself was stopped or starved.",
)
CRASHES = Family(
    "ws_monitor_probe_crashes_total",
    Kind.COUNTER,
    "Probes that a bug in the monitor ended and that were started again.",
)
RELOAD_SUCCESSFUL = Family(
    "ws_monitor_config_last_reload_successful",
    Kind.GAUGE,
    "Whether the latest attempt to load the configuration succeeded.",
)
RELOAD_SUCCESS_TIMESTAMP = Family(
    "ws_monitor_config_last_reload_success_timestamp_seconds",
    Kind.GAUGE,
    "When a configuration was last applied, in Unix time; absent until one was.",
)
WEB_CONFIG_SUCCESSFUL = Family(
    "ws_monitor_web_config_last_reload_successful",
    Kind.GAUGE,
    "Whether the latest attempt to read the web config succeeded; 1 also if there is none.",
)
WEB_REFUSED = Family(
    "ws_monitor_web_refused_total",
    Kind.COUNTER,
    "Clients that the web port turned away, by reason.",
    ("reason",),
)
BUILD_INFO = Family(
    "ws_monitor_build_info",
    Kind.GAUGE,
    "Always 1; the labels describe the build.",
    ("version", "python_version"),
)
PROBES = Family("ws_monitor_probes", Kind.GAUGE, "Probes that this monitor runs.")
SHARD_INDEX = Family(
    "ws_monitor_shard_index",
    Kind.GAUGE,
    "Which of the shards this monitor is, counted from 0.",
    ("vantage",),
)
SHARDS = Family(
    "ws_monitor_shards",
    Kind.GAUGE,
    "How many shards this monitor takes the probes to be shared out among.",
    ("vantage",),
)
SHARD_REPLICATION = Family(
    "ws_monitor_shard_replication",
    Kind.GAUGE,
    "How many shards watch each probe.",
    ("vantage",),
)
SCRAPE_DURATION = Family(
    "ws_monitor_scrape_duration_seconds",
    Kind.GAUGE,
    "How long the scrape before this one took to render.",
)

DISCOVERY_UP = Family(
    "ws_monitor_discovery_up",
    Kind.GAUGE,
    "Whether every part of the source answered when it was last asked.",
    ("source",),
)
DISCOVERY_LAST_SUCCESS = Family(
    "ws_monitor_discovery_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When every part of the source last answered, in Unix time; absent until it did.",
    ("source",),
)
DISCOVERY_REFRESHES = Family(
    "ws_monitor_discovery_refreshes_total",
    Kind.COUNTER,
    "How often the source was asked.",
    ("source",),
)
DISCOVERY_REFRESH_FAILURES = Family(
    "ws_monitor_discovery_refresh_failures_total",
    Kind.COUNTER,
    "How often the source was asked and some part of it did not answer.",
    ("source",),
)
DISCOVERY_TARGETS = Family(
    "ws_monitor_discovery_targets",
    Kind.GAUGE,
    "Targets that the source names, by the last answer of each of its parts.",
    ("source",),
)
DISCOVERY_PROBES = Family(
    "ws_monitor_discovery_probes",
    Kind.GAUGE,
    "Probes made of the targets that the source names, whichever shard watches them.",
    ("source",),
)
DISCOVERY_LEFT_OUT = Family(
    "ws_monitor_discovery_left_out_targets",
    Kind.GAUGE,
    "Targets that the source names and that no probe was made of, by reason.",
    ("source", "reason"),
)

DISCOVERY_FAMILIES = (
    DISCOVERY_UP,
    DISCOVERY_LAST_SUCCESS,
    DISCOVERY_REFRESHES,
    DISCOVERY_REFRESH_FAILURES,
    DISCOVERY_TARGETS,
    DISCOVERY_PROBES,
    DISCOVERY_LEFT_OUT,
)
"""The families that every source of discovery has."""

MONITOR_FAMILIES = (
    LOOP_LAG,
    BEAT_SLIP,
    STALLED,
    CRASHES,
    RELOAD_SUCCESSFUL,
    RELOAD_SUCCESS_TIMESTAMP,
    WEB_CONFIG_SUCCESSFUL,
    WEB_REFUSED,
    BUILD_INFO,
    PROBES,
    SHARD_INDEX,
    SHARDS,
    SHARD_REPLICATION,
    SCRAPE_DURATION,
    *DISCOVERY_FAMILIES,
)
"""The families about the monitor itself, in the order of the exposition."""

RESERVED_LABELS = frozenset({"probe", "le"}) | {
    label for family in PROBE_FAMILIES for label in family.labels
}
"""Label names that the config cannot give a probe."""


def describe() -> str:
    """Return one paragraph for each family, as the golden file has it."""
    return "\n".join(_paragraph(family) for family in PROBE_FAMILIES + MONITOR_FAMILIES)


def _paragraph(family: Family) -> str:
    labels = ("probe", *family.labels) if family in PROBE_FAMILIES else family.labels
    lines = [family.name, f"  {family.kind}: {family.help}"]
    if labels:
        lines.append(f"  labels: {', '.join(labels)}")
    if family.buckets:
        lines.append(f"  buckets: {', '.join(map(str, family.buckets))}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe())
