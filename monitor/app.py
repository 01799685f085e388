"""The composition root: puts the parts together, minds signals, and stops gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from monitor import __version__
from monitor.config import (
    Config,
    ConfigError,
    FileWatch,
    ProbeConfig,
    Problem,
    load_config,
    redacted_text,
)
from monitor.core.schedule import Schedule
from monitor.core.sharding import ALONE
from monitor.discovery.discovery import Discovery
from monitor.following import LOOKS, Following, Problems
from monitor.heap import LOOK_INTERVAL, Heap
from monitor.logs.setup import configure
from monitor.logs.trace import Trace
from monitor.metrics.exposition import Exposition
from monitor.net.dial import Dialer
from monitor.net.loop_watch import LoopWatch
from monitor.observing import Observing
from monitor.place import NOWHERE, Place
from monitor.probing.beats import Beats
from monitor.probing.fleet import PATH_TURNS, PATHS, Fleet
from monitor.probing.gate import Gate, GateLimits
from monitor.probing.vigil import TICK, Findings, Vigil
from monitor.starting import CannotStartError, embedded_target, started
from monitor.wanted import wanted_probes
from monitor.web.access import CHECK_INTERVAL, AccessFile
from monitor.web.server import Overview, WebParts, WebServer

OK = 0
USAGE = 2
CANNOT_START = 3

STOP_GRACE = 4.0
"""Seconds that a graceful stop may take, all probes together."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reloads:
    """What makes the monitor read its config again, besides SIGHUP.

    `on_change` of the file; `on_request`, a POST to /-/reload.
    """

    on_change: bool = True
    on_request: bool = False


