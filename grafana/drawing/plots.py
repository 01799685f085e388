"""One function for each kind of panel that we use. Each draws into a box of a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator

from grafana.drawing.canvas import EDGE, FAINT, Box, Page
from grafana.drawing.frames import Heat, Named, Row, Source, heat, properties, table
from grafana.drawing.values import (
    PALETTE,
    TEXT,
    color,
    level_color,
    mapped,
    written,
)

LEGEND_ROW = 15
LEGEND_ROWS = 5
STATE_NAME = 19
SCALE_OF_HEAT = LinearSegmentedColormap.from_list("heat", ("#fff3e0", "#ff780a", "#7f1d00"))


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment to mark on panels with a time axis."""

    at: float
    color: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a panel is drawn with: a page, data, and marks."""

    page: Page
    source: Source
    marks: Sequence[Mark]

    def panel(self, panel: Mapping[str, Any]) -> None:
        """Draw one panel on its card."""
        defaults = panel["fieldConfig"]["defaults"]
        unit = defaults["unit"]
        box = self.page.card(panel["gridPos"], panel["title"], f"unit: {unit}")
        DRAW[panel["type"]](self, panel, box)

    def nothing(self, panel: Mapping[str, Any], box: Box) -> None:
        """Write what Grafana writes where a query returned nothing."""
        text = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        middle = box.x + box.width / 2, box.y + box.height / 2
        self.page.text(*middle, text, size=9, color=FAINT, align="center")

    def time_axis(self, axes: Axes) -> None:
        """Give axes the time range, marks, and times of the day."""
        span = self.source.span
        axes.set_xlim(span.start, span.end)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xticks(_round_times(span.start, span.end))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: clock(at)))
        for mark in self.marks:
            axes.axvline(mark.at, color=mark.color, linewidth=0.7, linestyle=(0, (4, 3)), alpha=0.8)


def clock(at: float) -> str:
    """Return the time of the day, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def _round_times(start: float, end: float) -> list[float]:
    wide = next(
        step
        for step in (60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 7 * 86400)
        if (end - start) / step <= 8 or step == 7 * 86400
    )
    first = math.ceil(start / wide)
    return [float(wide * at) for at in range(first, math.floor(end / wide) + 1)]


