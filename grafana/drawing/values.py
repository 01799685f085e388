"""How Grafana writes a value: by unit, mappings and thresholds. No drawing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

COLORS = {
    "green": "#56a64b",
    "yellow": "#e0b400",
    "orange": "#ff780a",
    "red": "#e02f44",
    "blue": "#3274d9",
    "purple": "#a352cc",
    "dark-red": "#8f1425",
    "light-blue": "#8ab8ff",
}
PALETTE = (
    *("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0"),
    *("#508642", "#cca300", "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477"),
)
TEXT = "#24292e"


def color(name: str) -> str:
    """Return the colour that a name of Grafana's stands for."""
    return COLORS.get(name, name if name.startswith("#") else TEXT)


# --- Units -------------------------------------------------------------------------------------

SECONDS = (
    (86400.0, "d"),
    (3600.0, "h"),
    (60.0, "min"),
    (1.0, "s"),
    (1e-3, "ms"),
    (1e-6, "µs"),
)
COUNTS = ((1e9, "G"), (1e6, "M"), (1e3, "K"), (0.0, ""))
BYTES = ((2.0**30, " GiB"), (2.0**20, " MiB"), (2.0**10, " KiB"), (0.0, " B"))
BYTES_PER_SECOND = ((1e9, " GB/s"), (1e6, " MB/s"), (1e3, " kB/s"), (0.0, " B/s"))


def _plain(value: float, decimals: int | None) -> str:
    if decimals is None:
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.{decimals}f}"


def _scaled(scales: Sequence[tuple[float, str]], space: str) -> Callable[[float, int | None], str]:
    def write(value: float, decimals: int | None) -> str:
        size, name = next(
            (scale for scale in scales if abs(value) >= scale[0] > 0 or scale[0] == 0), scales[-1]
        )
        # Digits asked for are those of the base unit, and too many for a larger one.
        digits = decimals if decimals is None or size in (0.0, 1.0) else min(decimals, 1)
        return _plain(value / (size or 1), digits) + space + name

    return write


UNITS: Mapping[str, Callable[[float, int | None], str]] = {
    "s": _scaled(SECONDS, " "),
    "short": _scaled(COUNTS, ""),
    "bytes": _scaled(BYTES, ""),
    "Bps": _scaled(BYTES_PER_SECOND, ""),
    "percentunit": lambda value, decimals: _plain(100 * value, decimals) + " %",
    "cps": lambda value, decimals: _scaled(COUNTS, "")(value, decimals) + " c/s",
    "cpm": lambda value, decimals: _scaled(COUNTS, "")(value, decimals) + " c/min",
    "none": _plain,
}


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value in its unit.

    Raises:
        KeyError: a unit that no panel of ours has.
    """
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    if value == 0 and unit != "percentunit":
        return _plain(0, 0) + UNITS[unit](1, 0).lstrip("1")
    return UNITS[unit](value, decimals)


# --- Levels and texts --------------------------------------------------------------------------


def level_color(value: float, thresholds: Mapping[str, Any]) -> str:
    """Return the colour of the highest step that a value has reached."""
    steps = thresholds["steps"]
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return color(reached[-1]["color"])


def mapped(value: float, mappings: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Return the text and the colour that stand for a value, if any do."""
    for mapping in mappings:
        if mapping["type"] == "value":
            found = mapping["options"].get(f"{value:g}")
        else:
            found = mapping["options"]["result"] if math.isnan(value) else None
        if found:
            return found["text"], color(found["color"])
    return None


def legend(template: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series."""
    text = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda name: labels.get(name[1], ""), template)
    return " ".join(text.split())
