"""Measure what a monitor of so many probes takes: the table in docs/kubernetes.md.

    .venv/bin/python deploy/measure.py COUNT [--tls] [--interval 10s]

runs `ws-monitor run` against a fast echo server on loopback for half a minute, and prints one line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
SCRAPES = 2
BETWEEN_SCRAPES = 10.0


@contextmanager
def running(*command: str, **arguments: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program, and end it."""
    # Programs of this project, with arguments from this file.
    with subprocess.Popen(command, text=True, cwd=ROOT, **arguments) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class Monitor:
    """A running monitor that serves on `port`."""

    pid: int
    port: int

    def page(self, path: str) -> str:
        """Return a page; nothing where there is none yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            return ""

    def up(self) -> int:
        """Return how many probes are up."""
        lines = self.page("/metrics").splitlines()
        return sum(line.startswith("ws_probe_up{") and line.endswith(" 1.0") for line in lines)

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the MiB of memory that it has in use."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def wait_until(check: Callable[[], Any]) -> Any:
    """Return what `check` returns once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := check()):
        if time.monotonic() > end:
            raise SystemExit(f"not within {PATIENCE:g} s")
        time.sleep(0.1)
    return found


def echo_server(stack: ExitStack, directory: Path, *, tls: bool) -> int:
    """Start the server; return its port."""
    command = [sys.executable, "-m", "benchmarks.programs.echo_server"]
    if tls:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(directory / "ca.pem")
        pem = directory / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
        command += ["--cert", str(pem), "--key", str(pem)]
    says = directory / "port"
    stack.enter_context(running(*command, stdout=says.open("w")))
    return int(wait_until(says.read_text))


def config(port: int, count: int, interval: str, *, tls: bool = False) -> dict[str, Any]:
    """Return the config of so many probes of that server."""
    defaults: dict[str, Any] = {"heartbeat": {"interval": interval}}
    if tls:
        defaults["tls"] = {"ca_file": "ca.pem"}
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/"
    probe = {"url": url, "protocol": "text", "text": {"send": "{id}"}}
    return {
        "web": {"listen": "127.0.0.1:0"},
        "log": {"format": "json"},
        "connect": {"per_second": 200},
        "defaults": defaults,
        "probes": [{"name": f"p{number}", **probe} for number in range(count)],
    }


def monitor(stack: ExitStack, directory: Path) -> Monitor:
    """Start the monitor with the config in `directory`."""
    log = directory / "log"
    command = (str(Path(sys.executable).parent / "ws-monitor"), "run", "--config")
    process = stack.enter_context(
        running(*command, str(directory / "config.yaml"), stderr=log.open("w"))
    )

    def port() -> int | None:
        lines = (json.loads(line) for line in log.read_text().splitlines() if line.endswith("}"))
        found = [line["web"] for line in lines if line["message"] == "started"]
        return int(found[0].rpartition(":")[2]) if found else None

    return Monitor(process.pid, wait_until(port))


def measure(count: int, interval: str, *, tls: bool) -> str:
    """Return the figures as a line."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        port = echo_server(stack, directory, tls=tls)
        text = json.dumps(config(port, count, interval, tls=tls))
        (directory / "config.yaml").write_text(text)
        began = time.monotonic()
        watched = monitor(stack, directory)
        wait_until(lambda: watched.up() == count)
        up_after = time.monotonic() - began
        starting = watched.cpu()
        time.sleep(1.0)
        before, at = watched.cpu(), time.monotonic()
        for _ in range(SCRAPES):
            time.sleep(BETWEEN_SCRAPES)
            page = watched.page("/metrics")
        cpu = (watched.cpu() - before) / (time.monotonic() - at)
        return (
            f"{count} probes over {'wss' if tls else 'ws'}, every {interval}: "
            f"{watched.memory():.0f} MiB, {1000 * cpu:.0f} m CPU, "
            f"page {len(page) / 2**20:.1f} MiB, "
            f"up after {up_after:.1f} s and {starting:.1f} s of CPU"
        )


def main() -> None:
    """Parse arguments, measure, and print."""
    parser = argparse.ArgumentParser(description="Measure what a monitor takes.")
    parser.add_argument("count", type=int)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--interval", default="10s")
    arguments = parser.parse_args()
    line = measure(arguments.count, arguments.interval, tls=arguments.tls)
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