def _defaults(panel: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = panel["fieldConfig"]["defaults"]
    return found


# --- Lines and bars ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Painted:
    """A series with its colour."""

    named: Named
    color: str

    @property
    def on_the_right(self) -> bool:
        """Whether it has the axis on the right."""
        return bool(self.named.properties.get("custom.axisPlacement") == "right")

    @property
    def unlisted(self) -> bool:
        """Whether the legend leaves it out."""
        hidden: dict[str, bool] = self.named.properties.get("custom.hideFrom", {})
        return hidden.get("legend", False)


def timeseries(drawing: Drawing, panel: Mapping[str, Any], box: Box) -> None:
    """Draw lines or bars over time, with their legend below."""
    painted = _painted(drawing.source.named(panel))
    if not painted:
        drawing.nothing(panel, box)
        return
    second = [each for each in painted if each.on_the_right]
    first = [each for each in painted if not each.on_the_right]
    listed = [each for each in painted if not each.unlisted]
    rows = min(math.ceil(len(listed) / _columns(box)), LEGEND_ROWS)
    room = box.inner(60, 4, 60 if second else 8, rows * LEGEND_ROW + 24)
    axes = drawing.page.axes(room)
    _series(drawing, panel, axes, first)
    if second:
        other = axes.twinx()
        drawing.page.style(other)
        _series(drawing, panel, other, second)
    drawing.time_axis(axes)
    _legend(drawing, panel, box, listed)


def _painted(named: Sequence[Named]) -> list[Painted]:
    return [
        Painted(
            each,
            color(each.properties["color"]["fixedColor"])
            if "color" in each.properties
            else PALETTE[at % len(PALETTE)],
        )
        for at, each in enumerate(named)
    ]


def _columns(box: Box) -> int:
    return 1 if box.width < 550 else 2


def _unit(panel: Mapping[str, Any], named: Named) -> str:
    return str(named.properties.get("unit", _defaults(panel)["unit"]))


def _series(
    drawing: Drawing, panel: Mapping[str, Any], axes: Axes, painted: Sequence[Painted]
) -> None:
    custom = _defaults(panel).get("custom", {})
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    step = drawing.source.step_of(panel)
    bottoms: dict[float, float] = {}
    for each in painted:
        times, heights = _spread(each.named, step)
        floor = [bottoms.get(at, 0.0) if stacked else 0.0 for at in times]
        tops = [low + high for low, high in zip(floor, heights, strict=True)]
        if custom.get("drawStyle") == "bars":
            axes.bar(times, heights, 0.9 * step, floor, color=each.color, linewidth=0)
        else:
            _line(axes, each, (times, floor, tops), custom)
        if stacked:
            bottoms |= {at: top for at, top in zip(times, tops, strict=True) if not math.isnan(top)}
    if painted:
        _value_axis(axes, panel, _unit(panel, painted[0].named))


def _spread(named: Named, step: float) -> tuple[list[float], list[float]]:
    """Return times and values, with a hole where there was nothing for more than a step."""
    times: list[float] = []
    heights: list[float] = []
    for at, value in named.series.points:
        if times and at - times[-1] > 1.5 * step:
            times.append(times[-1] + step)
            heights.append(math.nan)
        times.append(at)
        heights.append(value)
    return times, heights


def _line(
    axes: Axes,
    painted: Painted,
    shape: tuple[list[float], list[float], list[float]],
    custom: Mapping[str, Any],
) -> None:
    times, floor, tops = shape
    special = painted.named.properties
    stepped = custom.get("lineInterpolation") == "stepAfter"
    opacity = special.get("custom.fillOpacity", custom.get("fillOpacity", 0)) / 100
    axes.plot(
        times,
        tops,
        color=painted.color,
        linewidth=1.1,
        linestyle=(0, (5, 4)) if "custom.lineStyle" in special else "-",
        drawstyle="steps-post" if stepped else "default",
        marker="." if "custom.showPoints" in special or len(times) == 1 else "",
        markersize=3,
    )
    axes.fill_between(
        times,
        floor,
        tops,
        color=painted.color,
        alpha=opacity,
        linewidth=0,
        step="post" if stepped else None,
    )


def _value_axis(axes: Axes, panel: Mapping[str, Any], unit: str) -> None:
    defaults = _defaults(panel)
    custom = defaults.get("custom", {})
    if custom.get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("log")
    else:
        low, high = axes.get_ylim()
        top = min(high, 1.05 * defaults["max"]) if "max" in defaults else high
        axes.set_ylim(defaults.get("min", low), top)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=defaults.get("decimals") == 0))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, unit)))
    axes.minorticks_off()
    axes.grid(visible=True, color="#eceef0", linewidth=0.6)
    axes.set_axisbelow(True)
    if custom.get("thresholdsStyle", {}).get("mode") == "dashed":
        _threshold_lines(axes, defaults["thresholds"]["steps"])


def _threshold_lines(axes: Axes, steps: Sequence[Mapping[str, Any]]) -> None:
    low, high = axes.get_ylim()
    for step in steps:
        if step["value"] is not None and low <= step["value"] <= high:
            axes.axhline(
                step["value"], color=color(step["color"]), linewidth=0.9, linestyle=(0, (6, 4))
            )


