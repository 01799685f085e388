"""Queries in PromQL, put together from the metric families that the monitor declares.

Names come from `monitor.metrics.families`, so that a family that is renamed cannot be asked for by
its old name. Recording rules are not used: a dashboard shows its data with no rules installed.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.metrics import families
from monitor.metrics.families import Family

RATE = "$__rate_interval"
"""At least four scrapes, and at least one step of the panel: nothing falls between two points."""

RANGE = "$__range"
"""The whole time range that the dashboard shows."""

PER_PROBE = ("probe", "vantage")
"""Two monitors may watch one probe, for each other or from two places."""

OUR_OWN_ENDS = ('initiator="local"', 'code=~"1000|1001"')
"""Ends that were our decision: the probe was removed or renewed (1000), the monitor stopped."""

NOT_CONNECTED = 'reason="not_connected"'


@dataclass(frozen=True, slots=True)
class View:
    """What a dashboard's variables choose, as matchers on every series."""

    matchers: tuple[str, ...]

    def of(self, family: Family | str, *matchers: str) -> str:
        """Return the selector of a family, or of one part of a histogram."""
        name = family if isinstance(family, str) else family.name
        return f"{name}{{{', '.join(self.matchers + matchers)}}}"

    def rate(self, family: Family | str, *matchers: str, over: str = RATE) -> str:
        """Return how much a counter grows in a second."""
        return f"rate({self.of(family, *matchers)}[{over}])"

    def increase(self, family: Family | str, *matchers: str, over: str = RANGE) -> str:
        """Return how much a counter has grown."""
        return f"increase({self.of(family, *matchers)}[{over}])"

    def only(self, *matchers: str) -> View:
        """Return a view with further matchers."""
        return View(self.matchers + matchers)


FLEET = View(('probe=~"$probe"', 'vantage=~"$vantage"'))
"""Any number of probes."""

ONE = View(('probe="$probe"', 'vantage=~"$vantage"'))
"""Exactly one probe: an equals sign, since a name may look like a pattern."""

MONITOR = View(('job=~"$job"', 'instance=~"$instance"'))
"""The monitors themselves."""


def aggregate(how: str, by: tuple[str, ...], expression: str) -> str:
    """Return an aggregation; over everything where `by` is empty."""
    grouping = f" by ({', '.join(by)})" if by else ""
    return f"{how}{grouping} ({expression})"


def total(expression: str, *by: str) -> str:
    """Return a sum."""
    return aggregate("sum", by, expression)


def state(view: View, over: str = RATE) -> str:
    """Return 0 not connected, 1 connected and silent, 2 up but down a moment ago, 3 up.

    Downtime is counted exactly, so the 2 shows what fell between two scrapes.
    """
    untouched = f"({view.increase(families.DOWNTIME, over=over)} == bool 0)"
    return aggregate(
        "min",
        PER_PROBE,
        f"{view.of(families.CONNECTED)} + {view.of(families.UP)} * (1 + {untouched})",
    )


def settled(view: View, over: str) -> str:
    """Return the rate of heartbeats whose outcome is known."""
    outcomes = (families.ECHOED, families.MISSED, families.ABORTED)
    return " + ".join(view.rate(family, over=over) for family in outcomes)


def drop_ratio(view: View, *by: str, over: str = RATE) -> str:
    """Return the share of settled heartbeats that were missed or aborted."""
    dropped = " + ".join(
        view.rate(family, over=over) for family in (families.MISSED, families.ABORTED)
    )
    return f"{total(dropped, *by)}\n/\n{total(settled(view, over), *by)}"


def unanswered_ratio(view: View, *by: str, over: str = RANGE) -> str:
    """Return the share of due heartbeats that the target left without an echo in time.

    Those that were not sent because there was no connection are among them. Those that the monitor
    itself left out are not: that is not the target's doing.
    """
    unsent = total(view.rate(families.SKIPPED, NOT_CONNECTED, over=over), *by)
    missed = total(view.rate(families.MISSED, over=over), *by)
    aborted = total(view.rate(families.ABORTED, over=over), *by)
    echoed = total(view.rate(families.ECHOED, over=over), *by)
    without = f"{unsent} + {missed} + {aborted}"
    return f"({without})\n/\n({without} + {echoed})"


def unavailable(view: View, over: str) -> str:
    """Return the share of time in which each series' probe was down, over one short window."""
    return f"clamp_max({view.rate(families.DOWNTIME, over=over)}, 1)"


def unavailable_over(view: View, over: str, window: str, step: str) -> str:
    """Return the same over a long window: the average of short ones.

    So time in which nobody watched, before the probe was there, counts neither way.
    """
    return f"avg_over_time({unavailable(view, window)}[{over}:{step}])"


def availability(view: View) -> str:
    """Return the share of the range in which each series' probe was up."""
    return f"1 - {unavailable_over(view, RANGE, RATE, '$__interval')}"


def quantile(share: float, view: View, family: Family, *by: str, over: str = RATE) -> str:
    """Return a quantile of a histogram."""
    buckets = total(view.rate(f"{family.name}_bucket", over=over), *by, "le")
    return f"histogram_quantile({share}, {buckets})"


def mean(view: View, family: Family, *by: str, over: str = RATE) -> str:
    """Return the mean of a histogram, which unlike a quantile knows no bucket borders."""
    whole = total(view.rate(f"{family.name}_sum", over=over), *by)
    count = total(view.rate(f"{family.name}_count", over=over), *by)
    return f"{whole}\n/\n{count}"


def buckets(view: View, family: Family) -> str:
    """Return what a heat map shows: observations per second by bucket."""
    return total(view.rate(f"{family.name}_bucket"), "le")


def drops(view: View, over: str) -> str:
    """Return how many connections each probe lost other than by our own decision.

    Ends are counted by the lifetimes: they have every end, while a close code that was never seen
    before begins its own series at 1, and no increase shows.
    """
    ends = total(view.increase(f"{families.CONNECTION_LIFETIME.name}_count", over=over), *PER_PROBE)
    ours = total(view.increase(families.DISCONNECTS, *OUR_OWN_ENDS, over=over), *PER_PROBE)
    return f"clamp_min({ends} - {ours}, 0)"


def dropped_together(view: View) -> str:
    """Return how many probes of each endpoint dropped within the rate interval."""
    dropped = f"({drops(view, RATE)} > bool 0.5)"
    endpoints = aggregate("max", (*PER_PROBE, "endpoint"), view.of(families.INFO))
    return total(f"{dropped} * on (probe, vantage) group_right () {endpoints}", "endpoint")


def age(expression: str) -> str:
    """Return the seconds since a point in time."""
    return f"time() - {expression}"
