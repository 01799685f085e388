"""The real monitor as a process of its own, and configs for it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.harness.http import Answer, request
from tests.integration.harness.metrics import Scrape
from tests.integration.harness.program import WS_MONITOR, Program
from tests.integration.harness.schedule import LAG, ScheduleWatch
from tests.integration.harness.waiting import PATIENCE, wait_until

KEY_VARIABLE = "WS_MONITOR_TEST_KEY"
KEY = "test.key.jwt"

LINES_ARE_BUGS = ("Traceback", "a bug in the monitor", "could not be served")


class Monitor(Program):
    """`ws-monitor run`; `serves` waits until it does.

    Args:
        config: its log must be JSON, which it is where `log.format` is `auto`.
        name: for the files with its output, next to the config.
        options: further ones of `ws-monitor run`.
        env: further variables.
    """

    def __init__(
        self,
        config: Path,
        name: str,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        super().__init__(
            [WS_MONITOR, "run", "--config", str(config), *options],
            config.parent,
            name,
            {KEY_VARIABLE: KEY, **(env or {})},
        )
        self.config = config
        self.port = 0
        self._schedule = ScheduleWatch()

    async def serves(self) -> None:
        """Wait until it serves; take note of the port."""
        started = await self.until_logged("started")
        self.port = int(started[0]["web"].rpartition(":")[2])

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Ask for a page."""
        return await request(self.port, "GET", path, headers=headers)

    async def scrape(self) -> Scrape:
        """Read `/metrics`, and see that the books of every probe balance."""
        began = time.monotonic()
        answer = await self.get("/metrics")
        assert answer.status == 200, answer
        scrape = Scrape(answer.body, began, time.monotonic())
        for name in scrape.probes:
            view = scrape.probe(name)
            for mode in view.modes:
                view.mode(mode).assert_balanced()
        self._schedule.check(scrape)
        return scrape

    async def until(
        self,
        check: Callable[[Scrape], object],
        *,
        what: str = "the figures",
        within: float = PATIENCE,
        every: float = 0.1,
    ) -> Scrape:
        """Scrape until `check` is true of a scrape, and return that one."""
        last: list[Scrape] = []

        async def look() -> bool:
            last[:] = [await self.scrape()]
            return bool(check(last[0]))

        try:
            await wait_until(look, what=what, within=within, every=every)
        except AssertionError as error:
            states = "\n".join(str(last[0].probe(name)) for name in last[0].probes) if last else ""
            raise AssertionError(f"{error}\n{states}") from None
        return last[0]

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        # The last line may be half written.
        lines = self.err[: self.err.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in lines]

    def lines(self, message: str, **fields: object) -> list[dict[str, Any]]:
        """Return the log lines with this message and these fields, among others."""
        wanted = {"message": message, **fields}
        return [line for line in self.log() if wanted.items() <= line.items()]

    async def until_logged(
        self, message: str, *, count: int = 1, within: float = PATIENCE, **fields: object
    ) -> list[dict[str, Any]]:
        """Wait for log lines with this message and these fields; return all of them."""

        def found() -> bool:
            assert self.exit_code is None, f"{self.name} ended: {self.err}"
            return len(self.lines(message, **fields)) >= count

        await wait_until(
            found,
            what=f"{count} log lines {message!r} {fields}",
            within=within,
        )
        return self.lines(message, **fields)

    def pause(self) -> None:
        """Stop the process as a whole, as a frozen machine would."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._schedule.forgive(time.monotonic() + LAG)
        self.signal(signal.SIGCONT)

    async def reload(self, config: str | dict[str, Any], *, accepted: bool = True) -> None:
        """Write another config, have it read, and wait until it is applied or refused."""
        message = "config applied" if accepted else "config refused, the last good one stays"
        already = len(self.lines(message))
        self.config.write_text(config if isinstance(config, str) else json.dumps(config))
        self.signal(signal.SIGHUP)
        await self.until_logged(message, count=already + 1)
        self._schedule.restart()

    async def post_reload(self) -> Answer:
        """Have the config read again, and wait for the outcome."""
        answer = await request(self.port, "POST", "/-/reload")
        self._schedule.restart()
        return answer

    def bugs(self) -> list[str]:
        """Return the lines of its output that only a bug of its own can have caused."""
        lines = (self.err + self.out).splitlines()
        return [line for line in lines if any(sign in line for sign in LINES_ARE_BUGS)]


def config_of(probes: Sequence[Mapping[str, Any]], **sections: Any) -> dict[str, Any]:
    """Return a config on a free port, logging JSON; `sections` go on top."""
    return {
        "web": {"listen": "127.0.0.1:0"},
        "log": {"level": "info", "format": "json"},
        # Tests connect more often than a fleet of real probes should.
        "ticket_budget": {"per_minute": 100_000},
        "connect": {"max_concurrent": 1000, "per_second": 1000},
        "probes": list(probes),
        **sections,
    }


def probe(name: str, url: str, protocol: str, **keys: Any) -> dict[str, Any]:
    """Return the section of a probe that reconnects quickly; `keys` go on top."""
    return {
        "name": name,
        "url": url,
        "protocol": protocol,
        "reconnect": {"base": "50ms", "max": "200ms"},
        **keys,
    }


def talo_probe(
    name: str,
    url: str,
    *,
    interval: str = "300ms",
    timeout: str = "250ms",
    **keys: Any,
) -> dict[str, Any]:
    """Return the section of a probe of a Talo-speaking target; `keys` go on top."""
    section = {
        "ticket": {"api_key": {"env": KEY_VARIABLE}},
        "heartbeat": {"interval": interval, "timeout": timeout},
    }
    return probe(name, url, "talo", **section, **keys)