def run(
    path: Path,
    trace: Path | None = None,
    place: Place = NOWHERE,
    web_config: Path | None = None,
    reloads: Reloads = Reloads(),
) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code.

    `trace` is a file that gets a line for every heartbeat; `place` is the monitor's among others;
    `web_config` says who gets into the web port; `reloads` what makes it read the config again.
    """
    file = FileWatch(path)
    try:
        config, access = load(path, web_config, place.labels)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet to write to
        return USAGE
    configure(config.log.level, config.log.format)
    watch = LoopWatch()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watch)) as runner:
        setting = _Setting(file, place, access, reloads)
        return runner.run(_serve(config, watch, trace, setting))


def load(
    path: Path, web_config: Path | None, labels: Mapping[str, str] = NOWHERE.labels
) -> tuple[Config, AccessFile | None]:
    """Read the config, and the web config if there is one.

    Raises:
        ConfigError: with every problem of both.
    """
    problems: list[Problem] = []
    config, access = None, None
    try:
        config = load_config(path, labels)
    except ConfigError as error:
        problems += error.problems
    try:
        access = AccessFile(web_config) if web_config is not None else None
    except ConfigError as error:
        problems += error.problems
    if problems or config is None:
        raise ConfigError(problems)
    return config, access


@dataclass(frozen=True, slots=True)
class _Setting:
    """What a service is put into.

    `file` is its config's; `place` its own among others; `access` who gets into its web port.
    """

    file: FileWatch
    place: Place
    access: AccessFile | None
    reloads: Reloads


async def _serve(config: Config, watch: LoopWatch, trace: Path | None, setting: _Setting) -> int:
    # Some parts bind to the loop they are made in, so they are made in the running one.
    try:
        service = Service(config, watch, Trace(trace) if trace is not None else None, setting)
    except OSError as error:
        _log.error("cannot start", detail=f"trace file: {os.strerror(error.errno or 0).lower()}")
        return CANNOT_START
    return await service.run()


class Service:
    """The running monitor."""

    def __init__(
        self, config: Config, watch: LoopWatch, trace: Trace | None, setting: _Setting
    ) -> None:
        self._config = config
        self._place = place = setting.place
        self._access = setting.access
        self._reloads = setting.reloads
        self._trace = trace
        self._heap = Heap(lambda: self._fleet.probes, lambda: self._applied and self._fleet.started)
        self._exposition = _exposition(config, place, self._heap)
        self._beats = Beats()
        self._dialer = Dialer(watch)
        self._fleet = Fleet(
            dialer=self._dialer,
            gate=Gate(_gate_limits(config)),
            beats=self._beats,
            observe=Observing(self._exposition, trace).observe,
        )
        self._vigil = Vigil(
            Findings(self._exposition.monitor.loop_lag.observe, self._away, _stepped)
        )
        self._following = Following(
            setting.file,
            config,
            apply=self._apply,
            told=self._file_read,
            labels=place.labels,
        )
        self._discovery = Discovery(
            subscribe=self._beats.subscribe,
            gallery=self._exposition.monitor,
            changed=self._following.reapply_soon,
        )
        self._stopping = asyncio.Event()
        self._applied = False

    async def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._following.reload_soon, "SIGHUP")
        async with AsyncExitStack() as stack:
            try:
                await self._start(stack)
            except CannotStartError as error:
                _log.error("cannot start", detail=error.detail)
                return CANNOT_START
            await self._serve()
        return OK

    async def _serve(self) -> None:
        """Follow the config until a signal says to stop."""
        stopping = asyncio.create_task(self._stopping.wait())
        following = asyncio.create_task(self._following.run())
        await asyncio.wait((stopping, following), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        _log.info("stopping")

    async def _start(self, stack: AsyncExitStack) -> None:
        """Start every part, and have `stack` stop it again in reverse order.

        Raises:
            CannotStartError: one of them cannot start.
        """
        config = self._config
        if self._trace is not None:
            stack.callback(self._trace.close)
        stack.push_async_callback(self._dialer.close)
        if config.embedded_target is not None:
            await stack.enter_async_context(embedded_target(config.embedded_target))
        web = await self._start_web(stack)
        self._beats.start()
        stack.callback(self._beats.stop)
        if self._access is not None:
            look = self._access.look
            self._beats.subscribe(Schedule(CHECK_INTERVAL, 0.0), lambda _: look())
        if self._reloads.on_change:
            self._beats.subscribe(LOOKS, lambda _: self._following.look())
        self._beats.subscribe(TICK, self._vigil.tick)
        self._beats.subscribe(PATHS, lambda due: self._fleet.measure_paths(due, PATH_TURNS))
        self._beats.subscribe(Schedule(LOOK_INTERVAL, 0.0), lambda _: self._heap.look())
        stack.push_async_callback(self._stop_probes)
        stack.push_async_callback(self._discovery.stop)
        _log.info("started", version=__version__, web=f"{config.web.listen.host}:{web.port}")
        self._say_which_shard()

    async def _start_web(self, stack: AsyncExitStack) -> WebServer:
        listen, file = self._config.web.listen, self._access
        if file is None:
            web = WebServer(self._web_parts(), listen.host, listen.port)
        else:
            stack.callback(file.close)
            file.noted = self._exposition.monitor.web_config_read
            web = WebServer(self._web_parts(), listen.host, listen.port, lambda: file.access)
        await started("web server", listen, web.start)
        stack.push_async_callback(web.stop)
        return web

    async def _apply(self, config: Config) -> int:
        """Run the probes that are wanted now; return how many they are."""
        await self._discovery.apply(config.discovery, config.discovery_deny)
        # Takes some microseconds for each probe, and others are beating.
        probes = await asyncio.to_thread(self._wanted, config)
        await self._fleet.apply(probes)
        self._applied = True
        self._heap.changed()
        self._exposition.monitor.probes.value = len(probes)
        return len(probes)

    def _wanted(self, config: Config) -> list[ProbeConfig]:
        discovered = self._discovery.probes(probe.name for probe in config.probes)
        return wanted_probes(config, discovered, self._is_ours)

    def _is_ours(self, probe: ProbeConfig) -> bool:
        return self._place.shard.watches(probe.name)

    def _say_which_shard(self) -> None:
        shard = self._place.shard
        if shard == ALONE:
            return
        _log.info(
            "one of several", shard=shard.index, of=shard.count, replication=shard.replication
        )
        if shard.is_surplus:
            _log.warning("a surplus shard: it may go once all others have been told their number")

    def _file_read(self, problems: Problems) -> None:
        self._exposition.monitor.reloaded(ok=not problems)

    async def _stop_probes(self) -> None:
        self._applied = False
        try:
            async with asyncio.timeout(STOP_GRACE):
                await self._fleet.stop()
        except TimeoutError:
            _log.warning("not every connection could be closed in time", grace=STOP_GRACE)

    def _away(self, seconds: float) -> None:
        self._exposition.monitor.stalled(seconds)
        _log.warning(
            "the monitor itself was away; what it did not send is skipped, not missed",
            seconds=round(seconds, 3),
        )

    def _web_parts(self) -> WebParts:
        on_request = self._reloads.on_request
        return WebParts(
            scrape=self._exposition.scrape,
            unhealthy=self._vigil.unhealthy,
            ready=lambda: None if self._applied else "no config is applied",
            overview=self._overview,
            config=lambda: redacted_text(self._following.config),
            refused=self._exposition.monitor.refused,
            reload=partial(self._following.reload, "a request") if on_request else None,
        )

    def _overview(self) -> Overview:
        probes = self._fleet.probes.values()
        return Overview(
            version=__version__, probes=len(probes), up=sum(probe.up for probe in probes)
        )


def _stepped(seconds: float) -> None:
    _log.warning("the wall clock was set; beats go on", by_seconds=round(seconds, 3))


def _exposition(config: Config, place: Place, heap: Heap) -> Exposition:
    return Exposition(
        rtt_buckets=config.metrics.rtt_buckets,
        close_codes=config.metrics.close_codes,
        version=__version__,
        basic=config.metrics.detail == "basic",
        shard=place.shard,
        vantage=config.labels.get("vantage", ""),
        calm=heap.rest,
    )


def _gate_limits(config: Config) -> GateLimits:
    return GateLimits(
        config.connect.max_concurrent,
        config.connect.per_second,
        config.ticket_budget.per_minute,
    )
