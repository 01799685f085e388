"""A real Prometheus takes every query of the dashboards, and has data for it."""

import asyncio
import json
import math
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from grafana.drawing.client import Prometheus, QueryError
from grafana.queries import EMPTY_WITHOUT, Asked, dashboards, list_queries
from tests.integration.harness import (
    Lab,
    Monitor,
    ProbeView,
    free_ports,
    talo_probe,
    wait_until,
)

ROOT = Path(__file__).parents[2]
DRAW = ROOT / "scripts/draw-dashboards"

DID_NOT_HAPPEN = {"an alert that fires", "a probe that uses TLS", "five minutes of data"}
"""What the short run below does not bring about."""

SECONDS_OF_DATA = 8
QUERIES = list_queries(rate_interval="6s", range="40s", interval="1s")


@dataclass(frozen=True, slots=True)
class Watched:
    """A Prometheus that has watched a monitor through a drop and a time of refused connects."""

    prometheus: Prometheus
    address: str
    start: float
    end: float

    def answers(self, asked: Asked) -> bool:
        """Return whether a query returns data, now or, for marks and lines, at any time."""
        if asked.kind == "instant":
            return bool(self.prometheus.instant(asked.expr, self.end))
        # Counted back from the end: what was measured last is there, however short a time it was.
        start = self.end - math.ceil(self.end - self.start)
        return bool(self.prometheus.range(asked.expr, start, self.end, 1))


@pytest.fixture
async def watched(lab: Lab) -> Watched:
    """Let a probe live through a little trouble under the eyes of Prometheus."""
    (target,) = await lab.targets(1)
    monitor = await lab.monitor(
        [
            talo_probe("game", target.url, ping={"interval": "300ms", "timeout": "250ms"}),
            talo_probe("chat", target.url),
        ],
        labels={"vantage": "here"},
    )
    address = await _prometheus(lab, monitor)
    prometheus = Prometheus(address)
    # A counter that is born after its first event would hide that.
    await wait_until(lambda: len(_seen(prometheus)) == 2, what="both probes in Prometheus")
    (first, _) = _seen(prometheus)
    # Each event that a panel waits for is awaited here, however short the trouble was.
    await target.put(silent=True)
    await monitor.until(lambda scrape: scrape.probe("game").message.missed >= 1)
    await target.put(silent=False, refuse=True)
    await target.act("reset")
    await monitor.until(lambda scrape: _has_suffered(scrape.probe("game")))
    await target.heal()
    await monitor.until(lambda scrape: scrape.probe("game").up and scrape.probe("chat").up)

    healthy = f"sum_over_time(min (ws_probe_up)[{SECONDS_OF_DATA}s:1s]) >= {SECONDS_OF_DATA}"
    await wait_until(
        lambda: prometheus.instant(healthy, time.time()), what=f"{SECONDS_OF_DATA} s of health"
    )
    # The monitor asks the kernel only now and then; a connection that is new waits for its turn.
    measured = "count(ws_probe_tcp_rtt_seconds) >= 2"
    await wait_until(lambda: prometheus.instant(measured, time.time()), what="both paths measured")
    return Watched(prometheus, address, first, time.time())


def _has_suffered(probe: ProbeView) -> bool:
    """Whether a connect failed, and a heartbeat of each mode was skipped for it."""
    return sum(probe.failures.values()) >= 2 and all(
        beats.skipped.get("not_connected") for beats in (probe.message, probe.ping)
    )


async def _prometheus(lab: Lab, monitor: Monitor) -> str:
    (port,) = free_ports(1)
    job = {
        "job_name": "ws-monitor",
        "static_configs": [{"targets": [f"127.0.0.1:{monitor.port}"]}],
    }
    config = lab.write({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})
    lab.program(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={lab.directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        name="prometheus",
    )
    return f"http://127.0.0.1:{port}"


def _seen(prometheus: Prometheus) -> list[float]:
    """Return when each probe was scraped last."""
    try:
        return [series.last for series in prometheus.instant("timestamp(ws_probe_up)", time.time())]
    except QueryError:
        return []


def test_promtool_takes_every_query(tmp_path: Path) -> None:
    """With the variables filled in, as rules."""
    rules = [
        {"record": f"dashboards:query_{number}:checked", "expr": asked.expr}
        for number, asked in enumerate(QUERIES)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(QUERIES)} rules found" in checked.stdout


async def test_every_query_returns_data(watched: Watched) -> None:
    """Those that wait for an event do so once it has happened."""
    empty = [asked for asked in QUERIES if not watched.answers(asked)]
    unexplained = [asked for asked in empty if asked[:2] not in EMPTY_WITHOUT]
    assert not unexplained

    asked_of: defaultdict[tuple[str, ...], list[Asked]] = defaultdict(list)
    for asked in QUERIES:
        asked_of[asked[:2]].append(asked)
    silent = {panel for panel, queries in asked_of.items() if set(queries) <= set(empty)}
    happened = {panel for panel, event in EMPTY_WITHOUT.items() if event not in DID_NOT_HAPPEN}
    assert not silent & happened


def _draw(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DRAW, *options], capture_output=True, text=True, timeout=100, check=False
    )


async def test_the_dashboards_are_drawn(watched: Watched, tmp_path: Path) -> None:
    """One picture for each, with something on it."""
    drawn = await asyncio.to_thread(
        _draw,
        *("--prometheus", watched.address, "--scrape-interval", "1s"),
        *("--since", "60s", "--until", str(watched.end), "--out", tmp_path / "drawn"),
    )
    assert drawn.returncode == 0, drawn.stderr
    pictures = [Path(line) for line in drawn.stdout.splitlines()]
    assert sorted(path.stem for path in pictures) == sorted(board["uid"] for board in dashboards())
    for picture in pictures:
        with Image.open(picture) as image:
            assert (image.format, image.width) == ("PNG", 1600)
            # Cards, texts and lines have many colours, an empty page one or two.
            assert len(image.getcolors() or ()) > 50


def test_drawing_without_prometheus_says_so_in_one_line(tmp_path: Path) -> None:
    """No traceback for a wrong address."""
    (port,) = free_ports(1)
    drawn = _draw("--prometheus", f"http://127.0.0.1:{port}", "--out", tmp_path)
    assert drawn.returncode == 1
    assert drawn.stderr.startswith("draw-dashboards: no answer from http://127.0.0.1")
    assert drawn.stderr.count("\n") == 1
