"""The dashboard for promises: availability from exact downtime, and how fast budgets burn."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.builders import dashboard as build_sdk
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Lines
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import promql
from grafana.source.frame import (
    ROW_OF_TABLE,
    Cover,
    Sheet,
    Uid,
    Variable,
    alert_marks,
    dashboard,
    filters,
    probes,
    to_probe,
    vantage,
)
from grafana.source.panels import (
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Column,
    Unit,
    Words,
    ask,
    figure,
    grid,
    levels,
    lines,
)
from grafana.source.promql import FLEET, PER_PROBE, RANGE, RATE, aggregate
from grafana.source.shared import (
    AVAILABILITY_LEVELS,
    BY_NAME,
    DOWN_LEVELS,
    availability_figure,
)
from monitor.metrics import families

COVER = Cover(
    Uid.SLO,
    "ws-monitor / SLO",
    "Availability against an objective, from downtime that is counted exactly, and how fast the "
    "error budget burns, in the windows of the SRE Workbook.",
    since="now-30d",
    refresh="5m",
)

OBJECTIVES = {"99 %": "0.99", "99.5 %": "0.995", "99.9 %": "0.999", "99.95 %": "0.9995"}
USUAL = "99.9 %"
ALLOWED = "(1 - $objective)"
WORST = 5
BUDGET_LEVELS = levels(RED, (0, ORANGE), (0.25, GREEN))
STEP = "5m"
"""Long windows are averages of short ones, laid end to end, as in the project's rules."""


@dataclass(frozen=True, slots=True)
class Burn:
    """A pair of windows, and the burn rate at which an alert fires."""

    long: str
    short: str
    limit: float
    meaning: str


BURNS = (
    Burn("1h", "5m", 14.4, "2 % of a month's budget in an hour"),
    Burn("6h", "30m", 6, "5 % of a month's budget in six hours"),
    Burn("1d", "2h", 3, "10 % of a month's budget in a day"),
    Burn("3d", "6h", 1, "10 % of a month's budget in three days"),
)
DIRECT = ("5m", "30m", "1h")
"""Windows short enough to be read in one go."""


def build() -> model.Dashboard:
    """Return the dashboard."""
    sheet = Sheet()
    _now(sheet)
    sheet.band("Burn rates")
    first, second, third, fourth = (_burn(burn) for burn in BURNS)
    sheet.shelf(8, (first, 12), (second, 12))
    sheet.shelf(8, (third, 12), (fourth, 12))
    sheet.band("By probe")
    sheet.shelf(10, (_table(), 24))
    sheet.shelf(9, (_down(), 12), (_answered(), 12))
    return dashboard(
        COVER, [_objective(), vantage(), probes(), filters()], [alert_marks().off()], sheet
    )


def _objective() -> Variable:
    texts = ", ".join(f"{text} : {value}" for text, value in OBJECTIVES.items())
    return (
        build_sdk.CustomVariable("objective")
        .label("Objective")
        .values(texts)
        .current(model.VariableOption(selected=True, text=USUAL, value=OBJECTIVES[USUAL]))
        .options(
            [
                model.VariableOption(selected=text == USUAL, text=text, value=value)
                for text, value in OBJECTIVES.items()
            ]
        )
    )


def _down_share() -> str:
    return aggregate("avg", PER_PROBE, promql.unavailable_over(FLEET, RANGE, RATE, "$__interval"))


def _now(sheet: Sheet) -> None:
    share = _down_share()
    sheet.shelf(
        5,
        (availability_figure(FLEET), 5),
        (
            figure(
                Words(
                    "Budget left",
                    "Share of the downtime that the objective allows in this time range which is "
                    "still unspent, averaged over probes. Less than 0 is overdrawn.",
                ),
                Unit.RATIO,
                f"1 - {aggregate('avg', (), share)} / {ALLOWED}",
                BUDGET_LEVELS,
            ).decimals(0),
            5,
        ),
        (
            figure(
                Words("Worst probe", "The lowest availability of a single probe."),
                Unit.RATIO,
                f"1 - {aggregate('max', (), share)}",
                AVAILABILITY_LEVELS,
            ).decimals(3),
            5,
        ),
        (
            figure(
                Words("Within the objective", "Share of the probes that meet the objective."),
                Unit.RATIO,
                f"avg ({share} <= bool {ALLOWED})",
                levels(RED, (0.9, ORANGE), (1, GREEN)),
            ),
            5,
        ),
        (
            figure(
                Words(
                    "Echoed in time",
                    "Share of the due heartbeats that had an echo in time, of all probes and both "
                    "modes. Finer than availability: it sees single misses too.",
                ),
                Unit.RATIO,
                f"1 - {promql.unanswered_ratio(FLEET)}",
                AVAILABILITY_LEVELS,
            ).decimals(3),
            4,
        ),
    )


