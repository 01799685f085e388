"""The dashboard of the monitors themselves: are they on time, and what do they cost and run."""

from __future__ import annotations

from grafana_foundation_sdk.builders.heatmap import Panel as Heat
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Lines
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import promql
from grafana.source.frame import Cover, Sheet, Uid, alert_marks, choice, dashboard
from grafana.source.panels import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Column,
    Unit,
    Words,
    ask,
    figure,
    grid,
    heat,
    levels,
    lines,
    logarithmic,
    texts,
)
from grafana.source.promql import MONITOR, aggregate, total
from monitor.metrics import families
from monitor.metrics.families import Family

COVER = Cover(
    Uid.HEALTH,
    "ws-monitor / Monitor health",
    "The monitors themselves. What they measure can be trusted while they are on time.",
)

BY = "instance"
NAME = "{{instance}}"
LATE_LEVELS = levels(GREEN, (0.01, YELLOW), (0.1, RED))
"""Timers or heartbeats later than 100 ms are what the alert counts."""

OVERRUN = 'reason="overrun"'


def build() -> model.Dashboard:
    """Return the dashboard."""
    sheet = Sheet()
    _now(sheet)
    sheet.band("Is it on time?")
    sheet.shelf(8, (_loop_lag(), 8), (_beat_slip(), 8), (_lost(), 8))
    sheet.shelf(8, (_lag_heat(), 12), (_slip_heat(), 12))
    sheet.band("What it costs")
    sheet.shelf(8, (_scrapes(), 8), (_memory(), 8), (_cpu(), 8))
    sheet.shelf(8, (_files(), 8), (_samples(), 8), (_heartbeats(), 8))
    sheet.band("What it runs")
    sheet.shelf(7, (_builds(), 14), (_reloads(), 10))
    own = f"{families.BUILD_INFO.name}"
    return dashboard(
        COVER,
        [
            choice("job", "Job", f"label_values({own}, job)"),
            choice("instance", "Monitor", f'label_values({own}{{job=~"$job"}}, instance)'),
        ],
        [alert_marks('instance=~"$instance"')],
        sheet,
    )


# --- Now ---------------------------------------------------------------------------------------


def _now(sheet: Sheet) -> None:
    reload_ok = aggregate("min", (), MONITOR.of(families.RELOAD_SUCCESSFUL))
    since = promql.age(aggregate("max", (), MONITOR.of(families.RELOAD_SUCCESS_TIMESTAMP)))
    started = promql.age(aggregate("max", (), MONITOR.of("process_start_time_seconds")))
    sheet.shelf(
        4,
        (_monitors(), 3),
        (
            _figure(
                "Probes",
                "Probes that all of them run. One that two monitors run counts twice.",
                total(MONITOR.of(families.PROBES)),
            ),
            3,
        ),
        (
            figure(
                Words(
                    "Configuration",
                    "Whether the latest attempt to load it succeeded, of all monitors. After one "
                    "that did not, a monitor goes on with what it had.",
                ),
                Unit.COUNT,
                reload_ok,
                levels(RED, (1, GREEN)),
            ).mappings(texts({0: ("refused", RED), 1: ("applied", GREEN)})),
            3,
        ),
        (
            figure(
                Words("Applied", "Time since a configuration was last applied by any of them."),
                Unit.SECONDS,
                since,
                levels(BLUE),
            ),
            3,
        ),
        (_stalled(), 3),
        (
            _troubles(
                "Heartbeats overrun",
                "Heartbeats of this time range that were never sent because the monitor was late "
                "(overrun). Its fault, not a target's.",
                total(MONITOR.increase(families.SKIPPED, OVERRUN)),
            ),
            3,
        ),
        (
            _troubles(
                "Probes that crashed",
                "Probes that a bug in the monitor ended in this time range, and that were started "
                "again. The log has the place.",
                total(MONITOR.increase(families.CRASHES)),
            ),
            3,
        ),
        (
            figure(
                Words("Youngest monitor", "Time since the last of them was started."),
                Unit.SECONDS,
                started,
                levels(YELLOW, (300, GREEN)),
            ),
            3,
        ),
    )


def _monitors() -> Stat:
    words = Words(
        "Monitors that answer", "Share of the monitors that Prometheus could scrape just now."
    )
    expression = aggregate("avg", (), MONITOR.of("up"))
    return figure(words, Unit.RATIO, expression, levels(RED, (1, GREEN)))


def _figure(title: str, description: str, expression: str) -> Stat:
    return figure(Words(title, description), Unit.COUNT, expression, levels(BLUE)).decimals(0)


def _troubles(title: str, description: str, expression: str) -> Stat:
    thresholds = levels(GREEN, (0.5, RED))
    words = Words(title, description)
    return figure(words, Unit.COUNT, expression, thresholds).decimals(0)


def _stalled() -> Stat:
    words = Words(
        "Stalled",
        "Seconds of this time range in which a monitor was stopped or starved as a whole: a "
        "suspended machine, a CPU limit. Heartbeats that fell due then are skipped, not missed.",
    )
    expression = total(MONITOR.increase(families.STALLED))
    return figure(words, Unit.SECONDS, expression, levels(GREEN, (0.1, YELLOW), (5, RED)))


# --- Is it on time? ----------------------------------------------------------------------------


def _late(title: str, description: str, family: Family) -> Lines:
    queries = [
        ask(promql.quantile(share, MONITOR, family, BY), f"{NAME} {name}")
        for share, name in ((0.5, "50 %"), (0.99, "99 %"))
    ]
    return (
        lines(Words(title, description), Unit.SECONDS, *queries)
        .scale_distribution(logarithmic())
        .min(0.0001)
        .thresholds(LATE_LEVELS)
    )


