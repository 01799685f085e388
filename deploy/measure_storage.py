"""Measure what a Prometheus with our rules takes for so many probes: docs/scaling.md.

    .venv/bin/python -m deploy.measure_storage COUNT [--detail basic] [--scrapes 240]

runs the monitor against a fast echo server on loopback, with a beat and a scrape every second, and
prints one line. What is stored for a sample depends on how many samples there are and how they
change, not on the seconds between them.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import measure

RULES = measure.ROOT / "deploy/prometheus/rules"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus that serves on `port` and stores in `data`."""

    port: int
    data: Path

    def ask(self, path: str, *, method: str = "GET") -> Any:
        """Return what the API answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - http
            return json.load(answer)["data"]

    def ready(self) -> bool:
        """Whether it serves."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def value(self, query: str) -> float:
        """Return what a query finds, 0 where that is nothing."""
        found = self.ask(f"/api/v1/query?{urllib.parse.urlencode({'query': query})}")["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def memory(self) -> float:
        """Return the bytes of memory that it has in use."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            page = answer.read().decode()
        return float(re.findall(r"^process_resident_memory_bytes (.+)$", page, re.MULTILINE)[0])

    def block(self) -> tuple[int, int]:
        """Write all that it holds as a block; return its samples, and its bytes on the disk."""
        name = self.ask("/api/v1/admin/tsdb/snapshot", method="POST")["name"]
        files = [path for path in (self.data / "snapshots" / name).rglob("*") if path.is_file()]
        metas = [json.loads(path.read_text()) for path in files if path.name == "meta.json"]
        samples = sum(meta["stats"]["numSamples"] for meta in metas)
        return samples, sum(path.stat().st_size for path in files)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def prometheus(stack: ExitStack, directory: Path, target: int) -> Prometheus:
    """Start it, scraping that port."""
    scrape = {
        "job_name": "ws-monitor",
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
    }
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "10s"},
        "rule_files": [f"{RULES}/*.yml"],
        "scrape_configs": [scrape],
    }
    file = directory / "prometheus.yml"
    file.write_text(json.dumps(settings))
    started = Prometheus(free_port(), directory / "data")
    stack.enter_context(
        measure.running(
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={started.data}",
            f"--web.listen-address=127.0.0.1:{started.port}",
            "--web.enable-admin-api",
            stderr=(directory / "prometheus.log").open("w"),
        )
    )
    measure.wait_until(started.ready)
    return started


def measure_storage(count: int, detail: str, scrapes: int) -> str:
    """Return the figures as a line."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        config = measure.config(measure.echo_server(stack, directory, tls=False), count, "1s")
        config["metrics"] = {"detail": detail}
        (directory / "config.yaml").write_text(json.dumps(config))
        watched = measure.monitor(stack, directory)
        measure.wait_until(lambda: watched.up() == count)
        storing = prometheus(stack, directory, watched.port)
        empty = storing.memory()
        while storing.value('count_over_time(up{job="ws-monitor"}[1h])') < scrapes:
            time.sleep(1.0)
        scraped = storing.value('scrape_samples_scraped{job="ws-monitor"}')
        series = storing.value('count({__name__!=""})')
        recorded = storing.value('count({__name__=~".+:.+:.+"})')
        memory = storing.memory() - empty
        samples, size = storing.block()
        version = storing.ask("/api/v1/status/buildinfo")["version"]
        return (
            f"Prometheus {version}, {count} probes, {detail}, {scrapes} scrapes: "
            f"{scraped / count:.1f} series scraped for each probe, "
            f"{recorded / count:.1f} recorded; "
            f"{memory / series / 1024:.1f} KiB of memory for each series, "
            f"{empty / 2**20:.0f} MiB without any; "
            f"{size / samples:.2f} bytes on the disk for each of {samples} samples"
        )


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description="Measure what Prometheus takes.")
    parser.add_argument("count", type=int)
    parser.add_argument("--detail", choices=("full", "basic"), default="full")
    parser.add_argument("--scrapes", type=int, default=240)
    arguments = parser.parse_args()
    line = measure_storage(arguments.count, arguments.detail, arguments.scrapes)
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
