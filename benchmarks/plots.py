"""The pictures for the page, drawn from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


def growth(sized: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> str:
    """Draw memory, CPU time and start against the number of probes."""
    panels: tuple[tuple[str, str, Any], ...] = (
        ("Resident memory", "MiB", lambda figures: figures["resident"] / 2**20),
        ("CPU, scraped every 15 s", "% of one core", lambda figures: 100 * figures["cpu_share"]),
        ("From the first connect to all open", "s", lambda figures: figures["up_seconds"]),
    )
    with picture(path, 10.5, 3.4, len(panels)) as axes:
        for panel, (title, unit, value) in zip(axes, panels, strict=True):
            for color, (scheme, points) in zip(COLORS, sized.items(), strict=False):
                xs = [figures["probes"] for figures in points]
                ys = [value(figures) for figures in points]
                line = fitting.fit(xs, ys)
                panel.plot(xs, ys, "o", color=color, markersize=5, label=scheme)
                ends = [0, xs[-1]]
                fitted = [line.start + line.slope * x for x in ends]
                label = f"line, R² = {line.r_squared:.4f}"
                panel.plot(ends, fitted, color=color, linewidth=1.1, label=label)
            entitle(panel, title, "probes, each with a beat every 10 s", unit)
            panel.set_xlim(left=0)
            panel.set_ylim(bottom=0)
            panel.legend(fontsize=7.5, frameon=False, loc="upper left")
    return path.name


def restart(per_second: Sequence[int], away: float, budget: int, path: Path) -> str:
    """Draw the connects of each second around a target's restart."""
    with picture(path, 7.5, 3.0) as (panel,):
        panel.bar(range(len(per_second)), per_second, width=0.85, align="edge", color=COLORS[0])
        panel.axvspan(0, away, color=COLORS[1], alpha=0.15, label="the target is away")
        panel.axhline(budget, color=INK, linewidth=1, linestyle="--", label="budget a second")
        entitle(panel, "Connects begun", "seconds since the target went", "in each second")
        panel.set_xlim(left=0)
        panel.legend(fontsize=8, frameon=False)
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
        panel.axvspan(0, ends[0], color=GRID, alpha=0.5, label="warm-up")
        entitle(panel, "Resident memory while connections are dropped", "minutes", "MiB")
        panel.set_ylim(bottom=0)
        panel.set_xlim(left=0)
        panel.legend(fontsize=8, frameon=False, loc="lower right")
    return path.name
