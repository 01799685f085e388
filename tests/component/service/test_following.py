"""Following the config: every change is applied once, one at a time, and whoever asked hears."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.config import Config, FileWatch, load_config, parse_config
from monitor.following import Following, Problems, _only_at_start

PATIENCE = 10.0


def config_text(*names: str) -> str:
    """A config with probes of these names."""
    probes = ", ".join(f"{{name: {name}, url: 'ws://h', protocol: ping}}" for name in names)
    return f"probes: [{probes}]"


def write(file: Path, text: str) -> None:
    """Change the config file."""
    file.write_text(text)


class Applied:
    """Applies configs slowly, if told to, and notes which."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.told: list[Problems] = []
        self._begun = asyncio.Condition()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.busy = False

    async def apply(self, config: Config) -> int:
        """Apply a config."""
        assert not self.busy, "two changes are applied at a time"
        self.busy = True
        async with self._begun:
            self.names.append([probe.name for probe in config.probes])
            self._begun.notify_all()
        await self.may_go_on.wait()
        self.busy = False
        return len(config.probes)

    async def until(self, count: int) -> None:
        """Wait until so many changes have begun."""
        async with asyncio.timeout(PATIENCE), self._begun:
            await self._begun.wait_for(lambda: len(self.names) >= count)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A config file with one probe."""
    path = tmp_path / "c.yaml"
    path.write_text(config_text("a"))
    return path


@pytest.fixture
def applied() -> Applied:
    """What applies the configs."""
    return Applied()


@pytest.fixture
async def following(file: Path, applied: Applied) -> AsyncIterator[Following]:
    """What follows the file; the config has been applied once."""
    following = Following(
        FileWatch(file), load_config(file), apply=applied.apply, told=applied.told.append
    )
    task = asyncio.create_task(following.run())
    await applied.until(1)
    await asyncio.sleep(0)
    yield following
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class TestReload:
    """The file is read again."""

    async def test_what_it_says_is_applied_before_whoever_asked_hears(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        write(file, config_text("a", "b"))
        assert await following.reload("test") == []
        assert applied.names == [["a"], ["a", "b"]]
        assert applied.told == [[], []]
        assert [probe.name for probe in following.config.probes] == ["a", "b"]

    async def test_a_bad_file_changes_nothing_and_every_problem_is_told(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        write(file, "probes: [{name: a}]\nnonsense: 1\n")
        problems = await following.reload("test")
        assert len(problems) == 3
        assert all(str(file) in problem for problem in problems)
        assert applied.names == [["a"]]
        assert applied.told == [[], problems]
        assert [probe.name for probe in following.config.probes] == ["a"]

    async def test_those_who_ask_while_a_change_is_applied_share_the_next_one(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        applied.may_go_on.clear()
        first = asyncio.create_task(following.reload("first"))
        await applied.until(2)
        write(file, config_text("a", "b"))
        others = [asyncio.create_task(following.reload(f"{n}")) for n in range(20)]
        await asyncio.sleep(0)
        assert not first.done()
        applied.may_go_on.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(first, *others)
        assert applied.names == [["a"], ["a"], ["a", "b"]]

    async def test_one_who_stops_waiting_stops_nothing_for_the_others(
        self, applied: Applied, following: Following
    ) -> None:
        applied.may_go_on.clear()
        impatient, patient = (asyncio.create_task(following.reload("test")) for _ in range(2))
        await applied.until(2)
        impatient.cancel()
        applied.may_go_on.set()
        async with asyncio.timeout(PATIENCE):
            assert await patient == []


class TestReapply:
    """The set of wanted probes changed, the file did not."""

    async def test_the_config_in_force_is_applied_and_the_file_is_not_read(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        write(file, "nonsense")
        following.reapply_soon("discovery")
        await applied.until(2)
        assert applied.names == [["a"], ["a"]]
        assert applied.told == [[]]

    async def test_it_is_done_although_the_file_that_is_read_as_well_is_bad(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        write(file, "nonsense")
        following.reapply_soon("discovery")
        assert await following.reload("test") != []
        assert applied.names == [["a"], ["a"]]


class TestWhatTakesARestart:
    """Named, so that nobody waits for it."""

    @pytest.mark.parametrize(
        ("before", "after", "named"),
        [
            ("", "log: {level: debug}", ["log"]),
            ("", "labels: {team: chat}", []),
            ("labels: {vantage: a}", "labels: {vantage: b}", ["labels.vantage"]),
            ("", "probes: [{name: a, url: 'ws://h', protocol: ping}]", []),
        ],
    )
    def test_sections_that_are_only_read_at_the_start(
        self, before: str, after: str, named: list[str]
    ) -> None:
        old, new = (parse_config(text or "{}", "c") for text in (before, after))
        assert _only_at_start(old, new) == named


class TestLook:
    """The file is looked at now and then."""

    async def look(self, following: Following) -> None:
        """Look once, and see it through."""
        following.look()
        assert following._looking is not None
        async with asyncio.timeout(PATIENCE):
            await following._looking

    async def test_a_change_is_applied_once_it_has_come_to_rest(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        write(file, config_text("a", "b"))
        await self.look(following)
        assert applied.names == [["a"]]
        await self.look(following)
        await applied.until(2)
        await self.look(following)
        await self.look(following)
        await asyncio.sleep(0)
        assert applied.names == [["a"], ["a", "b"]]

    async def test_what_was_read_for_another_reason_is_not_read_again(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        write(file, config_text("a", "b"))
        await self.look(following)
        await following.reload("test")
        await self.look(following)
        await self.look(following)
        await asyncio.sleep(0)
        assert applied.names == [["a"], ["a", "b"]]

    async def test_a_bad_change_is_refused_once(
        self, file: Path, applied: Applied, following: Following
    ) -> None:
        write(file, "nonsense")
        for _ in range(5):
            await self.look(following)
        assert await following.reload("test") != []
        assert len(applied.told) <= 3
        assert applied.names == [["a"]]


class TestTheEnd:
    """The monitor stops."""

    async def test_whoever_waits_hears_that_nothing_comes_of_it(
        self, file: Path, applied: Applied
    ) -> None:
        following = Following(
            FileWatch(file), load_config(file), apply=applied.apply, told=applied.told.append
        )
        applied.may_go_on.clear()
        task = asyncio.create_task(following.run())
        await applied.until(1)
        waiting = asyncio.create_task(following.reload("test"))
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(PATIENCE):
            assert await waiting == ["the monitor is stopping"]
