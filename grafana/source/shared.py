"""Panels, thresholds and columns that more than one dashboard shows, each declared once."""

from __future__ import annotations

from itertools import pairwise

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, timeseries

from grafana.source import promql
from grafana.source.panels import (
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Unit,
    Words,
    ask,
    ask_now,
    bars,
    figure,
    gauges,
    levels,
    texts,
    timeline,
)
from grafana.source.promql import RANGE, View, aggregate, total
from monitor.metrics import families
from monitor.metrics.numbers import write_bound

BY_NAME = "{{probe}} {{vantage}}"

STATES = {
    0: ("not connected", RED),
    1: ("open, no echo", ORANGE),
    2: ("up again", YELLOW),
    3: ("up", GREEN),
}
"""What the query for a probe's state can return."""

STATE_LEVELS = levels(RED, (1, ORANGE), (2, YELLOW), (3, GREEN))
DROP_LEVELS = levels(GREEN, (0.01, YELLOW), (0.05, RED))
"""From 5 % on there is an alert."""

AVAILABILITY_LEVELS = levels(RED, (0.99, ORANGE), (0.999, GREEN))
DOWN_LEVELS = levels(GREEN, (0.001, YELLOW), (60, RED))
"""A minute within two is an alert."""

EVENT_LEVELS = levels(GREEN, (0.5, YELLOW), (4.5, RED))
"""Five drops in half an hour are an alert."""

CERTIFICATE_LEVELS = levels(RED, (3 * 86400, ORANGE), (14 * 86400, GREEN))
"""Two weeks before, and three days before, there is an alert."""


def state_timeline(view: View, legend: str, more: str = "") -> statetimeline.Panel:
    """Return the states over time, one row for each probe and vantage."""
    words = Words(
        "State",
        "Green: up. Yellow: up now, and down at some time within the rate interval, however short; "
        "downtime is counted exactly, so nothing hides between two scrapes. Orange: the connection "
        "is open and heartbeats get no echo. Red: no connection." + more,
    )
    return (
        timeline(words, promql.state(view), legend)
        .mappings(texts(STATES))
        .thresholds(STATE_LEVELS)
        .min(0)
        .max(3)
    )


def certificate(view: View) -> stat.Panel:
    """Return the time until the first certificate expires."""
    expression = f"{aggregate('min', (), view.of(families.CERTIFICATE_NOT_AFTER))} - time()"
    words = Words(
        "Certificate expires in",
        "The server certificate that expires first, as seen at the latest connect, also one that "
        "failed. Nothing is shown where no probe uses TLS.",
    )
    panel = figure(words, Unit.SECONDS, expression, CERTIFICATE_LEVELS)
    return panel.decimals(1).no_value("no TLS")


def disconnects(view: View) -> timeseries.Panel:
    """Return who ended connections, and with which code."""
    words = Words(
        "Connections that ended, per minute",
        "By who ended them and the close code. Remote: the peer sent a close frame. Network: the "
        "stream broke (1006). Local: we did; 1000 and 1001 by plan, 1006 after too many misses. A "
        "code that was never seen before has no series to grow, so its first is listed as such.",
    )
    by_code = total(view.rate(families.DISCONNECTS), "initiator", "code")
    ends = total(view.rate(f"{families.CONNECTION_LIFETIME.name}_count"))
    known = total(view.rate(families.DISCONNECTS))
    return (
        bars(
            words,
            Unit.PER_MINUTE,
            ask(f"60 * {by_code} > 0", "{{initiator}} {{code}}"),
            ask(_unnamed(ends, known), "first of its code"),
        )
        .no_value("No connection ended")
        .thresholds(EVENT_LEVELS)
    )


def _unnamed(ends: str, known: str) -> str:
    """Return the ends that no code's series shows.

    Rates of two series differ a little in how Prometheus extends them to the edges of the window,
    so a small difference is none.
    """
    return f"60 * ({ends} - {known})\nand\n{ends} - {known} > 0.4 * {ends}"


def connect_failures(view: View) -> timeseries.Panel:
    """Return why connects failed."""
    words = Words(
        "Failed connects, per minute",
        "By reason. A reason implies the phase: ticket, dns, tcp, proxy, tls, upgrade "
        "(http_status, redirect, bad_upgrade, subprotocol), ready (not_ready). Limit and local are "
        "our own: a limit on the connection was exceeded, or this machine could not open it.",
    )
    by_reason = total(view.rate(families.CONNECT_FAILURES), "reason")
    return (
        bars(words, Unit.PER_MINUTE, ask(f"60 * {by_reason} > 0", "{{reason}}"))
        .no_value("No connect failed")
        .thresholds(EVENT_LEVELS)
    )


def lifetimes(view: View) -> bargauge.Panel:
    """Return how long connections had lived when they ended, by bucket."""
    words = Words(
        "Lifetime of connections that ended",
        "How many connections ended at which age, in this time range. A bar far longer than its "
        "neighbours is a time limit on the way: proxies recycle connections after 60 s without "
        "traffic, after 240 s for draining, after 1 h or 2 h in any case.",
    )
    family = families.CONNECTION_LIFETIME
    bounds = [*(write_bound(bound) for bound in family.buckets), "+Inf"]
    up_to = [total(view.increase(f"{family.name}_bucket", f'le="{bound}"')) for bound in bounds]
    below = ["", *up_to]
    queries = [
        ask_now(f"{expression} - {lower}" if lower else expression, legend)
        for expression, lower, legend in zip(up_to, below, _spans(family.buckets), strict=False)
    ]
    return gauges(words, Unit.COUNT, *queries).decimals(0).thresholds(levels("blue"))


def _spans(bounds: tuple[float, ...]) -> list[str]:
    """Return what a person would call the buckets."""
    marks = [_duration(bound) for bound in bounds]
    between = [f"{lower} to {upper}" for lower, upper in pairwise(marks)]
    return [f"up to {marks[0]}", *between, f"over {marks[-1]}"]


def _duration(seconds: float) -> str:
    for size, name in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def drop_figure(view: View, title: str = "Drop ratio") -> stat.Panel:
    """Return the drop ratio over the range."""
    words = Words(
        title,
        "Share of the heartbeats settled in this time range that had no echo in time: missed or "
        "aborted. Heartbeats that were not sent, for want of a connection, are not among them; "
        "availability has those.",
    )
    return figure(words, Unit.RATIO, promql.drop_ratio(view, over=RANGE), DROP_LEVELS).decimals(2)


def availability_figure(view: View) -> stat.Panel:
    """Return the availability over the range."""
    words = Words(
        "Availability",
        "Share of this time range in which the probe was up, averaged over probes, from downtime "
        "that is counted exactly. Time in which nobody watched counts neither way.",
    )
    expression = aggregate("avg", (), promql.availability(view))
    return figure(words, Unit.RATIO, expression, AVAILABILITY_LEVELS).decimals(3)


def downtime_by(view: View, *by: str) -> str:
    """Return the seconds of downtime in the range."""
    return aggregate("max", by, view.increase(families.DOWNTIME))
