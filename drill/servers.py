"""The real Prometheus and Alertmanager, with the configs that this project ships.

Of those, only addresses, intervals and the paths of files are replaced. Rules are used as they are.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.integration.harness import Lab, free_ports, wait_until

SHIPPED = Path(__file__).parents[1] / "deploy" / "prometheus"
LONGEST_GROUP_WAIT = 1
LONGEST_GROUP_INTERVAL = 5
"""Seconds. The route of critical alerts has these as shipped."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Api:
    """A program with a JSON API on a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def address(self) -> str:
        """The address of its web page."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **asked: object) -> Any:
        """Return an answer's value.

        Raises:
            OSError: there was none.
        """
        address = f"{self.address}{path}?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 -- our own address
            return json.load(answer)

    async def serves(self, name: str) -> None:
        """Wait until it answers."""

        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"{self.address}/-/ready", timeout=5):  # noqa: S310 -- as above
                    return True
            except OSError:
                return False

        await wait_until(ready, what=f"{name} is ready")


class Prometheus(Api):
    """What the alerts are made from."""

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return what a query gives, now or at a Unix time.

        Raises:
            ValueError: Prometheus refuses the query.
        """
        asked = {"query": expression} if at is None else {"query": expression, "time": at}
        try:
            found: list[dict[str, Any]] = self.get("/api/v1/query", **asked)["data"]["result"]
        except urllib.error.HTTPError as error:
            refusal = json.load(error)["error"]
            raise ValueError(f"{expression}: {refusal}") from error
        return found


class Alertmanager(Api):
    """Who is told, and what is muted."""

    def muted(self, name: str, **labels: str) -> bool:
        """Return whether an alert fires and another one mutes it now."""
        return any(
            {"alertname": name, **labels}.items() <= alert["labels"].items()
            and alert["status"]["inhibitedBy"]
            for alert in self.get("/api/v2/alerts")
        )


async def start_alertmanager(lab: Lab, webhook: int) -> Alertmanager:
    """Start Alertmanager as shipped, with everybody's notifications sent to one webhook."""
    config = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    config["templates"] = [str(SHIPPED / "*.tmpl")]
    for route in _routes(config["route"]):
        _hasten(route, "group_wait", LONGEST_GROUP_WAIT)
        _hasten(route, "group_interval", LONGEST_GROUP_INTERVAL)
    for receiver in config["receivers"]:
        (hook,) = receiver["webhook_configs"]
        hook["url"] = f"http://127.0.0.1:{webhook}/{receiver['name']}"
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
    alertmanager = Alertmanager(port)
    await alertmanager.serves("alertmanager")
    return alertmanager


async def start_prometheus(
    lab: Lab, monitors: list[int], alertmanager: Alertmanager, interval: int
) -> Prometheus:
    """Start Prometheus as shipped; it scrapes these ports and evaluates every so many seconds."""
    (port,) = free_ports(1)
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"].update(scrape_interval=f"{interval}s", evaluation_interval=f"{interval}s")
    config["rule_files"] = [str(SHIPPED / name) for name in config["rule_files"]]
    config["alerting"]["alertmanagers"] = _static([alertmanager.port])
    jobs = {"ws-monitor": monitors, "prometheus": [port]}
    for job in config["scrape_configs"]:
        job["static_configs"] = _static(jobs[job["job_name"]])[0]["static_configs"]
    path = lab.directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    lab.program(
        "prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={lab.directory / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        name="prometheus",
    )
    prometheus = Prometheus(port)
    await prometheus.serves("prometheus")
    return prometheus


def _static(ports: list[int]) -> list[dict[str, Any]]:
    return [{"static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}]


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for child in route.get("routes", []):
        yield from _routes(child)


def _hasten(route: dict[str, Any], key: str, longest: int) -> None:
    if key in route and _seconds(route[key]) > longest:
        route[key] = f"{longest}s"


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]
