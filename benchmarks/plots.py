"""The pictures for the page, drawn from the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks import fitting

INCH = 100
"""Dots, twice of which are drawn."""

PAPER, INK, GRID = "#ffffff", "#1f2328", "#d8dee4"
COLORS = ("#1f6feb", "#bc4c00", "#2da44e", "#8250df")


@contextmanager
def picture(path: Path, width: float, height: float, columns: int = 1) -> Iterator[list[Axes]]:
    """Draw a picture of so many panels, and keep it in a file."""
    figure = Figure(figsize=(width, height), dpi=2 * INCH, facecolor=PAPER, layout="constrained")
    panels = [figure.add_subplot(1, columns, number + 1) for number in range(columns)]
    for panel in panels:
        panel.grid(color=GRID, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.tick_params(labelsize=8, colors=INK)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    yield panels
    # No date and no version in the file: the same figures give the same picture.
    figure.savefig(path, metadata={"Software": None})


def entitle(panel: Axes, title: str, x: str, y: str) -> None:
    """Say what a panel shows."""
    panel.set_title(title, fontsize=9.5, loc="left", color=INK)
    panel.set_xlabel(x, fontsize=8.5, color=INK)
    panel.set_ylabel(y, fontsize=8.5, color=INK)


Points = Mapping[str, Sequence[Mapping[str, Any]]]
"""For each scheme, the figures of each size, the smallest first."""


def growth(sized: Points, budget: int, path: Path) -> str:
    """Draw memory, CPU time and start against the number of probes."""
    with picture(path, 10.5, 3.6, 3) as (memory, cpu, start):
        entitle(memory, "Resident memory", "probes, each with a beat every 10 s", "MiB")
        draw_points(memory, sized, lambda figures: figures["resident"] / 2**20, fitted=True)
        entitle(cpu, "CPU, scraped every 15 s", "probes", "% of one core")
        draw_points(cpu, sized, lambda figures: 100 * figures["cpu_share"], fitted=True)
        entitle(start, "From the first connect to all open", "probes", "s")
        draw_points(start, sized, lambda figures: figures["up_seconds"], fitted=False)
        most = max(points[-1]["probes"] for points in sized.values())
        label = f"{budget} connects a second"
        start.plot([0, most], [0, most / budget], "--", color=INK, linewidth=1, label=label)
        for panel in (memory, cpu, start):
            panel.set_xlim(left=0)
            panel.set_ylim(bottom=0)
            panel.legend(fontsize=7.5, loc="lower right", framealpha=0.9, edgecolor=GRID)
    return path.name


def draw_points(
    panel: Axes, sized: Points, value: Callable[[Mapping[str, Any]], float], *, fitted: bool
) -> None:
    """Draw a figure for each scheme and size; `fitted` adds the straight line through them."""
    for color, (scheme, points) in zip(COLORS, sized.items(), strict=False):
        xs = [figures["probes"] for figures in points]
        ys = [value(figures) for figures in points]
        panel.plot(xs, ys, "o", color=color, markersize=5, label=scheme)
        if fitted:
            line = fitting.fit(xs, ys)
            ends = [0, xs[-1]]
            label = f"line, R² = {line.r_squared:.4f}"
            along = [line.start + line.slope * x for x in ends]
            panel.plot(ends, along, color=color, linewidth=1.1, label=label)


def restart(per_second: Sequence[int], away: float, budget: int, path: Path) -> str:
    """Draw the connects of each second around a target's restart."""
    with picture(path, 7.5, 3.0) as (panel,):
        panel.bar(range(len(per_second)), per_second, width=0.85, align="edge", color=COLORS[0])
        panel.axvspan(
            0, away, color=COLORS[1], alpha=0.15, lw=0, zorder=0, label="the target is away"
        )
        panel.axhline(budget, color=INK, linewidth=1, linestyle="--", label="budget a second")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        entitle(panel, "Connects begun", "seconds since the target went", "in each second")
        panel.set_xlim(left=0)
        panel.set_ylim(top=1.25 * max(*per_second, budget))
        panel.legend(fontsize=8, frameon=False, loc="upper right", ncols=2)
    return path.name


def soak(mib: Sequence[float], warm_up: float, line: fitting.Line, path: Path) -> str:
    """Draw memory over time, and the line after the warm-up (KiB against minutes)."""
    with picture(path, 7.5, 3.0) as (panel,):
        minutes = [(second + 1) / 60 for second in range(len(mib))]
        panel.plot(minutes, mib, color=COLORS[0], linewidth=1.2)
        ends = [warm_up / 60, len(mib) / 60]
        fitted = [(line.start + line.slope * (at - ends[0])) / 1024 for at in ends]
        label = f"{line.slope:+.1f} ± {line.margin:.1f} KiB a minute"
        panel.plot(ends, fitted, color=COLORS[1], linewidth=1.6, label=label)
        panel.axvspan(0, ends[0], color=GRID, alpha=0.5, lw=0, label="warm-up")
        entitle(panel, "Resident memory while connections are dropped", "minutes", "MiB")
        panel.set_ylim(0, 1.15 * max(mib))
        panel.set_xlim(0, minutes[-1])
        panel.legend(fontsize=8, frameon=False, loc="lower right")
    return path.name
