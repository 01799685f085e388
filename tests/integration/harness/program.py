"""A process that a test starts and ends, by its pid alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.integration.harness.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
WS_MONITOR = str(BIN / "ws-monitor")

TAIL = 40
"""How many lines of a process's output are shown when a test fails."""


class Program:
    """A running process; its output goes to files, so that it never waits for a reader."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        name: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._out = directory / f"{name}.out"
        self._err = directory / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(env or {})},
                cwd=ROOT,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    @property
    def out(self) -> str:
        """Everything that it wrote to standard output so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """Everything that it wrote to standard error so far."""
        return self._err.read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def wait(self, within: float = PATIENCE) -> int:
        """Return the exit code of a process that is about to end."""
        await wait_until(
            lambda: self.exit_code is not None, what=f"{self.name} ends", within=within
        )
        assert self.exit_code is not None
        return self.exit_code

    async def first_line(self) -> str:
        """Return the first line that it writes to standard output."""

        def line() -> str:
            assert self.exit_code is None, f"{self.name} ended: {self.err}"
            return self.out.partition("\n")[0] if "\n" in self.out else ""

        written: str = await wait_until(line, what=f"{self.name} writes a line")
        return written

    def end(self) -> None:
        """End the process, whatever state it is in."""
        if self.exit_code is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """Return the last lines of its output, for the report of a failed test."""
        lines = (self.out + self.err).splitlines()
        return "\n".join([f"--- {self.name}, exit code {self.exit_code}", *lines[-TAIL:]])
