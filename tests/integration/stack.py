"""The services of compose.yaml without a container engine: its commands, mounts and names.

All of them in one network and one root file system, where each service's name is a loopback
address. The programs are this machine's: the monitor is the one under test, Prometheus and
Alertmanager are Debian's, older than those that the file names. Grafana is not there.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

import yaml

from tests.integration.container import IS_ROOT, LOOPBACK_UP, NAMESPACES, RootFileSystem, enter
from tests.integration.harness import WS_MONITOR, Lab, wait_until
from tests.integration.harness.program import ROOT, Program

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())[
    "services"
]

WHAT_THE_IMAGES_START: dict[str, list[str]] = {
    "monitor": [WS_MONITOR, "run", "--config", "/etc/ws-monitor/config.yaml"],
    "target": [WS_MONITOR],
    "prometheus": [
        "/usr/bin/prometheus",
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
    ],
    "alertmanager": [
        "/usr/bin/prometheus-alertmanager",
        "--config.file=/etc/alertmanager/alertmanager.yml",
        "--storage.path=/alertmanager",
        "--cluster.listen-address=",  # it would look for an address beyond loopback
    ],
}
"""Entry point and default arguments; a service's own `command` is appended."""

ASK = (
    "import http.client, sys; "
    "c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=30); "
    "c.request(sys.argv[2], sys.argv[3], sys.argv[4] or None); r = c.getresponse(); "
    "sys.stdout.write(r.read().decode()); sys.exit(r.status != 200)"
)


class Stack:
    """The running services.

    Args:
        lab: starts the processes, and ends them.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        root = lab.directory / "stack"
        root.mkdir()
        made = RootFileSystem(root)
        made.add_this_machine()
        made.add_what_every_container_has()
        made.lines += [f"echo '127.0.0.1 {name}' >>{root}/etc/hosts" for name in SERVICES]
        for name in WHAT_THE_IMAGES_START:
            for mount in SERVICES[name].get("volumes", ()):
                source, target, *_ = mount.split(":")
                if (ROOT / source).exists():
                    made.bind(str(ROOT / source), target)
                else:
                    made.lines.append(f"mkdir -p {root}{target}")
        script = [
            "set -eu",
            shlex.join([sys.executable, "-c", LOOPBACK_UP]),
            *made.lines,
            *enter(root),
            "exec sleep infinity",
        ]
        mapped = [] if IS_ROOT else ["--map-root-user"]
        self._holder: Program = lab.program(
            *("unshare", *mapped, *NAMESPACES, "bash", "-c", "\n".join(script)), name="stack"
        )

    @property
    def _pid(self) -> int | None:
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
        return int(children) if children else None

    def _is_ready(self) -> bool:
        assert self._holder.exit_code is None, self._holder.err
        if self._pid is None:
            return False
        return Path(f"/proc/{self._pid}/cmdline").read_bytes().startswith(b"sleep\0")

    def _inside(self, *command: str) -> list[str]:
        into = ["--net", "--pid", "--mount", "--root"]
        into += [] if IS_ROOT else ["--user", "--preserve-credentials"]
        return ["nsenter", f"--target={self._pid}", *into, *command]

    async def start(self) -> None:
        """Start every service."""
        await wait_until(self._is_ready, what="the root is put together")
        for name, command in WHAT_THE_IMAGES_START.items():
            said = SERVICES[name]
            env = [f"{key}={value}" for key, value in said.get("environment", {}).items()]
            self._lab.program(
                *self._inside("env", "-i", "--chdir=/", *env, *command, *said.get("command", ())),
                name=name,
            )

    async def ask(self, port: int, path: str, *, method: str = "GET", body: str = "") -> str | None:
        """Return what a service answers; None if it does not, or says no."""
        command = self._inside(sys.executable, "-c", ASK, str(port), method, path, body)
        asking = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
        said, _ = await asking.communicate()
        return said.decode() if asking.returncode == 0 else None

    async def json(self, port: int, path: str) -> Any:
        """Return the value that a service answers with; None if it does not."""
        text = await self.ask(port, path)
        return None if text is None else json.loads(text)

    def end(self) -> None:
        """End everything in it at once."""
        if self._holder.exit_code is None and self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
