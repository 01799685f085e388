"""Sources are followed as the config in force has them, and what they said last is kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import structlog

from monitor.config import Config, parse_config, target_with
from monitor.core.schedule import Schedule
from monitor.core.sharding import ALONE
from monitor.discovery import discovery as module
from monitor.discovery.discovery import WATCH, Discovery
from monitor.discovery.source import Answer, Failed, LookFailedError
from monitor.metrics import families
from monitor.metrics.families import Family
from monitor.metrics.own import MonitorMetrics
from tests.integration.harness.waiting import wait_until


class Slots:
    """Calls whoever subscribed when a test says so."""

    def __init__(self) -> None:
        self.callers: dict[Schedule, list[Callable[[float], None]]] = {}

    def subscribe(self, schedule: Schedule, call: Callable[[float], None]) -> Callable[[], None]:
        """Take a subscription, and return what ends it."""
        self.callers.setdefault(schedule, []).append(call)
        return lambda: self.callers[schedule].remove(call)

    def watch(self) -> None:
        """Let everybody see whether something has stirred."""
        for call in list(self.callers[WATCH]):
            call(0.0)

    def refresh(self) -> None:
        """Let every interval be over."""
        for schedule, callers in self.callers.items():
            for call in list(callers) if schedule != WATCH else ():
                call(0.0)


class Stage:
    """A discovery, its figures, and how often it called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.slots = Slots()
        self.monitor = MonitorMetrics("1", lambda: 1.0, ALONE, "")
        self.changes: list[str] = []
        self.discovery = Discovery(
            subscribe=self.slots.subscribe, gallery=self.monitor, changed=self.changes.append
        )

    def write(self, name: str, *addresses: str) -> None:
        """Write a file of targets."""
        (self.directory / name).write_text(json.dumps([{"targets": list(addresses)}]))

    def config(self, *sources: str, before: str = "") -> Config:
        """Return a config of these sources, given by what is between the braces."""
        text = f"{before}\ndiscovery: [{', '.join(f'{{{each}}}' for each in sources)}]"
        return parse_config(text, "c", directory=self.directory)

    async def apply(self, *sources: str, before: str = "") -> None:
        """Follow these sources."""
        config = self.config(*sources, before=before)
        await self.discovery.apply(config.discovery, config.discovery_deny)

    def names(self, *taken: str) -> list[str]:
        """Return the names of the probes that are there now."""
        return [probe.name for probe in self.discovery.probes(taken)]

    async def until(self, *names: str) -> None:
        """Wait until there are these probes."""
        await wait_until(lambda: self.names() == list(names), what=f"{names}")

    def figure(self, family: Family, source: str, reason: str | None = None) -> float | None:
        """Return the value of a source's series."""
        wanted = {"source": source} | ({} if reason is None else {"reason": reason})
        found = [
            sample.value
            for metric in self.monitor.collect()
            for sample in metric.samples
            if sample.name == family.name and sample.labels == wanted
        ]
        return found[0] if found else None

    async def until_figure(self, family: Family, source: str, value: float) -> None:
        """Wait until a source's series has a value."""
        await wait_until(lambda: self.figure(family, source) == value, what=family.name)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A discovery that follows nobody yet."""
    stage = Stage(tmp_path)
    yield stage
    await stage.discovery.stop()
    assert all(not callers for callers in stage.slots.callers.values())


def source(name: str, probe: str = "{host}", files: str = "*.json", more: str = "") -> str:
    """Return a source of files, as the config has it."""
    return (
        f"name: {name}, file_sd: {{files: ['{files}']}}, {more}"
        f"probe: {{name: '{probe}', url: 'ws://{{address}}', protocol: ping}}"
    )


async def test_targets_become_probes_and_vanish_with_their_target(stage: Stage) -> None:
    """Whoever runs them is told each time, and only then."""
    stage.write("a.json", "b", "a")
    await stage.apply(source("s"))
    await stage.until("a", "b")
    assert stage.changes == ["discovery: s"]
    stage.write("a.json", "a", "c", "x y")
    stage.slots.watch()
    await stage.until("a", "c")
    assert stage.changes == ["discovery: s"] * 2
    stage.slots.refresh()
    await stage.until_figure(families.DISCOVERY_REFRESHES, "s", 3)
    assert stage.changes == ["discovery: s"] * 2
    assert stage.figure(families.DISCOVERY_TARGETS, "s") == 3
    assert stage.figure(families.DISCOVERY_PROBES, "s") == 2
    assert stage.figure(families.DISCOVERY_LEFT_OUT, "s", "invalid") == 1


async def test_a_name_that_is_taken_is_left_out(stage: Stage) -> None:
    """By the config first, then in the order of the sources, then of the targets."""
    stage.write("a.json", "a", "b:1", "b:2", "c")
    await stage.apply(source("first"), source("second"))
    await stage.until("a", "b", "c")
    assert stage.names("a") == ["b", "c"]
    assert stage.figure(families.DISCOVERY_LEFT_OUT, "first", "duplicate") == 2
    assert stage.figure(families.DISCOVERY_LEFT_OUT, "second", "duplicate") == 4
    assert stage.discovery.probes(())[1].read_url() == "ws://b:1"


async def test_a_source_has_no_more_probes_than_its_limit(stage: Stage) -> None:
    """And says how many are missing."""
    stage.write("a.json", "c", "b", "a")
    await stage.apply(source("s", more="limit: 2, "))
    await stage.until("a", "b")
    assert stage.figure(families.DISCOVERY_LEFT_OUT, "s", "limit") == 1


class Fickle:
    """A source that does what a test says."""

    def __init__(self) -> None:
        self.does: Callable[[], Answer] = dict
        self.hangs = False
        self.checks = 0

    async def look(self) -> Answer:
        """Do it."""
        if self.hangs:
            await asyncio.Event().wait()
        return self.does()

    async def stirred(self) -> bool:
        """It never tells."""
        self.checks += 1
        return False


def fails(error: Exception) -> Callable[[], Answer]:
    """Return what raises an error."""

    def fail() -> Answer:
        raise error

    return fail


@pytest.fixture
def fickle(monkeypatch: pytest.MonkeyPatch) -> Fickle:
    """The source that every config has."""
    fickle = Fickle()
    monkeypatch.setattr(module, "FileSource", lambda _: fickle)
    return fickle


async def test_whatever_goes_wrong_the_last_answer_stays_and_one_line_says_so(
    stage: Stage, fickle: Fickle
) -> None:
    """And another one when it works again."""
    from_files = {"part": (target_with("a:1", {}),)}
    fickle.does = lambda: from_files
    with structlog.testing.capture_logs() as lines:
        await stage.apply(source("s", more="timeout: 100ms, "))
        await stage.until("a")
        failures: list[Callable[[], Answer]] = [
            fails(LookFailedError("no such thing")),
            lambda: {"part": Failed("half of it")},
            fails(ZeroDivisionError("hunter2")),
        ]
        for count, failure in enumerate(failures, 1):
            fickle.does = failure
            stage.slots.refresh()
            await stage.until_figure(families.DISCOVERY_REFRESH_FAILURES, "s", count)
            assert stage.names() == ["a"]
            assert stage.figure(families.DISCOVERY_UP, "s") == 0
        fickle.hangs = True
        stage.slots.refresh()
        await stage.until_figure(families.DISCOVERY_REFRESH_FAILURES, "s", 4)
        assert stage.names() == ["a"]
        fickle.hangs = False
        fickle.does = lambda: from_files
        stage.slots.refresh()
        await stage.until_figure(families.DISCOVERY_UP, "s", 1)
    assert [(line["event"], line.get("problem")) for line in lines] == [
        ("discovery fails, the last answer stays", "no such thing"),
        ("discovery works again", None),
    ]
    assert stage.changes == ["discovery: s"]


async def test_when_nothing_stirred_nobody_is_asked(stage: Stage, fickle: Fickle) -> None:
    """Until the interval is over."""
    await stage.apply(source("s"))
    await stage.until_figure(families.DISCOVERY_REFRESHES, "s", 1)
    for count in (1, 2):
        stage.slots.watch()
        await wait_until(lambda count=count: fickle.checks == count, what="a check")
    assert stage.figure(families.DISCOVERY_REFRESHES, "s") == 1
    stage.slots.refresh()
    await stage.until_figure(families.DISCOVERY_REFRESHES, "s", 2)


async def test_a_source_that_fails_from_the_start_is_down_and_says_why(
    stage: Stage, fickle: Fickle
) -> None:
    """There is nothing to keep."""
    fickle.does = fails(LookFailedError("no such thing"))
    with structlog.testing.capture_logs() as lines:
        await stage.apply(source("s"))
        await stage.until_figure(families.DISCOVERY_REFRESH_FAILURES, "s", 1)
    assert [line["problem"] for line in lines] == ["no such thing"]
    assert stage.figure(families.DISCOVERY_LAST_SUCCESS, "s") is None
    assert stage.changes == []


async def test_a_target_that_is_left_out_is_named_once(stage: Stage) -> None:
    """Without what is no address in it, and not more than ten at once."""
    stage.write("a.json", "a b/hunter2", *(f"h:{70000 + n}" for n in range(15)))
    with structlog.testing.capture_logs() as lines:
        await stage.apply(source("s"))
        await stage.until_figure(families.DISCOVERY_REFRESHES, "s", 1)
        stage.slots.refresh()
        await stage.until_figure(families.DISCOVERY_REFRESHES, "s", 2)
    named = [line for line in lines if line["event"] == "discovered target left out"]
    assert len(named) == 10
    assert (named[0]["target"], named[1]["target"]) == ("<no address>", "h:70000")
    assert named[0]["reason"] == "its address is not HOST or HOST:PORT"
    assert named[1]["reason"] == "url: this URL's host or port is malformed"
    assert [line["more"] for line in lines if "more" in line] == [6]
    assert "hunter2" not in str(lines)


async def test_a_source_that_did_not_change_is_not_touched(stage: Stage) -> None:
    """Whatever else did."""
    stage.write("a.json", "a")
    await stage.apply(source("s"))
    await stage.until("a")
    (probe,) = stage.discovery.probes(())
    await stage.apply(source("t", "t-{host}"), source("s"))
    await stage.until("t-a", "a")
    assert stage.discovery.probes(())[1] is probe
    assert stage.figure(families.DISCOVERY_REFRESHES, "s") == 1


async def test_a_source_that_changed_keeps_its_targets_until_it_has_answered(
    stage: Stage, fickle: Fickle
) -> None:
    """Otherwise a reload would cut its connections."""
    answer: Answer = {"part": (target_with("a:1", {}),)}
    fickle.does = lambda: answer
    await stage.apply(source("s"))
    await stage.until("a")
    fickle.does = fails(LookFailedError("no such thing"))
    await stage.apply(source("s", "new-{host}"))
    assert stage.names() == ["new-a"]
    await stage.until_figure(families.DISCOVERY_REFRESH_FAILURES, "s", 1)
    assert stage.names() == ["new-a"]


async def test_another_deny_list_makes_other_probes(stage: Stage) -> None:
    """It is part of what they are."""
    stage.write("a.json", "a")
    await stage.apply(source("s"))
    await stage.until("a")
    (before,) = stage.discovery.probes(())
    await stage.apply(source("s"), before="discovery_deny: ['10.0.0.0/8']")
    (after,) = stage.discovery.probes(())
    assert after != before
    assert after.deny_list.match("10.0.0.1") is not None
    await stage.apply(
        source("s", more="allow: ['10.0.0.1'], "), before="discovery_deny: ['10.0.0.0/8']"
    )
    (allowed,) = stage.discovery.probes(())
    assert allowed.deny_list.match("10.0.0.1") is None


async def test_a_source_that_is_gone_takes_its_probes_and_its_series_with_it(stage: Stage) -> None:
    """Nobody asks it any more."""
    stage.write("a.json", "a")
    await stage.apply(source("s"))
    await stage.until("a")
    await stage.apply()
    assert stage.names() == []
    assert stage.figure(families.DISCOVERY_UP, "s") is None
