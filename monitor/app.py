"""The composition root: puts the parts together, minds signals, and stops gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from monitor import __version__
from monitor.config import (
    Config,
    ConfigError,
    EmbeddedTarget,
    ListenAddress,
    ProbeConfig,
    SecretUnavailable,
    endpoint_of,
    load_config,
)
from monitor.core.availability import Availability
from monitor.core.events import Crashed, Event, Mode, Sent
from monitor.core.schedule import Schedule
from monitor.core.traffic import Traffic
from monitor.logs.narrator import Narrator
from monitor.logs.setup import configure
from monitor.logs.trace import Trace
from monitor.metrics.exposition import Exposition
from monitor.metrics.series import BeatFacts, ProbeIdentity
from monitor.net.dial import Dialer
from monitor.net.loop_watch import LoopWatch
from monitor.probing.beats import Beats
from monitor.probing.fleet import PATH_INTERVAL, Fleet, Observer
from monitor.probing.gate import Gate, GateLimits
from monitor.probing.probe import Sink
from monitor.probing.vigil import TICK, Findings, Vigil
from monitor.target import Target, TargetSettings
from monitor.web.server import Overview, WebParts, WebServer

OK = 0
USAGE = 2
CANNOT_START = 3

STOP_GRACE = 4.0
"""Seconds that a graceful stop may take, all probes together."""

_log = structlog.get_logger()


def run(path: Path, trace: Path | None = None) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code.

    `trace` is a file that gets a line for every heartbeat.
    """
    try:
        config = load_config(path)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet to write to
        return USAGE
    configure(config.log.level, config.log.format)
    watch = LoopWatch()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watch)) as runner:
        return runner.run(_serve(path, config, watch, trace))


async def _serve(path: Path, config: Config, watch: LoopWatch, trace: Path | None) -> int:
    # Some parts bind to the loop they are made in, so they are made in the running one.
    try:
        service = Service(path, config, watch, Trace(trace) if trace is not None else None)
    except OSError as error:
        _log.error("cannot start", detail=f"trace file: {os.strerror(error.errno or 0).lower()}")
        return CANNOT_START
    return await service.run()


@dataclass(slots=True)
class _CannotStartError(Exception):
    """A part could not start, and what to say about it."""

    detail: str


