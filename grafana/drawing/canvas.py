"""A page in Grafana's grid, and cards on it. Knows pixels, and nothing of Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from grafana.drawing.values import TEXT

WIDTH = 1600
COLUMN = WIDTH / 24
UNIT = 38
"""Pixels for one unit of height: 30 and a gap of 8, as in Grafana."""

GAP = 8
HEAD = 56
DPI = 100
PAPER, CARD, EDGE, FAINT = "#f4f5f5", "#ffffff", "#dcdee0", "#6e747a"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, from the upper left corner of the page."""

    x: float
    y: float
    width: float
    height: float

    def inner(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return what is left within these margins."""
        width, height = self.width - left - right, self.height - top - bottom
        return Box(self.x + left, self.y + top, max(width, 1), max(height, 1))


class Page:
    """One dashboard as a picture; `height` is in units of Grafana's grid."""

    def __init__(self, height: int) -> None:
        self.pixels = height * UNIT + HEAD
        self.figure = Figure(figsize=(WIDTH / DPI, self.pixels / DPI), dpi=DPI, facecolor=PAPER)

    def head(self, title: str, text: str) -> None:
        """Write the title of the dashboard, and what was chosen."""
        self.text(14, 18, title, size=13, weight="bold")
        self.text(14, 41, text, size=8.5, color=FAINT)

    def band(self, position: Mapping[str, int], title: str) -> None:
        """Write a heading between panels."""
        box = self.box(position)
        self.text(box.x + 4, box.y + box.height / 2, f"▾ {title}", size=10.5, weight="bold")

    def card(self, position: Mapping[str, int], title: str, unit: str) -> Box:
        """Draw a panel's card, and return the room in it."""
        box = self.box(position)
        x, y, width, height = self._relative(box)
        self.figure.add_artist(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle="square,pad=0",
                facecolor=CARD,
                edgecolor=EDGE,
                linewidth=0.8,
                zorder=-1,
            )
        )
        self.text(box.x + 9, box.y + 14, title, size=9, weight="bold")
        if box.width > 300:
            self.text(box.x + box.width - 9, box.y + 14, unit, size=7, color=FAINT, align="right")
        return box.inner(9, 28, 9, 8)

    def axes(self, box: Box) -> Axes:
        """Return axes that fill a box."""
        axes = self.figure.add_axes(self._relative(box))
        self.style(axes)
        return axes

    def style(self, axes: Axes) -> None:
        """Give axes thin lines and small figures."""
        axes.tick_params(labelsize=7, colors=FAINT, length=2, width=0.5)
        for spine in axes.spines.values():
            spine.set_color(EDGE)
            spine.set_linewidth(0.6)

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write at a place in pixels."""
        self.figure.text(
            x / WIDTH,
            1 - y / self.pixels,
            # A lone dollar sign would begin a formula.
            text.replace("$", r"\$"),
            fontsize=style.get("size", 8),
            color=style.get("color", TEXT),
            weight=style.get("weight", "normal"),
            ha=style.get("align", "left"),
            va=style.get("valign", "center"),
        )

    def box(self, position: Mapping[str, int]) -> Box:
        """Return the place of a panel."""
        return Box(
            position["x"] * COLUMN + GAP / 2,
            position["y"] * UNIT + HEAD + GAP / 2,
            position["w"] * COLUMN - GAP,
            position["h"] * UNIT - GAP,
        )

    def _relative(self, box: Box) -> tuple[float, float, float, float]:
        bottom = 1 - (box.y + box.height) / self.pixels
        return box.x / WIDTH, bottom, box.width / WIDTH, box.height / self.pixels
