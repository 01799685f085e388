"""Starting the programs that a case needs, and reading what the kernel says of them."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds that a program may take to come up."""

PYTHON = sys.executable

TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def program(*command: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program and end it, gently at first."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def python(module: str, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our modules."""
    with program(sys.executable, "-m", module, *arguments, **options) as process:
        yield process


def raise_file_limit() -> None:
    """Let this process and its children open as many files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def echo_server(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the echo server; yield it and its port."""
    with python("benchmarks.echo_server", *arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())


class Monitor:
    """The real program under test, and how to ask it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def scrape(self) -> bytes:
        """Fetch a page of metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as page:
            return bytes(page.read())

    def totals(self) -> dict[str, float]:
        """Scrape, and add up each sample name over all probes."""
        return add_up(self.scrape())

    def wait_until_up(self, probes: int) -> None:
        """Wait until so many probes are up."""
        end = time.monotonic() + PATIENCE + probes / 100
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if self.totals().get("ws_probe_up") == probes:
                    return
            time.sleep(0.5 + probes / 10_000)
        raise TimeoutError(f"{probes} probes did not come up")


def add_up(page: bytes) -> dict[str, float]:
    """Add up each sample name of a page in the text format; labels are passed over."""
    sums: dict[str, float] = {}
    for line in page.decode().splitlines():
        if not line.startswith("#"):
            head, _, value = line.rpartition(" ")
            name = head.partition("{")[0]
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums


@contextlib.contextmanager
def monitor(folder: Path, config: dict[str, Any], *arguments: str) -> Iterator[Monitor]:
    """Run `ws-monitor run` with a config; yield it as soon as it is started."""
    port = free_port()
    config = {"web": {"listen": f"127.0.0.1:{port}"}, "log": {"level": "warning"}, **config}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    with python("monitor", "run", "--config", str(path), *arguments) as process:
        yield Monitor(process, port)


def fleet_config(url: str, probes: int, interval: float, **defaults: Any) -> dict[str, Any]:
    """A config of many equal probes that beat with an id in their text."""
    beat = f"{round(interval * 1000)}ms"
    return {
        "connect": {"max_concurrent": 200, "per_second": 500},
        "defaults": {
            "protocol": "text",
            "text": {"send": "hb-{id}"},
            "heartbeat": {"interval": beat, "timeout": beat},
            **defaults,
        },
        "probes": [{"name": f"p{number}", "url": url} for number in range(probes)],
    }


def load() -> float:
    """Processes that wanted a processor, averaged over the last minute."""
    return os.getloadavg()[0]


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """CPU time that a process has used so far, in user and system mode."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(process: subprocess.Popen[bytes]) -> int:
    """Memory that a process holds."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files(process: subprocess.Popen[bytes]) -> int:
    """File descriptors that a process holds."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of all values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
