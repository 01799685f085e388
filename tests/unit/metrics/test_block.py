"""Blocks: which probes are written together, and lines that only some of them have."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest

from monitor.core.availability import Availability
from monitor.core.events import Disconnected, Event, Initiator, Mode, Sent
from monitor.core.traffic import Traffic
from monitor.metrics import families
from monitor.metrics.block import MOST, Block
from monitor.metrics.families import PROBE_FAMILIES
from monitor.metrics.pages import Collected, Packing
from monitor.metrics.series import ProbeSeries
from monitor.metrics.view import metric_of
from tests.unit.metrics.probes import A_LIFE, EPOCH, identity, noted, page

UNEXPECTED = Disconnected(11.0, Initiator.LOCAL, 1002, 10.0, was_ready=True, detail="it ended")

KINDS = st.tuples(
    st.sampled_from([(Mode.MESSAGE,), (Mode.PING,), (Mode.MESSAGE, Mode.PING)]),
    st.dictionaries(st.sampled_from(["region", "a", "team"]), st.sampled_from(["x", "y"])),
    st.booleans(),
)


def probe(
    number: int, modes: tuple[Mode, ...], labels: dict[str, str], *, surprising: bool
) -> ProbeSeries:
    """Return the series of a probe with some history."""
    series = ProbeSeries(identity(f"p{number}", *modes, **labels), Traffic(), Availability())
    for event in A_LIFE if Mode.MESSAGE in modes else ():
        series.take(event)
    for _ in range(surprising):
        series.take(UNEXPECTED)
    return series


def lines(text: str) -> list[str]:
    """Return all lines but the headers."""
    return [line for line in text.splitlines() if not line.startswith("#")]


@given(st.lists(KINDS, max_size=12))
def test_unlike_probes_are_written_as_the_library_would(
    kinds: list[tuple[tuple[Mode, ...], dict[str, str], bool]],
) -> None:
    """Each in a block of its like, and no line is lost or written twice."""
    probes = [
        probe(number, modes, labels, surprising=surprising)
        for number, (modes, labels, surprising) in enumerate(kinds)
    ]
    blocks = noted(*probes)
    for family in PROBE_FAMILIES:
        samples = [one for block in blocks for one in block.samples(family)]
        library = generate_latest(Collected(metric_of(family, samples))).decode()
        assert lines(page(*probes, shown=[family])) == lines(library)
    ours = [page(one) for one in probes]
    assert sorted(lines(page(*probes))) == sorted(lines("".join(ours)))


def test_a_block_has_so_many_probes() -> None:
    """More would hold the loop for longer."""
    probes = [probe(number, (Mode.PING,), {}, surprising=False) for number in range(2 * MOST + 1)]
    sizes = [sum(1 for _ in block.samples(families.UP)) for block in noted(*probes)]
    assert sizes == [MOST, MOST, 1]


def test_a_block_has_the_numbers_of_one_instant() -> None:
    """What happens to a probe while it is written is for the next scrape."""
    series = probe(1, (Mode.MESSAGE,), {}, surprising=True)
    (block,) = noted(series)
    before = [block.write(family) for family in PROBE_FAMILIES]
    for event in (*A_LIFE, UNEXPECTED):
        series.take(event)
    series.become(identity("other", Mode.PING, zone="z"))
    assert [block.write(family) for family in PROBE_FAMILIES] == before


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(
            [*A_LIFE, UNEXPECTED, "fewer beats", "another name", "gone", "the clock is set"]
        ),
    ),
    max_size=6,
)


@given(st.lists(KINDS, min_size=1, max_size=5), st.lists(CHANGES, max_size=4))
def test_what_is_used_again_is_what_would_be_written(
    kinds: list[tuple[tuple[Mode, ...], dict[str, str], bool]],
    scrapes: list[list[tuple[int, Event | str]]],
) -> None:
    """Whatever happens between two scrapes: to a probe, to its name, or to the clock."""
    probes = [
        probe(number, (Mode.MESSAGE, *modes), labels, surprising=surprising)
        for number, (modes, labels, surprising) in enumerate(kinds)
    ]
    epoch = EPOCH
    before = noted(*probes)
    packed_page(before)
    for now, changes in enumerate(scrapes, 200):
        for number, change in changes:
            epoch += change == "the clock is set"
            probes = changed(probes, number, change)
        blocks = noted(*probes, now=now, epoch=epoch)
        for block, earlier in zip(blocks, before, strict=False):
            block.take_over(earlier)
        assert packed_page(blocks) == page(*probes, now=now, epoch=epoch)
        before = blocks


def changed(probes: list[ProbeSeries], number: int, change: Event | str) -> list[ProbeSeries]:
    """Return the probes after something has happened to one of them."""
    chosen = probes[number : number + 1]
    for series in chosen:
        if isinstance(change, Event):
            series.take(change)
        elif change == "another name":
            series.become(identity(f"q{number}", Mode.MESSAGE))
        elif change == "fewer beats":
            series.become(identity(f"p{number}", Mode.MESSAGE))
    return [series for series in probes if series not in chosen or change != "gone"]


def packed_page(blocks: Iterable[Block]) -> str:
    """Return all lines, as they are when they were compressed."""
    packing = Packing()
    for family in PROBE_FAMILIES:
        for block in blocks:
            packing.take(block.pack(family))
    return b"".join(packing.finish().plain(1 << 16)).decode()


def test_only_what_has_changed_is_written_again() -> None:
    """Of a probe that has beaten: what it beats, not how it connected."""
    series = probe(1, (Mode.MESSAGE,), {}, surprising=True)
    (before,), families_shown = noted(series), PROBE_FAMILIES
    kept = {family: before.pack(family) for family in families_shown}
    series.take(Sent(Mode.MESSAGE, 50.0, 0.0))
    (block,) = noted(series)
    block.take_over(before)
    again = {family for family in families_shown if block.pack(family) is kept[family]}
    assert set(families_shown) - again == {families.SENT, families.IN_FLIGHT}


def test_nothing_is_used_again_for_other_beats() -> None:
    """Although the labels are the same, and so are the numbers that are left."""
    series = probe(0, (Mode.MESSAGE, Mode.PING), {}, surprising=False)
    (before,) = noted(series)
    packed_page([before])
    series.become(identity("p0", Mode.MESSAGE))
    (block,) = noted(series)
    block.take_over(before)
    assert packed_page([block]) == page(series)
