"""A scrape of everything: equal to the library's, shared, and gentle to the loop."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as text_families
from prometheus_client.registry import Collector

from monitor.core.availability import Availability
from monitor.core.events import Echoed, Mode, Sent
from monitor.core.traffic import Traffic
from monitor.metrics.block import Blocks
from monitor.metrics.exposition import LONGEST_HOLD, STEP, Exposition
from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES
from monitor.metrics.series import ProbeSeries
from tests.component.metrics.expositions import TEXT, Clocks, add, body, exposition, text
from tests.unit.metrics.probes import EPOCH, identity

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
FORMATS = (
    TEXT,
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    OPENMETRICS,
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text",
)


def reference(exposition: Exposition, accept: str) -> tuple[bytes, str]:
    """Return what the library writes for our families, and what it calls that."""
    encoder, content_type = choose_encoder(accept)
    return encoder(exposition).removesuffix(b"# EOF\n"), content_type


def books(page: str) -> dict[str, dict[str, float]]:
    """Return what became of the heartbeats of each probe."""
    found: dict[str, dict[str, float]] = {}
    for family in text_families(page):
        if family.name.startswith("ws_probe_heartbeats_"):
            for sample in family.samples:
                name = sample.name.removeprefix("ws_probe_heartbeats_")
                found.setdefault(sample.labels["probe"], {})[name] = sample.value
    return found


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@pytest.mark.parametrize("accept", FORMATS)
@settings(max_examples=15, deadline=None, database=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from(["a", "team", "zone", "B1"]), TEXTS),
    st.lists(st.floats(0.0, 1e9), max_size=20),
    st.floats(0.0, 1e7),
)
def test_a_scrape_is_what_the_library_would_write(
    accept: str, labels: dict[str, str], rtts: list[float], later: float
) -> None:
    """Byte for byte, for any label values and any numbers."""
    clocks = Clocks()
    exposed = exposition(clocks)
    quiet = exposed.add(identity("quiet", **labels), Traffic(), Availability())
    busy = add(exposed, "busy", Mode.MESSAGE, Mode.PING, **labels)
    for rtt in rtts:
        busy.take(Echoed(Mode.PING, later, rtt))
        exposed.monitor.loop_lag.observe(rtt)
    clocks.now += later
    scrape = asyncio.run(exposed.scrape(accept, None))
    expected, content_type = reference(exposed, accept)
    page = body(scrape)
    assert page.startswith(expected)
    assert scrape.content_type == content_type
    rest = page.removeprefix(expected).decode().split("\n")
    assert all(line.startswith(("# ", "process_")) for line in rest[:-1])
    assert quiet is not busy


async def test_later_scrapes_are_what_the_library_would_write() -> None:
    """Whatever has come, gone, beaten or not since the one before, and in whatever format."""
    clocks = Clocks()
    exposed = exposition(clocks)
    probes = {name: add(exposed, name, Mode.MESSAGE, Mode.PING) for name in ("a", "b", "c", "d")}

    def step() -> Iterator[None]:
        yield
        probes["b"].take(Sent(Mode.PING, 50.0, 0.0))
        yield
        clocks.epoch += STEP
        yield
        exposed.remove("a")
        yield
        add(exposed, "e")
        yield
        probes["c"].become(identity("c", Mode.MESSAGE))
        yield

    for number, _ in enumerate(step()):
        for accept in FORMATS[number % 3 :: 2]:
            scrape = await exposed.scrape(accept, None)
            expected, _ = reference(exposed, accept)
            assert body(scrape).startswith(expected)


async def test_openmetrics_can_be_parsed() -> None:
    """By the strict parser of the library, and it finds every family and its unit."""
    exposed = exposition(Clocks())
    add(exposed, "lobby", Mode.MESSAGE, Mode.PING)
    page = body(await exposed.scrape(OPENMETRICS, None)).decode()
    found = {family.name: family for family in openmetrics_families(page)}  # type: ignore[no-untyped-call]
    for family in PROBE_FAMILIES + MONITOR_FAMILIES:
        read = found[family.name.removesuffix("_total")]
        assert (read.type, read.documentation, read.unit) == (
            family.kind,
            family.help,
            family.unit,
        )


async def test_there_are_no_created_series() -> None:
    """They would double the price of a counter."""
    exposed = exposition(Clocks())
    add(exposed, "lobby")
    for accept in FORMATS:
        assert b"_created" not in body(await exposed.scrape(accept, None))


async def test_probes_are_grouped_by_family() -> None:
    """Both formats want all samples of a family in one place, below its header."""
    exposed = exposition(Clocks())
    for name in ("lobby", "chat", "quotes"):
        add(exposed, name)
    page = await text(exposed)
    assert page.count("# TYPE ws_probe_up gauge\n") == 1
    up = next(family for family in text_families(page) if family.name == "ws_probe_up")
    assert [sample.labels["probe"] for sample in up.samples] == ["lobby", "chat", "quotes"]


async def test_a_removed_probe_leaves_nothing_behind() -> None:
    """Not even the series that its life has added."""
    exposed = exposition(Clocks())
    add(exposed, "lobby")
    add(exposed, "chat")
    assert 'probe="chat"' in await text(exposed)
    exposed.remove("chat")
    page = await text(exposed)
    assert "chat" not in page
    assert 'probe="lobby"' in page
    exposed.remove("chat")


async def test_a_probe_that_comes_back_begins_at_0() -> None:
    """Its values were thrown away with it."""
    exposed = exposition(Clocks())
    add(exposed, "lobby")
    exposed.remove("lobby")
    exposed.add(identity("lobby"), Traffic(), Availability())
    assert 'ws_probe_connect_attempts_total{probe="lobby"} 0.0\n' in await text(exposed)


def test_a_name_can_be_taken_once() -> None:
    """Two series of one name would spoil every scrape."""
    exposed = exposition(Clocks())
    add(exposed, "lobby")
    with pytest.raises(ValueError, match="probe lobby is there already"):
        add(exposed, "lobby")


async def test_basic_detail_shows_basic_families_alone() -> None:
    """Headers of the others would be noise."""
    exposed = exposition(Clocks(), basic=True)
    add(exposed, "lobby")
    shown = {family.name for family in text_families(await text(exposed))}
    probes = {name for name in shown if name.startswith("ws_probe_")}
    basic = {family.name.removesuffix("_total") for family in PROBE_FAMILIES if family.basic}
    assert probes == basic


class TestCompression:
    """gzip, for those who ask."""

    async def test_a_compressed_page_is_the_same_page(self) -> None:
        """And says that it is compressed."""
        exposed = exposition(Clocks())
        add(exposed, "lobby")
        plain = await exposed.scrape(OPENMETRICS, None)
        packed = await exposed.scrape(OPENMETRICS, "gzip")
        ours = b"# HELP process_"
        unpacked = gzip.decompress(body(packed))
        assert unpacked.partition(ours)[0] == body(plain).partition(ours)[0]
        assert (plain.content_encoding, packed.content_encoding) == (None, "gzip")

    async def test_what_the_library_writes_it_writes_in_a_thread(self) -> None:
        """The loop has better things to do."""
        exposed = exposition(Clocks())
        seen: list[threading.Thread] = []

        class Witness(Collector):
            def collect(self) -> list[Metric]:
                seen.append(threading.current_thread())
                return []

        exposed.registry.register(Witness())
        seen.clear()
        await exposed.scrape(TEXT, "gzip")
        assert len(seen) == 1
        assert seen[0] is not threading.current_thread()


class TestSharing:
    """Scrapes that arrive together."""

    @pytest.fixture
    def rendered(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Count how often probes are rendered."""
        calls: list[int] = []
        original = ProbeSeries.note

        def note(series: ProbeSeries, blocks: Blocks, now: float) -> None:
            calls.append(1)
            original(series, blocks, now)

        monkeypatch.setattr(ProbeSeries, "note", note)
        return calls

    async def test_they_share_one_rendering(self, rendered: list[int]) -> None:
        """Whatever format each of them wants."""
        exposed = exposition(Clocks())
        add(exposed, "lobby")
        scrapes = await asyncio.gather(
            exposed.scrape(TEXT, None),
            exposed.scrape(TEXT, None),
            exposed.scrape(TEXT, "gzip"),
            exposed.scrape(OPENMETRICS, "gzip"),
        )
        assert len(rendered) == 1
        assert scrapes[0].page is scrapes[1].page is scrapes[2].page
        assert len({body(scrape) for scrape in scrapes}) == 3

    async def test_one_after_the_other_is_rendered_anew(self, rendered: list[int]) -> None:
        """Nobody gets an old page."""
        exposed = exposition(Clocks())
        series = add(exposed, "lobby")
        before = await text(exposed)
        series.take(Sent(Mode.MESSAGE, 20.0, 0.0))
        assert await text(exposed) != before
        assert len(rendered) == 2

    async def test_a_client_that_leaves_does_not_take_the_page_away(self) -> None:
        """From those who wait for the same one."""
        exposed = exposition(Clocks())
        add(exposed, "lobby")
        leaving = asyncio.create_task(exposed.scrape(TEXT, None))
        staying = asyncio.create_task(exposed.scrape(TEXT, None))
        await asyncio.sleep(0)
        leaving.cancel()
        assert b'probe="lobby"' in body(await staying)
        assert leaving.cancelled()