def _loop_lag() -> Lines:
    return _late(
        "Loop lag",
        "How late the event loop ran a timer. Arrival times come from the kernel and sends are "
        "stamped at the system call, so a lag delays verdicts and does not lengthen round trips.",
        families.LOOP_LAG,
    )


def _beat_slip() -> Lines:
    return _late(
        "Beat slip",
        "How much later than due heartbeats were sent. One interval late, and a heartbeat is "
        "skipped as overrun.",
        families.BEAT_SLIP,
    )


def _lost() -> Lines:
    words = Words(
        "Time stalled, heartbeats skipped",
        "Share of time in which the monitor was stopped or starved, and share of the due "
        "heartbeats that it skipped for being late.",
    )
    skipped = total(MONITOR.rate(families.SKIPPED, OVERRUN), BY)
    sent = total(MONITOR.rate(families.SENT), BY)
    return lines(
        words,
        Unit.RATIO,
        ask(total(MONITOR.rate(families.STALLED), BY), f"{NAME} stalled"),
        ask(f"{skipped}\n/\n({skipped} + {sent})", f"{NAME} skipped"),
    ).thresholds(levels(GREEN, (0.01, YELLOW), (0.02, RED)))


def _lag_heat() -> Heat:
    words = Words("Loop lag, all monitors", "How many timers ran how late. Dark above is trouble.")
    return heat(words, promql.buckets(MONITOR, families.LOOP_LAG)).thresholds(LATE_LEVELS)


def _slip_heat() -> Heat:
    words = Words(
        "Beat slip, all monitors", "How many heartbeats were sent how late. Dark above is trouble."
    )
    return heat(words, promql.buckets(MONITOR, families.BEAT_SLIP)).thresholds(LATE_LEVELS)


# --- What it costs -----------------------------------------------------------------------------


def _scrapes() -> Lines:
    words = Words(
        "A scrape takes",
        "Rendered: in the monitor, until the page is there. Scraped: as Prometheus saw it, with "
        "the transfer. Rendering gives way to heartbeats, so a long one is slow and harmless.",
    )
    return lines(
        words,
        Unit.SECONDS,
        ask(aggregate("max", (BY,), MONITOR.of(families.SCRAPE_DURATION)), f"{NAME} rendered"),
        ask(aggregate("max", (BY,), MONITOR.of("scrape_duration_seconds")), f"{NAME} scraped"),
    ).thresholds(levels(GREEN, (1, YELLOW), (10, RED)))


def _memory() -> Lines:
    words = Words(
        "Memory",
        "Resident memory of the process. It should be level for as long as the probes are the "
        "same.",
    )
    expression = aggregate("max", (BY,), MONITOR.of("process_resident_memory_bytes"))
    return lines(words, Unit.BYTES, ask(expression, NAME)).thresholds(
        levels(GREEN, (512 * 2**20, YELLOW), (2**30, RED))
    )


def _cpu() -> Lines:
    words = Words("CPU", "Share of one core. The monitor has one loop, so 100 % is all there is.")
    expression = total(MONITOR.rate("process_cpu_seconds_total"), BY)
    return lines(words, Unit.RATIO, ask(expression, NAME)).thresholds(
        levels(GREEN, (0.6, YELLOW), (0.9, RED))
    )


def _files() -> Lines:
    words = Words(
        "File descriptors",
        "Share of those that the process may open. Each connection is one.",
    )
    used = aggregate("max", (BY,), MONITOR.of("process_open_fds"))
    limit = aggregate("max", (BY,), MONITOR.of("process_max_fds"))
    return lines(words, Unit.RATIO, ask(f"{used}\n/\n{limit}", NAME)).thresholds(
        levels(GREEN, (0.7, YELLOW), (0.9, RED))
    )


def _samples() -> Lines:
    words = Words(
        "Series per scrape",
        "What Prometheus stores for each monitor. About 100 for a probe with one mode, 130 with "
        "two; metrics.detail: basic brings it under 40.",
    )
    expression = aggregate("max", (BY,), MONITOR.of("scrape_samples_scraped"))
    return lines(words, Unit.COUNT, ask(expression, NAME)).thresholds(
        levels(GREEN, (100_000, YELLOW), (1_000_000, RED))
    )


def _heartbeats() -> Lines:
    words = Words("Heartbeats sent", "What each monitor does: heartbeats of all its probes.")
    expression = total(MONITOR.rate(families.SENT), BY)
    return lines(words, Unit.PER_SECOND, ask(expression, NAME)).thresholds(
        levels(GREEN, (2_000, YELLOW))
    )


# --- What it runs ------------------------------------------------------------------------------


def _builds() -> Table:
    words = Words("Builds", "The version of each monitor, its Python, and how many probes it runs.")
    build_info = MONITOR.of(families.BUILD_INFO)
    by = ("instance", "version", "python_version")
    probes = aggregate("max", (BY,), MONITOR.of(families.PROBES))
    return grid(
        words,
        {"instance": "Monitor", "version": "Version", "python_version": "Python"},
        Column(
            "Probes", f"{aggregate('max', by, build_info)} * on (instance) group_left () {probes}"
        ),
    )


def _reloads() -> Lines:
    words = Words(
        "Configuration applied",
        "1 while the latest attempt to load the configuration succeeded, 0 from one that did not "
        "until the next that does.",
    )
    ok = aggregate("min", (BY,), MONITOR.of(families.RELOAD_SUCCESSFUL))
    return (
        lines(words, Unit.COUNT, ask(ok, NAME))
        .max(1)
        .decimals(0)
        .thresholds(levels(RED, (1, GREEN)))
    )
