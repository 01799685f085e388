"""Panels with our defaults, so that the same thing looks the same on every dashboard.

Each function returns the builder, which the caller refines where its panel differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self, TypeVar, cast

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = (
    "green",
    "yellow",
    "orange",
    "red",
    "blue",
    "#8e8e8e",
)

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")


class Unit(StrEnum):
    """Grafana's names of the units that we use."""

    COUNT = "short"
    SECONDS = "s"
    RATIO = "percentunit"
    PER_SECOND = "cps"
    PER_MINUTE = "cpm"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Words:
    """What a reader needs before the numbers: the title, and what the panel means."""

    title: str
    description: str


class _Described(Protocol):
    """What all panel builders have in common."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def datasource(self, datasource: model.DataSourceRef) -> Self: ...


P = TypeVar("P", bound=_Described)


def ask(expression: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query over the time range."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).range()


def ask_now(expression: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query for the end of the time range."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).instant()


def levels(base: str, *steps: tuple[float, str]) -> build.ThresholdsConfig:
    """Return thresholds: the colour below all of them, then what begins where."""
    return (
        build.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps(
            [
                model.Threshold(value=None, color=base),
                *(model.Threshold(value=value, color=color) for value, color in steps),
            ]
        )
    )


NO_LEVELS = levels(GREEN)
"""For what is neither good nor bad."""


NOT_A_NUMBER = model.SpecialValueMap(
    options=model.DashboardSpecialValueMapOptions(
        match=model.SpecialValueMatch.NULL_AND_NAN,
        result=model.ValueMappingResult(text="-", color=GREY),
    )
)
"""A ratio of nothing to nothing: no heartbeat settled, no echo came."""


def named(queries: Sequence[prometheus.Dataquery]) -> list[Builder[Dataquery]]:
    """Give queries their letters."""
    # The builder of Prometheus queries does not say that these are queries of the general kind.
    return [
        cast(Builder[Dataquery], query.ref_id(chr(ord("A") + at)))
        for at, query in enumerate(queries)
    ]


def _begin(panel: P, words: Words, unit: str) -> P:
    described = panel.title(words.title).description(words.description)
    return described.unit(unit).datasource(DATASOURCE)


def _palette() -> build.FieldColor:
    return build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC)


def _by_level() -> build.FieldColor:
    return build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def lines(words: Words, unit: str, *queries: prometheus.Dataquery) -> timeseries.Panel:
    """Return lines over time."""
    return (
        _begin(timeseries.Panel(), words, unit)
        .targets(named(queries))
        .color_scheme(_palette())
        .line_width(1)
        .fill_opacity(0)
        .show_points(shapes.VisibilityMode.AUTO)
        .span_nulls(span_nulls=False)
        .min(0)
        .thresholds(NO_LEVELS)
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        )
        .legend(
            common.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(shapes.LegendDisplayMode.TABLE)
            .placement(shapes.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(shapes.TooltipDisplayMode.MULTI)
            .sort(shapes.SortOrder.DESCENDING)
        )
    )


def logarithmic() -> common.ScaleDistributionConfig:
    """Return a scale for what is mostly small and now and then a thousand times as large."""
    return common.ScaleDistributionConfig().type(shapes.ScaleDistribution.LOG).log(10)


def bars(words: Words, unit: str, *queries: prometheus.Dataquery) -> timeseries.Panel:
    """Return bars over time, stacked."""
    return (
        lines(words, unit, *queries)
        .draw_style(shapes.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.OFF)
        )
    )


def figure(
    words: Words, unit: str, expression: str, thresholds: build.ThresholdsConfig
) -> stat.Panel:
    """Return one number, coloured by its level."""
    return (
        _begin(stat.Panel(), words, unit)
        .targets(named([ask_now(expression)]))
        .thresholds(thresholds)
        .color_scheme(_by_level())
        .color_mode(shapes.BigValueColorMode.VALUE)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .text_mode(shapes.BigValueTextMode.VALUE)
        .mappings([NOT_A_NUMBER])
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def timeline(words: Words, expression: str, legend: str) -> statetimeline.Panel:
    """Return a row for each series, coloured by its state."""
    return (
        _begin(statetimeline.Panel(), words, Unit.COUNT)
        .targets(named([ask(expression, legend)]))
        .color_scheme(_by_level())
        .show_value(shapes.VisibilityMode.NEVER)
        .merge_values(merge_values=True)
        .row_height(0.85)
        .per_page(25)
        .line_width(0)
        .fill_opacity(85)
        .legend(
            common.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
        )
    )


def heat(words: Words, expression: str) -> heatmap.Panel:
    """Return a heat map of a histogram of seconds."""
    query = ask(expression, "{{le}}").format(PromQueryFormat.HEATMAP)
    return (
        _begin(heatmap.Panel(), words, Unit.SECONDS)
        .targets(named([query]))
        .thresholds(NO_LEVELS)
        .calculate(calculate=False)
        .y_axis(heatmap.YAxisConfig().unit(Unit.SECONDS))
        .cell_values(heatmap.CellValues().unit(Unit.PER_SECOND))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .steps(64)
            .exponent(0.5)
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .show_y_histogram()
        .mode(shapes.TooltipDisplayMode.SINGLE)
    )


def gauges(words: Words, unit: str, *queries: prometheus.Dataquery) -> bargauge.Panel:
    """Return a horizontal bar for each series."""
    return (
        _begin(bargauge.Panel(), words, unit)
        .targets(named(queries))
        .thresholds(NO_LEVELS)
        .color_scheme(_by_level())
        .min(0)
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .name_placement(shapes.BarGaugeNamePlacement.LEFT)
        .show_unfilled(show_unfilled=True)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a query whose labels the rows share.

    Without a title it only brings its labels.
    """

    title: str
    expression: str
    unit: str = Unit.COUNT
    thresholds: build.ThresholdsConfig | None = None
    mappings: Sequence[model.ValueMapping] = ()

    def properties(self) -> list[model.DynamicConfigValue]:
        """Return how Grafana is to show the column."""
        mappings = [*self.mappings, NOT_A_NUMBER]
        properties = [
            model.DynamicConfigValue("unit", self.unit),
            model.DynamicConfigValue("mappings", mappings),
        ]
        if self.thresholds:
            coloured = {"type": "color-text", "wrapText": False}
            properties += [
                model.DynamicConfigValue("thresholds", self.thresholds.build()),
                model.DynamicConfigValue("custom.cellOptions", coloured),
            ]
        return properties