class TestLoop:
    """What a rendering leaves for everybody else."""

    @pytest.fixture
    async def turns(self) -> AsyncIterator[Callable[[], int]]:
        """Count how often another task gets its turn."""
        count = 0

        async def watch() -> None:
            nonlocal count
            while True:
                count += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(watch())
        yield lambda: count
        task.cancel()

    async def test_rendering_gives_way_once_it_has_taken_its_share(
        self, turns: Callable[[], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A probe that takes a third of it lets every third one wait."""
        clocks = Clocks()
        exposed = exposition(clocks)
        for number in range(30):
            add(exposed, f"probe-{number}")
        seen: list[int] = []
        original = ProbeSeries.note

        def note(series: ProbeSeries, blocks: Blocks, now: float) -> None:
            seen.append(turns())
            original(series, blocks, now)

        monkeypatch.setattr(ProbeSeries, "note", note)
        clocks.tick = LONGEST_HOLD / 5
        await exposed.scrape(TEXT, None)
        in_one_turn = max(seen.count(turn) for turn in set(seen))
        assert 1 <= in_one_turn <= 3

    async def test_each_probe_is_rendered_at_one_instant(self) -> None:
        """So its books balance, although all probes beat while a scrape is rendered."""
        clocks = Clocks()
        exposed = exposition(clocks)
        probes = [add(exposed, f"probe-{number}") for number in range(10)]

        async def beat() -> None:
            for turn in range(1000):
                for series in probes:
                    series.take((Sent if turn % 2 == 0 else Echoed)(Mode.MESSAGE, 20.0 + turn, 0.1))
                await asyncio.sleep(0)

        clocks.tick = LONGEST_HOLD
        task = asyncio.create_task(beat())
        all_books = books(await text(exposed)).values()
        task.cancel()
        assert len({one["sent_total"] for one in all_books}) > 1
        for one in all_books:
            settled = one["echoed_total"] + one["missed_total"] + one["aborted_total"]
            assert one["sent_total"] == settled + one["in_flight"]


async def test_calm_is_held_while_a_page_is_rendered() -> None:
    """And no longer."""
    held: list[bool] = []
    seen: list[bool] = []

    @contextmanager
    def calm() -> Iterator[None]:
        held.append(True)
        yield
        held.pop()

    class Witness(Collector):
        def collect(self) -> list[Metric]:
            seen.append(bool(held))
            return []

    exposed = Exposition(rtt_buckets=(), close_codes=(), version="1.2.3", calm=calm)
    exposed.registry.register(Witness())
    seen.clear()
    await exposed.scrape(TEXT, None)
    assert (seen, held) == ([True], [])


class TestClocks:
    """Time stamps, between two clocks."""

    START = 'ws_probe_connection_start_timestamp_seconds{probe="lobby"} '

    async def start(self, exposed: Exposition) -> float:
        """Return when the connection started, as exposed."""
        page = await text(exposed)
        return float(page.partition(self.START)[2].partition("\n")[0])

    async def test_a_time_stamp_stays_as_it_is(self) -> None:
        """Although two clocks are never read at one instant: `changes()` would count that."""
        clocks = Clocks()
        exposed = exposition(clocks)
        add(exposed, "lobby")
        first = await self.start(exposed)
        clocks.now += 15.0
        clocks.epoch += STEP * 0.9
        assert first == EPOCH + 1.0 == await self.start(exposed)

    async def test_a_time_stamp_follows_when_the_clock_is_set(self) -> None:
        """Or the age of the connection would be wrong from then on."""
        clocks = Clocks()
        exposed = exposition(clocks)
        add(exposed, "lobby")
        clocks.epoch -= 3600.0
        assert await self.start(exposed) == EPOCH - 3599.0

    async def test_a_scrape_tells_how_long_the_one_before_took(self) -> None:
        """Its own it cannot know."""
        clocks = Clocks()
        exposed = exposition(clocks)
        add(exposed, "lobby")
        clocks.tick = 0.25
        assert "ws_monitor_scrape_duration_seconds 0.0\n" in await text(exposed)
        assert "ws_monitor_scrape_duration_seconds 0.0\n" not in await text(exposed)


async def test_a_scrape_that_fails_does_not_stop_the_next_one() -> None:
    """A collector of somebody else may have a bad moment."""
    exposed = exposition(Clocks())
    bad: list[Any] = [RuntimeError("no luck"), None]

    class Moody(Collector):
        def collect(self) -> list[Metric]:
            mood = bad.pop(0)
            if mood:
                raise mood
            return []

    exposed.registry.register(Moody())
    with pytest.raises(RuntimeError, match="no luck"):
        await exposed.scrape(TEXT, None)
    assert "ws_monitor_probes" in await text(exposed)
