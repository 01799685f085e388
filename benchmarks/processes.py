"""Starting the programs that a case needs, and reading what the kernel says of them."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from benchmarks.addresses import address
from benchmarks.page import Page
from benchmarks.programs.usual_way import SERVER_NAME

PATIENCE = 60.0
"""Seconds that a program may take to come up."""

STOPPED = 30.0
"""Seconds that a program may take to end."""

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
        end(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program, gently at first."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOPPED)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def python(module: str, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our modules."""
    with program(PYTHON, "-m", module, *arguments, **options) as process:
        yield process


class Talker:
    """A program that answers a line with a line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def hear(self) -> str:
        """Return the next line it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended")
        return line.strip()

    def ask(self, line: str = "?") -> str:
        """Send a line and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()
        return self.hear()


@contextlib.contextmanager
def talker(*command: str) -> Iterator[Talker]:
    """Run a program to talk to."""
    with program(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Talker(process)


@contextlib.contextmanager
def module_talker(module: str, *arguments: str) -> Iterator[Talker]:
    """Run one of our modules to talk to."""
    with talker(PYTHON, "-m", module, *arguments) as found:
        yield found


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files for TLS: whom to trust, and the server's own."""

    ca: Path
    cert: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, and a certificate of it for our servers."""
    authority = trustme.CA()
    issued = authority.issue_cert(SERVER_NAME)
    files = Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(str(files.ca))
    issued.cert_chain_pems[0].write_to_path(str(files.cert))
    issued.private_key_pem.write_to_path(str(files.key))
    return files


class EchoServer:
    """The echo server, which keeps books of its own."""

    def __init__(self, talker: Talker, port: int) -> None:
        self.process = talker.process
        self.port = port
        self._talker = talker

    def order(self, line: str) -> dict[str, Any]:
        """Give an order; return the server's books."""
        books: dict[str, Any] = json.loads(self._talker.ask(line))
        return books

    def books(self) -> dict[str, Any]:
        """Return the server's books."""
        return self.order("books")

    def wait_until_open(self, connections: int, patience: float = PATIENCE) -> None:
        """Wait until so many connections are open."""
        limit = time.monotonic() + patience
        while self.order("open")["open"] < connections:
            if time.monotonic() > limit:
                raise TimeoutError(f"fewer than {connections} connections were opened")
            time.sleep(0.1)


@contextlib.contextmanager
def echo_server(tls: Certificates | None = None, port: int = 0) -> Iterator[EchoServer]:
    """Run the echo server."""
    arguments = ["--port", str(port)]
    if tls is not None:
        arguments += ["--cert", str(tls.cert), "--key", str(tls.key)]
    with module_talker("benchmarks.programs.echo_server", *arguments) as found:
        yield EchoServer(found, int(found.hear()))


class Monitor:
    """The real program under test, and how to ask it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def fetch(self, encoding: str = "gzip") -> bytes:
        """Fetch a page as it goes over the wire; compressed by default, as Prometheus has it."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        request = urllib.request.Request(url, headers={"Accept-Encoding": encoding})
        with urllib.request.urlopen(request, timeout=PATIENCE) as page:
            return bytes(page.read())

    def scrape(self) -> Page:
        """Fetch a page of metrics as Prometheus does, and unpack it."""
        return Page(gzip.decompress(self.fetch()))

    def wait_until_up(self, probes: int) -> None:
        """Wait until so many probes are up."""
        limit = time.monotonic() + PATIENCE + probes / 100
        while time.monotonic() < limit:
            with contextlib.suppress(OSError):
                if self.scrape().total("ws_probe_up") == probes:
                    return
            time.sleep(0.2 + probes / 5_000)
        raise TimeoutError(f"{probes} probes did not come up")


@contextlib.contextmanager
def monitor(
    folder: Path, config: dict[str, Any], *arguments: str, observe: tuple[str, str] | None = None
) -> Iterator[Monitor]:
    """Run `ws-monitor run` with a config; yield it as soon as it is started.

    `observe` names a file and the kinds of notes to take in it (see `observed_monitor`).
    """
    port = free_port()
    config = {"web": {"listen": f"127.0.0.1:{port}"}, "log": {"level": "error"}, **config}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    command = ["monitor"]
    if observe is not None:
        command = ["benchmarks.programs.observed_monitor", *observe]
    with python(*command, "run", "--config", str(path), *arguments) as process:
        yield Monitor(process, port)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Equal probes that beat with an id in their text, each on an address and a path of its own.

    `connects` are the attempts that may be started each second.
    """

    port: int
    probes: int
    interval: float
    scheme: str = "ws"
    tls: Certificates | None = None
    connects: int = 500
    addresses: int = 62_500
    extra: list[dict[str, Any]] = field(default_factory=list)

    def url(self, number: int) -> str:
        """Where a probe goes."""
        host = address(number % self.addresses)
        return f"{self.scheme}://{host}:{self.port}/{name(number)}"

    def config(self) -> dict[str, Any]:
        """Return the monitor's config."""
        beat = f"{round(self.interval * 1000)}ms"
        defaults: dict[str, Any] = {
            "protocol": "text",
            "text": {"send": "hb-{id}"},
            "heartbeat": {"interval": beat, "timeout": beat},
        }
        if self.tls is not None:
            defaults["tls"] = {"ca_file": str(self.tls.ca), "server_name": SERVER_NAME}
        probes = [{"name": name(each), "url": self.url(each)} for each in range(self.probes)]
        return {
            "connect": {"max_concurrent": self.connects, "per_second": self.connects},
            "defaults": defaults,
            "probes": probes + self.extra,
        }


def name(number: int) -> str:
    """Return the name of a probe of a fleet."""
    return f"p{number}"


def raise_file_limit() -> int:
    """Let this process and its children open as many files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """CPU time that a process has used so far, in user and system mode."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(process: subprocess.Popen[bytes]) -> int:
    """Memory that a process holds."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def most_resident_bytes(process: subprocess.Popen[bytes]) -> int:
    """The most memory that a process has held so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def open_files(process: subprocess.Popen[bytes]) -> int:
    """File descriptors that a process holds."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
