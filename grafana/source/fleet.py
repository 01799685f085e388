"""The dashboard of all probes: what is down, since when, how badly, and what went down together."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.builders.heatmap import Panel as Heat
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Lines
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import promql
from grafana.source.frame import (
    ROW_OF_TABLE,
    Cover,
    Sheet,
    Uid,
    alert_marks,
    choice,
    dashboard,
    drop_marks,
    filters,
    firing,
    link,
    probes,
    to_probe,
    vantage,
)
from grafana.source.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Column,
    Unit,
    Words,
    ask,
    bars,
    figure,
    grid,
    heat,
    levels,
    lines,
    texts,
)
from grafana.source.promql import FLEET, PER_PROBE, RANGE, aggregate, total
from grafana.source.shared import (
    BY_NAME,
    DOWN_LEVELS,
    DROP_LEVELS,
    EVENT_LEVELS,
    STATE_LEVELS,
    STATES,
    availability_figure,
    certificate,
    connect_failures,
    disconnects,
    drop_figure,
    state_timeline,
)
from monitor.metrics import families

COVER = Cover(
    Uid.FLEET,
    "ws-monitor / Fleet overview",
    "All probes at once: which are down, how many heartbeats drop, how fast echoes are, and which "
    "connections ended together.",
)

BEATS = FLEET.only('mode=~"$mode"')
WORST = 10
ROWS = 25


def build() -> model.Dashboard:
    """Return the dashboard."""
    sheet = Sheet()
    _now(sheet)
    sheet.band("Over time")
    sheet.shelf(10, (state_timeline(FLEET, BY_NAME).data_links([to_probe()]), 24))
    sheet.shelf(9, (_drop_ratio(), 12), (_rtt(), 12))
    sheet.band("The worst probes")
    sheet.shelf(11, (_worst(), 24))
    sheet.band("Connections")
    sheet.shelf(9, (disconnects(FLEET), 12), (_together(), 12))
    sheet.shelf(8, (connect_failures(FLEET), 12), (_alerts(), 12))
    mode = choice("mode", "Mode", f"label_values({families.SENT.name}, mode)").all_value(".*")
    return dashboard(
        COVER,
        [vantage(), probes(), mode, filters()],
        [drop_marks(FLEET).off(), alert_marks()],
        sheet,
    )


def _now(sheet: Sheet) -> None:
    up = aggregate("min", PER_PROBE, FLEET.of(families.UP))
    connected = aggregate("min", PER_PROBE, FLEET.of(families.CONNECTED))
    sheet.shelf(
        4,
        (_count("Probes", "Probes of the chosen names and vantages.", f"count({up})", BLUE), 3),
        (_troubled("Down", "Probes that are not up now.", f"count({up} == 0)"), 3),
        (
            _troubled(
                "Open and silent",
                "Probes whose connection is open and that are down all the same: nothing comes "
                "back. A prober that only connects calls these healthy.",
                f"count({connected} == 1 and {up} == 0)",
            ),
            3,
        ),
        (availability_figure(FLEET), 3),
        (drop_figure(BEATS), 3),
        (_drops(), 3),
        (_fast(), 3),
        (certificate(FLEET), 3),
    )


def _count(title: str, description: str, expression: str, color: str) -> Stat:
    return figure(Words(title, description), Unit.COUNT, expression, levels(color)).decimals(0)


def _troubled(title: str, description: str, expression: str) -> Stat:
    words = Words(title, description)
    return figure(words, Unit.COUNT, f"{expression} or vector(0)", levels(GREEN, (1, RED)))


def _drops() -> Stat:
    words = Words(
        "Drops",
        "Connections that ended in this time range other than by our own decision.",
    )
    expression = total(f"round({promql.drops(FLEET, RANGE)})")
    return figure(words, Unit.COUNT, expression, EVENT_LEVELS).decimals(0)


def _fast() -> Stat:
    words = Words(
        "RTT, 99 %",
        "Of all round trips in this time range, 99 % were at most this long, late echoes included. "
        "It is estimated within a bucket of the histogram.",
    )
    expression = promql.quantile(0.99, BEATS, families.RTT, over=RANGE)
    thresholds = levels(GREEN, (0.5, YELLOW), (1, RED))
    return figure(words, Unit.SECONDS, expression, thresholds)


def _drop_ratio() -> Lines:
    words = Words(
        f"Drop ratio, the {WORST} worst",
        "Share of settled heartbeats that were missed or aborted, each counted when it settles. A "
        "gap means that nothing settled: there was no connection.",
    )
    expression = f"topk({WORST}, {promql.drop_ratio(BEATS, *PER_PROBE, 'mode')})"
    return (
        lines(words, Unit.RATIO, ask(expression, "{{probe}} {{mode}} {{vantage}}"))
        .max(1)
        .thresholds(DROP_LEVELS)
        .data_links([to_probe()])
    )


def _rtt() -> Heat:
    words = Words(
        "RTT of all probes",
        "How many round trips took how long. Each row is a bucket of the histogram; late echoes "
        "are in it. Two bands are two kinds of probes, or two modes: choose one above.",
    )
    return heat(words, promql.buckets(BEATS, families.RTT)).links(
        [link("Is it the monitor that is late?", Uid.HEALTH)]
    )


def _worst() -> Table:
    words = Words(
        f"The {ROWS} probes with most heartbeats unanswered",
        "Over this time range. Unanswered: share of the due heartbeats that were missed, aborted, "
        "or not sent for want of a connection. Drop ratio leaves the unsent ones out. The name "
        "leads to the probe.",
    )
    missed = total(BEATS.increase(families.MISSED), *PER_PROBE)
    last = aggregate("max", PER_PROBE, BEATS.of(families.LAST_ECHO))
    table = grid(
        words,
        {"probe": "Probe", "vantage": "Vantage"},
        Column(
            "State",
            promql.state(FLEET),
            Unit.COUNT,
            STATE_LEVELS,
            texts(STATES),
        ),
        Column("Unanswered", promql.unanswered_ratio(BEATS, *PER_PROBE), Unit.RATIO, DROP_LEVELS),
        Column(
            "Drop ratio", promql.drop_ratio(BEATS, *PER_PROBE, over=RANGE), Unit.RATIO, DROP_LEVELS
        ),
        Column("Missed", f"round({missed})", Unit.COUNT, EVENT_LEVELS),
        Column(
            "Down for",
            aggregate("max", PER_PROBE, FLEET.increase(families.DOWNTIME)),
            Unit.SECONDS,
            DOWN_LEVELS,
        ),
        Column("Drops", f"round({promql.drops(FLEET, RANGE)})", Unit.COUNT, EVENT_LEVELS),
        Column(
            "RTT, 99 %",
            promql.quantile(0.99, BEATS, families.RTT, *PER_PROBE, over=RANGE),
            Unit.SECONDS,
        ),
        Column("Last echo", promql.age(last), Unit.SECONDS),
    )
    table.override_by_name(
        "Probe", [model.DynamicConfigValue("links", [to_probe(ROW_OF_TABLE).build()])]
    )
    table.with_transformation(_sorted_by("Unanswered"))
    table.with_transformation(
        model.DataTransformerConfig(id_val="limit", options={"limitField": ROWS})
    )
    return table.sort_by(
        [common.TableSortByFieldState().display_name("Unanswered").desc(desc=True)]
    )


def _sorted_by(field: str) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(
        id_val="sortBy", options={"fields": {}, "sort": [{"field": field, "desc": True}]}
    )


def _together() -> Lines:
    words = Words(
        "Probes that dropped together",
        "How many probes of one endpoint lost their connections within the rate interval: a minute "
        "at short time ranges, so zoom in. Several at once is something that they share: a proxy "
        "that was reloaded, a node, a release.",
    )
    expression = f"{promql.dropped_together(FLEET)} > 0"
    return (
        bars(words, Unit.COUNT, ask(expression, "{{endpoint}}"))
        .decimals(0)
        .no_value("No probe dropped")
        .thresholds(levels(GREEN, (1, YELLOW), (3, RED)))
    )


def _alerts() -> Lines:
    words = Words(
        "Alerts that fire",
        "How many of each, once the project's alert rules are installed in Prometheus. Empty also "
        "where they are not.",
    )
    expression = total(firing(), "alertname", "severity")
    return (
        bars(words, Unit.COUNT, ask(expression, "{{alertname}} ({{severity}})"))
        .decimals(0)
        .no_value("No alert fires, or no rules are installed")
        .thresholds(levels(GREEN, (1, ORANGE)))
    )
