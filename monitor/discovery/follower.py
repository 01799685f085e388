"""Following one source: asks it when it is time, and keeps what it said last."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from monitor.config import DiscoveredProbe, DiscoveredTarget
from monitor.discovery.intake import Batch, Intake
from monitor.discovery.source import Known, LookFailedError, Source
from monitor.metrics.sources import LeftOut, SourceMetrics
from monitor.net.deadlines import deadline

MOST_LINES = 10
"""So many problems, or targets that were left out, are named in the log at once."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Bell:
    """Wakes a follower: the interval is over, or it is time to see whether something stirred."""

    rung: asyncio.Event
    due: bool = True

    def ask(self, _: float) -> None:
        """Have the source asked."""
        self.due = True
        self.rung.set()

    def check(self, _: float) -> None:
        """Have the source asked if something has stirred."""
        self.rung.set()


class Follower:
    """One source, its last answer, and the probes made of it.

    Args:
        name: the source's.
        source: whom to ask.
        timeout: seconds that asking may take.
        intake: makes probes of targets.
        metrics: is told what comes of it.
        changed: is called when there are other probes than before.
        known: what a source of this name said before.
    """

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        name: str,
        source: Source,
        *,
        timeout: float,
        intake: Intake,
        metrics: SourceMetrics,
        changed: Callable[[], None],
        known: Known,
    ) -> None:
        self.metrics = metrics
        self.known = known
        self.bell = Bell(asyncio.Event())
        self._source = source
        self._timeout = timeout
        self._intake = intake
        self._changed = changed
        self._batch = Batch()
        self._log = _log.bind(source=name)
        self._works: bool | None = None
        self._named: frozenset[tuple[DiscoveredTarget, str]] = frozenset()

    @property
    def probes(self) -> tuple[DiscoveredProbe, ...]:
        """The probes made of the last answer."""
        return self._batch.probes

    async def make_probes(self) -> None:
        """Make probes of what is known."""
        # Each takes a fraction of a millisecond, and others are beating.
        targets = await asyncio.to_thread(lambda: self.known.targets)
        self._batch = await asyncio.to_thread(self._intake.take, targets)
        self.metrics.targets.value = len(targets)
        self.metrics.probes.value = len(self._batch.probes)
        self.metrics.left_out[LeftOut.INVALID].value = len(self._batch.refused)
        self.metrics.left_out[LeftOut.LIMIT].value = self._batch.over_limit
        self._name_refused()

    async def run(self) -> None:
        """Follow the source until this is cancelled."""
        while True:
            self.bell.rung.clear()
            if self.bell.due or await self._stirred():
                self.bell.due = False
                await self._look()
            await self.bell.rung.wait()

    async def _look(self) -> None:
        before = self.probes
        self.known = await self._ask()
        await self.make_probes()
        self.metrics.asked(ok=not self.known.problems)
        self._tell_change_of_state()
        if self.probes != before:
            self._changed()

    async def _ask(self) -> Known:
        try:
            async with deadline(self._timeout):
                return self.known.after(await self._source.look())
        except TimeoutError:
            return self.known.after_failure(f"no answer within {self._timeout:g} s")
        except LookFailedError as error:
            return self.known.after_failure(str(error))
        except Exception as error:  # noqa: BLE001 - a bug here must cost this source alone
            return self.known.after_failure(f"a bug in the monitor: {_where(error)}")

    async def _stirred(self) -> bool:
        try:
            async with deadline(self._timeout):
                return await self._source.stirred()
        except (TimeoutError, LookFailedError):
            return False
        except Exception as error:  # noqa: BLE001 - a bug here must cost this source alone
            self._log.error("a bug in the monitor", error=_where(error))
            return False

    def _tell_change_of_state(self) -> None:
        works = not self.known.problems
        if works == self._works:
            return
        if not works:
            self._log.warning(
                "discovery fails, the last answer stays",
                problem="; ".join(_first_of(self.known.problems)),
                targets=len(self.known.targets),
            )
        elif self._works is not None:
            self._log.info("discovery works again", targets=len(self.known.targets))
        self._works = works

    def _name_refused(self) -> None:
        """Name each target that was left out once, for as long as it is."""
        refused = frozenset(self._batch.refused)
        new = sorted(refused - self._named, key=lambda each: each[0].address)
        for target, reason in new[:MOST_LINES]:
            self._log.warning(
                "discovered target left out", target=_printable(target.address), reason=reason
            )
        if len(new) > MOST_LINES:
            self._log.warning("discovered targets left out", more=len(new) - MOST_LINES)
        self._named = refused


def _first_of(problems: tuple[str, ...]) -> Iterator[str]:
    yield from problems[:MOST_LINES]
    if len(problems) > MOST_LINES:
        yield f"and {len(problems) - MOST_LINES} more"


def _printable(address: str) -> str:
    """What may be shown of an address: a source could put anything there, a whole URL too."""
    return address if set(address) <= _ADDRESS else "<no address>"


_ADDRESS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]")


def _where(error: Exception) -> str:
    """Name a bug by its kind and place; its text may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
