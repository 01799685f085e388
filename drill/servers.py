"""The real Prometheus and Alertmanager, with the configs that this project ships.

Of those, only addresses, intervals and the paths of files are replaced. Rules are used as they are.
"""

from __future__ import annotations

import asyncio
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from grafana.drawing.client import Prometheus, QueryError
from tests.integration.harness import Lab, free_ports, wait_until

SHIPPED = Path(__file__).parents[1] / "deploy" / "prometheus"
LONGEST_GROUP_WAIT = 1
LONGEST_GROUP_INTERVAL = 5
"""Seconds. The route of critical alerts has these as shipped."""

UP_AND_ECHOED = (
    "ws_probe_up == 1 and on (probe, vantage) ws_probe_heartbeats_echoed_total{mode='message'} > 0"
)

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Guests:
    """Addresses of receivers that are told as well; whoever runs the drill wants to try them."""

    webhook: str | None = None
    alertmanager: str | None = None

    @property
    def labels(self) -> dict[str, str]:
        """Labels that tell strangers that nothing is on fire."""
        return {"drill": "yes"} if self.webhook or self.alertmanager else {}


@dataclass(frozen=True, slots=True)
class Watchman:
    """A running Prometheus."""

    address: str

    async def sees(self, probes: int) -> None:
        """Wait until it has seen so many probes up, and an echo of each."""
        await wait_until(
            lambda: asyncio.to_thread(self._sees, probes),
            what=f"{probes} probes up in Prometheus",
            within=60,
            every=0.3,
        )

    def _sees(self, probes: int) -> bool:
        try:
            found = Prometheus(self.address).instant(UP_AND_ECHOED, at=time.time())
        except QueryError:
            return False
        return len(found) == probes


async def start_alertmanager(lab: Lab, webhook: int, guests: Guests) -> int:
    """Start Alertmanager as shipped, with every notification sent to one port; return its own."""
    config = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    config["templates"] = [str(SHIPPED / "*.tmpl")]
    for route in _routes(config["route"]):
        _hasten(route, "group_wait", LONGEST_GROUP_WAIT)
        _hasten(route, "group_interval", LONGEST_GROUP_INTERVAL)
    for receiver in config["receivers"]:
        (hook,) = receiver["webhook_configs"]
        urls = [f"http://127.0.0.1:{webhook}/", *filter(None, [guests.webhook])]
        receiver["webhook_configs"] = [{**hook, "url": url} for url in urls]
    path = lab.directory / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    lab.program(
        "prometheus-alertmanager",
        f"--config.file={path}",
        f"--storage.path={lab.directory / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        name="alertmanager",
    )
    await _ready(port, "alertmanager")
    return port


async def start_prometheus(
    lab: Lab, monitors: Sequence[int], alertmanager: int, interval: int, guests: Guests
) -> Watchman:
    """Start Prometheus as shipped; it scrapes these ports and evaluates every so many seconds."""
    (port,) = free_ports(1)
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"].update(scrape_interval=f"{interval}s", evaluation_interval=f"{interval}s")
    config["global"].update({"external_labels": guests.labels} if guests.labels else {})
    config["rule_files"] = [str(SHIPPED / name) for name in config["rule_files"]]
    config["alerting"]["alertmanagers"] = [_static([alertmanager])]
    if guests.alertmanager:
        config["alerting"]["alertmanagers"].append(_elsewhere(guests.alertmanager))
    jobs = {"ws-monitor": monitors, "prometheus": [port]}
    for job in config["scrape_configs"]:
        job.update(_static(jobs[job["job_name"]]))
    path = lab.directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    lab.program(
        "prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={lab.directory / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        name="prometheus",
    )
    await _ready(port, "prometheus")
    return Watchman(f"http://127.0.0.1:{port}")


async def _ready(port: int, name: str) -> None:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    await wait_until(lambda: asyncio.to_thread(ready), what=f"{name} is ready")


def _static(ports: Sequence[int]) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}


def _elsewhere(url: str) -> dict[str, Any]:
    parts = urllib.parse.urlsplit(url)
    return {
        "scheme": parts.scheme,
        "path_prefix": parts.path,
        "static_configs": [{"targets": [parts.netloc]}],
    }


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", []):
        yield from _routes(child)


def _hasten(route: dict[str, Any], key: str, longest: int) -> None:
    if key in route and _seconds(route[key]) > longest:
        route[key] = f"{longest}s"


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]
