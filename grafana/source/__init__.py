"""The dashboards as code. `python -m grafana.source` writes them to `grafana/dashboards/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source import fleet, health, probe, slo

DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "fleet.json": fleet.build,
    "probe.json": probe.build,
    "health.json": health.build,
    "slo.json": slo.build,
}
"""What builds each file."""

FOLDER = Path(__file__).parent.parent / "dashboards"


def render(build: Callable[[], Dashboard]) -> str:
    """Return a dashboard as its file has it: always the same text for the same source."""
    text = json.dumps(build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
    return text + "\n"


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every dashboard, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in DASHBOARDS.items():
        (folder / name).write_text(render(build), encoding="utf-8")
    return [folder / name for name in DASHBOARDS]
