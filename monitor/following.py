"""Following the config: one task applies every change, one at a time, whatever its cause.

Two things can be asked for at any moment: to read the file again, and to apply the config in force
once more because the set of wanted probes changed. What is asked for while a change is being
applied is done together, right after it. A bad file changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from monitor.config import Config, ConfigError, FileWatch, load_config
from monitor.core.schedule import Schedule

_log = structlog.get_logger()

Problems = list[str]
"""Why a config was refused, one line each; empty when it was applied."""

ENDED = "the monitor is stopping"

LOOKS = Schedule(interval=1.0, phase=0.0)
"""When the file is looked at: a change is applied once it has rested from one look to the next."""

LIVE = frozenset({"discovery", "discovery_deny", "labels", "probes"})
"""The sections that a reload applies; the others take a restart."""


@dataclass(slots=True)
class _Asked:
    """What was asked for since the last change, why, and who waits for it."""

    done: asyncio.Future[Problems]
    read: bool = False
    again: bool = False
    causes: dict[str, None] = field(default_factory=dict)


class Following:
    """Keeps a config in force.

    Args:
        file: the config file, known since before it was read.
        config: what it said then.
        apply: puts a config into force and returns how many probes run; is called by one task,
            one call after the other.
        labels: labels that win over the file's, for every probe.
        told: hears what was wrong with the file, each time it was read; nothing if all is well.
    """

    def __init__(
        self,
        file: FileWatch,
        config: Config,
        *,
        apply: Callable[[Config], Awaitable[int]],
        told: Callable[[Problems], None],
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.config = config
        self._file = file
        self._looking: asyncio.Task[None] | None = None
        self._apply = apply
        self._told = told
        self._labels = labels
        self._asked: _Asked | None = None
        self._something = asyncio.Event()

    def reload_soon(self, cause: str) -> asyncio.Future[Problems]:
        """Have the file read again; `cause` says why in the log.

        What is returned completes once that is done, and is shared by all who ask meanwhile.
        """
        asked = self._ask(cause)
        asked.read = True
        return asked.done

    async def reload(self, cause: str) -> Problems:
        """Read the file again and return what is wrong with it, once that is done."""
        # One who stops waiting must not stop it for the others.
        return await asyncio.shield(self.reload_soon(cause))

    def reapply_soon(self, cause: str) -> None:
        """Have the config in force applied again: the set of wanted probes changed."""
        self._ask(cause).again = True

    def look(self) -> None:
        """Begin to look whether the file has changed, and have it read again if so."""
        # A file system that hangs must not hang the loop.
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def run(self) -> None:
        """Apply the config, and again whenever somebody asks for it. Runs until it is cancelled."""
        try:
            await self._put_into_force(self.config, "start")
            self._told([])
            while True:
                await self._something.wait()
                await self._carry_out()
        finally:
            if self._looking is not None:
                self._looking.cancel()
            if self._asked is not None:
                self._asked.done.set_result([ENDED])

    def _ask(self, cause: str) -> _Asked:
        if self._asked is None:
            self._asked = _Asked(asyncio.get_running_loop().create_future())
        self._asked.causes[cause] = None
        self._something.set()
        return self._asked

    async def _carry_out(self) -> None:
        self._something.clear()
        asked, self._asked = self._asked, None
        if asked is None:
            return
        problems = [ENDED]
        try:
            problems = await self._change(asked)
        finally:
            asked.done.set_result(problems)

    async def _change(self, asked: _Asked) -> Problems:
        cause = ", ".join(asked.causes)
        config, problems = self.config, Problems()
        if asked.read:
            config, problems = await self._read(cause)
        if asked.again or not problems:
            await self._put_into_force(config, cause)
        if asked.read:
            self._told(problems)
        return problems

    async def _put_into_force(self, config: Config, cause: str) -> None:
        probes = await self._apply(config)
        self.config = config
        _log.info("config applied", probes=probes, cause=cause)

    async def _read(self, cause: str) -> tuple[Config, Problems]:
        """Read the file. A bad one changes nothing: the config in force stays."""
        try:
            # Ten thousand probes take a second to check.
            config = await asyncio.to_thread(self._load)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            for problem in problems:
                _log.error("config refused, the last good one stays", problem=problem, cause=cause)
            return self.config, problems
        for section in _only_at_start(self.config, config):
            _log.warning("this part of the config takes a restart", section=section)
        return config, []

    def _load(self) -> Config:
        # Marked first: what is written while it is read makes a change of its own.
        self._file.mark()
        return load_config(self._file.path, self._labels)

    async def _look(self) -> None:
        if await asyncio.to_thread(self._file.look):
            self.reload_soon("the file changed")


def _only_at_start(old: Config, new: Config) -> list[str]:
    """Name the sections that changed and that only a restart can apply."""
    names = [
        name
        for name in type(old).model_fields
        if name not in LIVE and getattr(old, name) != getattr(new, name)
    ]
    # The probes' labels follow; those of the monitor itself do not.
    if old.labels.get("vantage") != new.labels.get("vantage"):
        names.append("labels.vantage")
    return names
