"""Draws every dashboard of a folder into a folder of pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from grafana.drawing.canvas import Page
from grafana.drawing.client import Prometheus, QueryError
from grafana.drawing.frames import Source, Span
from grafana.drawing.plots import Drawing, Mark, clock
from grafana.drawing.values import color
from grafana.queries import DEFAULTS, dashboards, panels
from monitor.metrics import families

COLORS = 256
ONE_PROBE = "ws-monitor-probe"


def draw_dashboards(
    prometheus: Prometheus, span: Span, folder: Path, probe: str | None = None
) -> list[Path]:
    """Draw all dashboards, and return the pictures.

    Args:
        prometheus: what to ask.
        span: the time to show.
        folder: where the pictures go.
        probe: what the dashboard of one probe shows; the first one there is, if not given.

    Raises:
        QueryError: Prometheus did not answer, refused a query, or knows no probe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    everything = Source(prometheus, span, {**DEFAULTS, "probe": ".*", "vantage": ".*"})
    name = probe or _first_probe(everything)
    one = replace(everything, variables={**everything.variables, "probe": literally(name)})
    paths = []
    for dashboard in dashboards():
        single = dashboard["uid"] == ONE_PROBE
        path = folder / f"{dashboard['uid']}.png"
        page = _draw(dashboard, one if single else everything, name if single else "all")
        _save(page, path)
        paths.append(path)
    return paths


def _save(page: Page, path: Path) -> None:
    """Save a page with few colours: it has few, and documents are to stay small."""
    pixels = BytesIO()
    page.figure.savefig(pixels, format="png")
    Image.open(pixels).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def literally(name: str) -> str:
    """Return a pattern that matches a name alone, as it stands in a query's quotes."""
    return re.escape(name).replace("\\", "\\\\")


def _first_probe(source: Source) -> str:
    found = source.prometheus.instant(families.UP.name, source.span.end)
    if not found:
        raise QueryError(f"Prometheus has no {families.UP.name}: does it scrape ws-monitor?")
    return min(series.labels["probe"] for series in found)


def _draw(dashboard: Mapping[str, Any], source: Source, chosen: str) -> Page:
    page = Page(max(_bottom(panel["gridPos"]) for panel in dashboard["panels"]))
    span = source.span
    page.head(
        dashboard["title"],
        f"probe: {chosen}   {clock(span.start)} to {clock(span.end)} UTC   drawn from the queries, "
        "not by Grafana",
    )
    drawing = Drawing(page, source, _marks(dashboard, source))
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            page.band(panel["gridPos"], panel["title"])
    for panel in panels(dashboard):
        drawing.panel(panel)
    return page


def _bottom(position: Mapping[str, int]) -> int:
    return position["y"] + position["h"]


def _marks(dashboard: Mapping[str, Any], source: Source) -> list[Mark]:
    return [
        Mark(at, color(annotation["iconColor"]))
        for annotation in dashboard["annotations"]["list"]
        if annotation["enable"]
        for at in source.marks(annotation)
    ]
