"""Where tests get their processes from, and which ends them all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.integration.harness.monitor import Monitor, config_of
from tests.integration.harness.program import WS_MONITOR, Program
from tests.integration.harness.targets import TargetHandle, command_target

ANY = "127.0.0.1:0"


class Lab:
    """Starts processes in a directory of its own."""

    at_work: ClassVar[list[Lab]] = []
    """The labs that are not closed, for the report of a test that fails."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs: list[Program] = []
        self._names = 0
        self.at_work.append(self)

    async def monitor(
        self,
        probes: Sequence[Mapping[str, Any]],
        *,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        **sections: Any,
    ) -> Monitor:
        """Start the monitor with these probes, and wait until it serves."""
        config = self.write(config_of(probes, **sections))
        return await self.monitor_from(config, env=env, options=options)

    async def monitor_from(
        self, config: Path, *, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> Monitor:
        """Start the monitor with a config file as it is, and wait until it serves."""
        monitor = Monitor(config, self._name("monitor"), env, options)
        self.programs.append(monitor)
        await monitor.serves()
        return monitor

    async def target(self, *options: str) -> TargetHandle:
        """Start `ws-monitor target`, with further options, on free ports."""
        process = self.program(
            WS_MONITOR, "target", "--listen", ANY, "--control", ANY, *options, name="target"
        )
        return await command_target(process)

    async def targets(self, count: int, **settings: Any) -> list[TargetHandle]:
        """Start many targets in one process, with `TargetSettings` of one's own."""
        settings = {"ticket_points": 100_000, **settings}
        process = self.module(
            "tests.integration.harness.target_farm",
            str(count),
            json.dumps(settings),
            name="targets",
        )
        ports = json.loads(await process.first_line())
        return [TargetHandle(process, port, control) for port, control in ports]

    def program(
        self, *command: str, name: str = "program", env: Mapping[str, str] | None = None
    ) -> Program:
        """Start any other command."""
        program = Program(command, self.directory, self._name(name), env)
        self.programs.append(program)
        return program

    def module(self, module: str, *arguments: str, name: str = "module") -> Program:
        """Start a Python module as a program, in this interpreter's environment."""
        return self.program(sys.executable, "-m", module, *arguments, name=name)

    def write(self, config: str | dict[str, Any]) -> Path:
        """Write a config file of its own name."""
        path = self.directory / f"{self._name('config')}.yaml"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    def close(self) -> None:
        """End every process, the last one first, and see that no monitor had a bug."""
        self.at_work.remove(self)
        for program in reversed(self.programs):
            program.end()
        bugs = [
            line
            for program in self.programs
            if isinstance(program, Monitor)
            for line in program.bugs()
        ]
        assert not bugs, "\n".join(bugs)

    def report(self) -> str:
        """Return the last lines of every process."""
        return "\n".join(program.tail() for program in self.programs)

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{self._names:02}-{kind}"
