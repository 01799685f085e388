"""Pictures of the dashboards, from the drill's own Prometheus."""

from __future__ import annotations

import time
from pathlib import Path

from drill.scenarios import SHOWN
from drill.stage import Form
from grafana.drawing.client import Prometheus
from grafana.drawing.draw import draw_dashboards
from grafana.drawing.frames import Span


def draw(address: str, form: Form, folder: Path) -> None:
    """Draw what the dashboards would show of the whole drill."""
    end = time.time()
    span = Span(end - form.limit, end, form.interval)
    draw_dashboards(Prometheus(address), span, folder, SHOWN)