def grid(words: Words, labels: Mapping[str, str], *columns: Column) -> table.Panel:
    """Return a table: `labels` and their headings on the left, then a column for each query."""
    queries = [ask_now(column.expression).format(PromQueryFormat.TABLE) for column in columns]
    panel = (
        _begin(table.Panel(), words, Unit.COUNT)
        .targets(named(queries))
        .thresholds(NO_LEVELS)
        .show_header(show_header=True)
        .cell_height(shapes.TableCellHeight.SM)
    )
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(_organize(labels, columns))
    for column in filter(lambda column: column.title, columns):
        panel.override_by_name(column.title, column.properties())
    return panel


def _organize(labels: Mapping[str, str], columns: Sequence[Column]) -> model.DataTransformerConfig:
    """Return what names and orders the columns, and leaves out the rest."""
    values = {
        # What Grafana calls the columns: by the query where there are more than one.
        "Value" if len(columns) == 1 else f"Value #{chr(ord('A') + at)}": column.title
        for at, column in enumerate(columns)
    }
    headings = {**labels, **{name: title for name, title in values.items() if title}}
    return model.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": {name: True for name in ("Time", *values) if name not in headings},
            "indexByName": {name: at for at, name in enumerate(headings)},
            "renameByName": headings,
        },
    )


def texts(by_value: Mapping[int, tuple[str, str]]) -> list[model.ValueMapping]:
    """Return what to write, and in which colour, instead of each value."""
    return [
        model.ValueMap(
            options={
                str(value): model.ValueMappingResult(text=text, color=color, index=at)
                for at, (value, (text, color)) in enumerate(by_value.items())
            }
        )
    ]
