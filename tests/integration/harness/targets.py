"""Targets in processes of their own, and their control endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.integration.harness.http import request
from tests.integration.harness.program import Program
from tests.integration.harness.waiting import wait_until


@dataclass(frozen=True, slots=True)
class TargetHandle:
    """One target, `port` for clients and `control` to break it; others may share its process."""

    process: Program
    port: int
    control: int

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}/"

    async def put(self, **faults: Any) -> None:
        """Turn these faults on and all others off."""
        answer = await request(self.control, "PUT", "/faults", faults)
        assert answer.status == 200, answer.body

    async def heal(self) -> None:
        """Turn all faults off."""
        answer = await request(self.control, "DELETE", "/faults")
        assert answer.status == 200, answer.body

    async def act(self, name: str, **parameters: Any) -> int:
        """Act once; return on how many connections."""
        answer = await request(self.control, "POST", f"/actions/{name}", parameters)
        assert answer.status == 200, answer.body
        connections: int = answer.json()["connections"]
        return connections

    async def counters(self) -> dict[str, Any]:
        """Return the target's own books."""
        answer = await request(self.control, "GET", "/faults")
        assert answer.status == 200, answer.body
        counters: dict[str, Any] = answer.json()["counters"]
        return counters


async def command_target(process: Program) -> TargetHandle:
    """Wait for `ws-monitor target` to say where it listens."""

    def ports() -> list[int]:
        assert process.exit_code is None, f"{process.name} ended: {process.err}"
        lines = process.out.splitlines() if process.out.endswith("\n") else []
        return [int(line.rpartition(":")[2]) for line in lines] if len(lines) == 2 else []

    port, control = await wait_until(ports, what=f"{process.name} listens")
    return TargetHandle(process, port, control)