class Service:
    """The running monitor."""

    def __init__(
        self, path: Path, config: Config, watch: LoopWatch, trace: Trace | None = None
    ) -> None:
        self._trace = trace
        self._path = path
        self._config = config
        self._exposition = Exposition(
            rtt_buckets=config.metrics.rtt_buckets,
            close_codes=config.metrics.close_codes,
            version=__version__,
            basic=config.metrics.detail == "basic",
        )
        self._beats = Beats()
        self._dialer = Dialer(watch)
        self._gate = Gate(
            GateLimits(
                config.connect.max_concurrent,
                config.connect.per_second,
                config.ticket_budget.per_minute,
            )
        )
        self._fleet = Fleet(
            dialer=self._dialer, gate=self._gate, beats=self._beats, observe=self._observe
        )
        self._vigil = Vigil(
            Findings(self._exposition.monitor.loop_lag.observe, self._away, _stepped)
        )
        self._stopping = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self._applied = False

    async def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)
        async with AsyncExitStack() as stack:
            try:
                await self._start(stack)
            except _CannotStartError as error:
                _log.error("cannot start", detail=error.detail)
                return CANNOT_START
            await self._serve()
        return OK

    async def _serve(self) -> None:
        """Follow the config until a signal says to stop."""
        stopping = asyncio.create_task(self._stopping.wait())
        following = asyncio.create_task(self._follow_config())
        await asyncio.wait((stopping, following), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        _log.info("stopping")

    async def _follow_config(self) -> None:
        """Apply the config, and again whenever a signal says that it changed."""
        await self._apply(self._config)
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            await self._reload()

    async def _start(self, stack: AsyncExitStack) -> None:
        """Start every part, and have `stack` stop it again in reverse order.

        Raises:
            _CannotStartError: one of them cannot start.
        """
        config = self._config
        if self._trace is not None:
            stack.callback(self._trace.close)
        stack.push_async_callback(self._dialer.close)
        if config.embedded_target is not None:
            await stack.enter_async_context(_embedded_target(config.embedded_target))
        web = WebServer(self._web_parts(), config.web.listen.host, config.web.listen.port)
        await _started("web server", config.web.listen, web.start)
        stack.push_async_callback(web.stop)
        self._beats.start()
        stack.callback(self._beats.stop)
        self._beats.subscribe(TICK, self._vigil.tick)
        self._beats.subscribe(Schedule(PATH_INTERVAL, 0.0), lambda _: self._fleet.measure_paths())
        stack.push_async_callback(self._stop_probes)
        _log.info("started", version=__version__, web=f"{config.web.listen.host}:{web.port}")

    async def _apply(self, config: Config) -> None:
        await self._fleet.apply(config.probes)
        self._config = config
        self._applied = True
        self._exposition.monitor.probes.value = len(config.probes)
        self._exposition.monitor.reloaded(ok=True)
        _log.info("config applied", probes=len(config.probes))

    async def _reload(self) -> None:
        """Read the config again. A bad one changes nothing."""
        try:
            # Ten thousand probes take a second to check.
            config = await asyncio.to_thread(load_config, self._path)
        except ConfigError as error:
            self._exposition.monitor.reloaded(ok=False)
            for problem in error.problems:
                _log.error("config refused, the last good one stays", problem=str(problem))
            return
        for section in _only_at_start(self._config, config):
            _log.warning("this part of the config takes a restart", section=section)
        await self._apply(config)

    async def _stop_probes(self) -> None:
        self._applied = False
        try:
            async with asyncio.timeout(STOP_GRACE):
                await self._fleet.stop()
        except TimeoutError:
            _log.warning("not every connection could be closed in time", grace=STOP_GRACE)

    def _observe(
        self, config: ProbeConfig, traffic: Traffic, availability: Availability
    ) -> Observer:
        """Prepare metrics and log for one probe."""
        endpoint = _endpoint(config)
        identity = ProbeIdentity(
            config.name,
            config.merged_labels,
            config.protocol,
            endpoint,
            {
                Mode(mode): BeatFacts(beat.interval, beat.timeout)
                for mode, beat in config.modes.items()
            },
        )
        series = self._exposition.add(identity, traffic, availability)
        narrator = Narrator(config.name, endpoint)
        sinks: list[Sink] = [series, narrator, self._own_figures]
        if self._trace is not None:
            sinks.append(self._trace.of(config.name))

        def sink(event: Event) -> None:
            for take in sinks:
                take(event)

        return Observer(sink, lambda: self._exposition.remove(config.name))

    def _own_figures(self, event: Event) -> None:
        """Note what a probe's event says about the monitor itself."""
        if isinstance(event, Sent):
            self._exposition.monitor.beat_slip.observe(event.slip)
        elif isinstance(event, Crashed):
            self._exposition.monitor.crashed()

    def _away(self, seconds: float) -> None:
        self._exposition.monitor.stalled(seconds)
        _log.warning(
            "the monitor itself was away; what it did not send is skipped, not missed",
            seconds=round(seconds, 3),
        )

    def _web_parts(self) -> WebParts:
        return WebParts(
            scrape=self._exposition.scrape,
            unhealthy=self._vigil.unhealthy,
            ready=lambda: None if self._applied else "no config is applied",
            overview=self._overview,
        )

    def _overview(self) -> Overview:
        probes = self._fleet.probes.values()
        return Overview(
            version=__version__, probes=len(probes), up=sum(probe.up for probe in probes)
        )


def _stepped(seconds: float) -> None:
    _log.warning("the wall clock was set; beats go on", by_seconds=round(seconds, 3))


def _endpoint(config: ProbeConfig) -> str:
    """Scheme, host and port; where the URL is a secret that cannot be read yet, where it is."""
    try:
        return endpoint_of(config.read_url())
    except SecretUnavailable:
        return config.endpoint


def _only_at_start(old: Config, new: Config) -> list[str]:
    """Name the sections that changed and that only a restart can apply."""
    return [
        name
        for name in type(old).model_fields
        if name != "probes" and getattr(old, name) != getattr(new, name)
    ]


async def _started(what: str, where: ListenAddress, start: Callable[[], Awaitable[None]]) -> None:
    """Start a part; a port that is taken is one clear line, no traceback."""
    try:
        await start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise _CannotStartError(f"{what} on {where.host}:{where.port}: {reason.lower()}") from None


@asynccontextmanager
async def _embedded_target(section: EmbeddedTarget) -> AsyncIterator[None]:
    """Run the embedded target. Without a key of the user's, it gets a random one."""
    if section.api_key.env is not None and section.api_key.env not in os.environ:
        os.environ[section.api_key.env] = random_api_key()
    target = Target(
        TargetSettings(
            host=section.listen.host,
            port=section.listen.port,
            control_host=section.control.host if section.control else "127.0.0.1",
            control_port=section.control.port if section.control else None,
            api_key=section.api_key.read(),
        )
    )
    await _started("embedded target", section.listen, target.start)
    try:
        yield
    finally:
        await target.stop()


def random_api_key() -> str:
    """A key that nobody else has, in the shape that Talo's keys have: three parts."""
    return ".".join(secrets.token_urlsafe(12) for _ in range(3))
