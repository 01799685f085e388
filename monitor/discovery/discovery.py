"""All sources of discovery, as the config in force has them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from monitor.config import DiscoveredProbe, DiscoverySource
from monitor.core.deny_list import DenyList, Network
from monitor.core.schedule import Schedule, stable_phase
from monitor.discovery.dns_sd import DnsSource
from monitor.discovery.file_sd import FileSource
from monitor.discovery.follower import Follower
from monitor.discovery.http_sd import HttpSource
from monitor.discovery.intake import Intake
from monitor.discovery.source import Known, Source
from monitor.metrics.sources import LeftOut, SourceMetrics
from monitor.net.resolver import Resolver
from monitor.net.tls import TlsContexts

WATCH = Schedule(interval=2.0, phase=0.0)
"""When sources are asked, cheaply, whether something has stirred."""

SLOTS = 100
"""Sources that are asked equally often are spread over so many moments."""

Unsubscribe = Callable[[], None]
Subscribe = Callable[[Schedule, Callable[[float], None]], Unsubscribe]
"""Has something called at every slot of a schedule."""

_log = structlog.get_logger()


class Gallery(Protocol):
    """Shows the figures of sources."""

    def add_source(self, name: str) -> SourceMetrics:
        """Show a source from now on."""
        ...

    def remove_source(self, name: str) -> None:
        """Show it no longer."""
        ...


@dataclass(slots=True)
class _Member:
    config: DiscoverySource
    deny_list: DenyList
    follower: Follower
    task: asyncio.Task[None]
    unsubscribe: list[Unsubscribe] = field(default_factory=list)
    duplicates: frozenset[str] = frozenset()


class Discovery:
    """Follows the sources, and knows the probes that they name.

    Args:
        subscribe: has something called at every slot of a schedule.
        gallery: shows the sources' figures.
        changed: is called, with the cause, when a source names other probes than before.
    """

    def __init__(
        self, *, subscribe: Subscribe, gallery: Gallery, changed: Callable[[str], None]
    ) -> None:
        self._subscribe = subscribe
        self._gallery = gallery
        self._changed = changed
        self._resolver = Resolver()
        self._contexts = TlsContexts()
        self._members: dict[str, _Member] = {}

    async def apply(self, sources: Sequence[DiscoverySource], denied: tuple[Network, ...]) -> None:
        """Follow these sources and no others; one that did not change is not touched.

        One that changed keeps its targets until it has answered anew.
        """
        for source in sources:
            deny_list = DenyList(denied, source.allow)
            member = self._members.get(source.name)
            if member is None or (member.config, member.deny_list) != (source, deny_list):
                self._members[source.name] = await self._follow(source, deny_list, member)
        names = [source.name for source in sources]
        for name in self._members.keys() - set(names):
            await _end(self._members.pop(name))
            self._gallery.remove_source(name)
        # In the order of the config: it decides who wins.
        self._members = {name: self._members[name] for name in names}

    def probes(self, taken: Iterable[str]) -> list[DiscoveredProbe]:
        """Return the probes that the sources name, each name once and none that is taken.

        May run in a thread, while `apply` does not.
        """
        names = set(taken)
        found = []
        for member in self._members.values():
            duplicates = []
            for probe in member.follower.probes:
                if probe.name in names:
                    duplicates.append(probe.name)
                else:
                    names.add(probe.name)
                    found.append(probe)
            _note_duplicates(member, duplicates)
        return found

    async def stop(self) -> None:
        """Ask nobody any more."""
        for member in self._members.values():
            await _end(member)
        self._resolver.close()

    async def _follow(
        self, config: DiscoverySource, deny_list: DenyList, before: _Member | None
    ) -> _Member:
        name = config.name
        if before is not None:
            await _end(before)
        follower = Follower(
            name,
            self._source(config),
            timeout=config.timeout,
            intake=Intake(config.probe, deny_list, config.limit),
            metrics=before.follower.metrics if before else self._gallery.add_source(name),
            changed=lambda: self._changed(f"discovery: {name}"),
            known=before.follower.known if before else Known({}),
        )
        await follower.make_probes()
        digest = hashlib.sha256(name.encode()).digest()
        refresh = Schedule(config.refresh, stable_phase(digest, config.refresh, SLOTS))
        return _Member(
            config,
            deny_list,
            follower,
            asyncio.create_task(follower.run(), name=f"discovery {name}"),
            [
                self._subscribe(refresh, follower.bell.ask),
                self._subscribe(WATCH, follower.bell.check),
            ],
        )

    def _source(self, config: DiscoverySource) -> Source:
        if config.file_sd is not None:
            return FileSource(config.file_sd.files)
        if config.http_sd is not None:
            return HttpSource(config.http_sd, config.refresh, self._resolver, self._contexts)
        if config.dns is not None:
            return DnsSource(config.dns, config.timeout)
        raise ValueError("a source of no kind")


async def _end(member: _Member) -> None:
    for unsubscribe in member.unsubscribe:
        unsubscribe()
    member.task.cancel()
    await asyncio.gather(member.task, return_exceptions=True)


def _note_duplicates(member: _Member, duplicates: Sequence[str]) -> None:
    member.follower.metrics.left_out[LeftOut.DUPLICATE].value = len(duplicates)
    new = set(duplicates) - member.duplicates
    if new:
        _log.warning(
            "discovered probes left out, their names are taken",
            source=member.config.name,
            count=len(duplicates),
            first=min(new),
        )
    member.duplicates = frozenset(duplicates)