def _legend(
    drawing: Drawing, panel: Mapping[str, Any], box: Box, painted: Sequence[Painted]
) -> None:
    columns = _columns(box)
    rows = min(math.ceil(len(painted) / columns), LEGEND_ROWS)
    width = box.width / columns
    for at, each in enumerate(painted[: rows * columns]):
        x = box.x + (at // rows) * width
        y = box.y + box.height - (rows - at % rows - 0.5) * LEGEND_ROW
        summary = _summary(panel, each.named)
        drawing.page.text(x, y, "━", size=9, color=each.color, weight="bold")
        drawing.page.text(x + 18, y, _short(each.named.name, int(width / 9)), size=7.5)
        drawing.page.text(x + width - 14, y, summary, size=7, color=FAINT, align="right")
    _and_more(drawing, box, len(painted) - rows * columns)


def _and_more(drawing: Drawing, box: Box, rest: int) -> None:
    if rest > 0:
        corner = box.x + box.width, box.y + box.height + 3
        drawing.page.text(*corner, f"and {rest} more", size=6.5, color=FAINT, align="right")


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _summary(panel: Mapping[str, Any], named: Named) -> str:
    unit = _unit(panel, named)
    finite = [value for _, value in named.series.points if math.isfinite(value)]
    top = max(finite, default=math.nan)
    return f"last {written(named.series.last, unit)}   max {written(top, unit)}"


# --- Numbers -----------------------------------------------------------------------------------


def _said(value: float, panel: Mapping[str, Any]) -> tuple[str, str]:
    """Return what stands for a value, and in which colour."""
    defaults = _defaults(panel)
    text = written(value, defaults["unit"], defaults.get("decimals"))
    paint = level_color(value, defaults["thresholds"])
    return mapped(value, defaults.get("mappings") or ()) or (text, paint)


def stat(drawing: Drawing, panel: Mapping[str, Any], box: Box) -> None:
    """Draw one number, large."""
    named = drawing.source.named(panel)
    if not named:
        drawing.nothing(panel, box)
        return
    text, paint = _said(named[0].series.last, panel)
    size = min(24.0, 1.35 * box.width / max(len(text), 1) * 0.72)
    middle = box.x + box.width / 2, box.y + box.height / 2
    drawing.page.text(*middle, text, size=size, color=paint, weight="bold", align="center")


def bargauge(drawing: Drawing, panel: Mapping[str, Any], box: Box) -> None:
    """Draw a horizontal bar for each series."""
    named = drawing.source.named(panel)
    if not named:
        drawing.nothing(panel, box)
        return
    axes = drawing.page.axes(box.inner(110, 2, 40, 4))
    values = [each.series.last for each in named]
    top = max(*values, 1e-9)
    rows = range(len(named), 0, -1)
    axes.barh(rows, [top] * len(named), 0.7, color="#f1f2f3")
    axes.barh(rows, values, 0.7, color=[_said(value, panel)[1] for value in values])
    for row, value in zip(rows, values, strict=True):
        text, paint = _said(value, panel)
        axes.text(top * 1.02, row, text, fontsize=8, color=paint, va="center")
    axes.set_yticks(list(rows), [each.name for each in named])
    axes.set_xticks([])
    axes.set_xlim(0, top)
    for spine in axes.spines.values():
        spine.set_visible(False)


# --- States ------------------------------------------------------------------------------------


def state_timeline(drawing: Drawing, panel: Mapping[str, Any], box: Box) -> None:
    """Draw a row for each series, coloured by its state; of several pages the first."""
    everything = sorted(drawing.source.named(panel), key=lambda each: each.name)
    if not everything:
        drawing.nothing(panel, box)
        return
    named = everything[: int(panel["options"]["perPage"])]
    axes = drawing.page.axes(box.inner(118, 2, 8, 40))
    step = drawing.source.step_of(panel)
    for row, each in enumerate(reversed(named)):
        bars = [(at, step) for at, _ in each.series.points]
        paints = [_said(value, panel)[1] for _, value in each.series.points]
        axes.broken_barh(bars, (row - 0.4, 0.8), facecolors=paints, linewidth=0)
    names = [_short(each.name, STATE_NAME) for each in reversed(named)]
    axes.set_yticks(range(len(named)), names, fontsize=min(7.5, box.height / len(named) / 2))
    axes.set_ylim(-0.6, len(named) - 0.4)
    drawing.time_axis(axes)
    _key(drawing, panel, box)
    _and_more(drawing, box, len(everything) - len(named))


def _key(drawing: Drawing, panel: Mapping[str, Any], box: Box) -> None:
    x = box.x
    for mapping in _defaults(panel)["mappings"]:
        for result in mapping["options"].values():
            y = box.y + box.height - 6
            drawing.page.text(x, y, "■", size=9, color=color(result["color"]))
            drawing.page.text(x + 14, y, result["text"], size=7.5)
            x += 34 + 7 * len(result["text"])


# --- Heat maps ---------------------------------------------------------------------------------


def heatmap(drawing: Drawing, panel: Mapping[str, Any], box: Box) -> None:
    """Draw how many observations fell into which bucket, and when."""
    answer = [each.series for each in drawing.source.named(panel)]
    if not answer:
        drawing.nothing(panel, box)
        return
    found = heat(answer)
    first, last = _used(found)
    axes = drawing.page.axes(box.inner(58, 2, 8, 20))
    step = drawing.source.step_of(panel)
    edges = [*found.times, found.times[-1] + step]
    counts = [
        [math.nan if count <= 0 else count for count in row] for row in found.counts[first:last]
    ]
    rows = list(range(len(counts) + 1))
    axes.pcolormesh(edges, rows, counts, cmap=SCALE_OF_HEAT, norm=PowerNorm(0.5, 0))
    unit = _defaults(panel)["unit"]
    names = ["more" if math.isinf(up) else written(up, unit) for up in found.bounds[first:last]]
    every = math.ceil(len(names) / max(box.height / 16, 1))
    axes.set_yticks(rows[1::every], names[::every])
    axes.grid(visible=True, axis="y", color=EDGE, linewidth=0.4)
    drawing.time_axis(axes)


def _used(found: Heat) -> tuple[int, int]:
    """Return the range of buckets that have anything in them, and their neighbours."""
    used = [at for at, row in enumerate(found.counts) if any(count > 0 for count in row)] or [0]
    return max(used[0] - 1, 0), min(used[-1] + 2, len(found.bounds))


# --- Tables ------------------------------------------------------------------------------------

TABLE_ROW = 24


def grid(drawing: Drawing, panel: Mapping[str, Any], box: Box) -> None:
    """Draw a table, as many rows as there is room for."""
    headings, rows = table(drawing.source, panel)
    if not rows:
        drawing.nothing(panel, box)
        return
    width = box.width / len(headings)
    for column, heading in enumerate(headings):
        x = box.x + column * width
        drawing.page.text(x, box.y + 8, heading, size=8, weight="bold", color="#3274d9")
        for at, row in enumerate(rows[: int(box.height / TABLE_ROW) - 1]):
            y = box.y + 8 + (at + 1) * TABLE_ROW
            text, paint = _cell(panel, heading, row)
            drawing.page.text(x, y, _short(text, int(width / 7.5)), size=8, color=paint)


def _cell(panel: Mapping[str, Any], heading: str, row: Row) -> tuple[str, str]:
    value = row.get(heading, math.nan)
    if isinstance(value, str):
        return value, TEXT
    special = properties(panel, heading)
    unit = special.get("unit", _defaults(panel)["unit"])
    paint = level_color(value, special["thresholds"]) if "thresholds" in special else TEXT
    return mapped(value, special.get("mappings") or ()) or (written(value, unit), paint)


DRAW: Mapping[str, Callable[[Drawing, Mapping[str, Any], Box], None]] = {
    "timeseries": timeseries,
    "stat": stat,
    "bargauge": bargauge,
    "state-timeline": state_timeline,
    "heatmap": heatmap,
    "table": grid,
}
"""How each kind of panel is drawn."""