def _window(window: str) -> str:
    if window in DIRECT:
        return promql.unavailable(FLEET, window)
    return promql.unavailable_over(FLEET, window, STEP, STEP)


def burn_rate(window: str) -> str:
    """Return how many times faster than allowed each probe's budget is spent."""
    return f"{aggregate('avg', PER_PROBE, _window(window))} / {ALLOWED}"


def _burn(burn: Burn) -> Lines:
    words = Words(
        f"Burn rate over {burn.long} and {burn.short}",
        f"How many times faster than the objective allows the budget is spent. An alert fires "
        f"while both windows are above {burn.limit:g}: that is {burn.meaning}. The {WORST} worst "
        "probes at each moment; dashed, the short window.",
    )
    dashed = model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [4, 6]})
    unnamed = model.DynamicConfigValue(
        "custom.hideFrom", {"legend": True, "tooltip": False, "viz": False}
    )
    return (
        lines(
            words,
            Unit.NONE,
            ask(f"topk({WORST}, {burn_rate(burn.long)})", f"{BY_NAME} {burn.long}"),
            ask(f"topk({WORST}, {burn_rate(burn.short)})", f"{BY_NAME} {burn.short}"),
        )
        .decimals(2)
        .thresholds(levels(GREEN, (burn.limit, RED)))
        .data_links([to_probe()])
        .override_by_query("B", [dashed, unnamed])
    )


def _table() -> Table:
    words = Words(
        "Each probe against the objective",
        "Over this time range, and the burn rates now. The name leads to the probe.",
    )
    share = _down_share()
    table = grid(
        words,
        {"probe": "Probe", "vantage": "Vantage"},
        Column("Availability", f"1 - {share}", Unit.RATIO, AVAILABILITY_LEVELS),
        Column("Budget left", f"1 - {share} / {ALLOWED}", Unit.RATIO, BUDGET_LEVELS),
        Column(
            "Down for",
            aggregate("max", PER_PROBE, FLEET.increase(families.DOWNTIME)),
            Unit.SECONDS,
            DOWN_LEVELS,
        ),
        *(
            Column(
                f"Burn {burn.long}",
                burn_rate(burn.long),
                Unit.NONE,
                levels(GREEN, (1, YELLOW), (max(burn.limit, 1.001), RED)),
            )
            for burn in BURNS
        ),
    )
    table.override_by_name(
        "Probe", [model.DynamicConfigValue("links", [to_probe(ROW_OF_TABLE).build()])]
    )
    return table.sort_by([common.TableSortByFieldState().display_name("Budget left")])


def _down() -> Lines:
    words = Words(
        "When it was down",
        f"Share of time in which a probe was down; the {2 * WORST} worst at each moment.",
    )
    share = aggregate("avg", PER_PROBE, promql.unavailable(FLEET, RATE))
    return (
        lines(words, Unit.RATIO, ask(f"topk({2 * WORST}, {share} > 0)", BY_NAME))
        .max(1)
        .no_value("Nothing was down")
        .thresholds(levels(GREEN, (0.001, YELLOW), (0.5, RED)))
        .data_links([to_probe()])
    )


def _answered() -> Lines:
    words = Words(
        "Heartbeats without an echo in time",
        "Share of the due heartbeats that were missed, aborted, or not sent for want of a "
        f"connection; the {2 * WORST} worst at each moment.",
    )
    ratio = promql.unanswered_ratio(FLEET, *PER_PROBE, over=RATE)
    return (
        lines(words, Unit.RATIO, ask(f"topk({2 * WORST}, {ratio} > 0)", BY_NAME))
        .max(1)
        .no_value("Every heartbeat had its echo")
        .thresholds(levels(GREEN, (0.001, YELLOW), (0.01, RED)))
        .data_links([to_probe()])
    )
