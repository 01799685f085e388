"""Blocks: which probes are written together, and lines that only some of them have."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest

from monitor.core.availability import Availability
from monitor.core.events import Disconnected, Initiator, Mode
from monitor.core.traffic import Traffic
from monitor.metrics import families
from monitor.metrics.block import MOST
from monitor.metrics.families import PROBE_FAMILIES
from monitor.metrics.pages import Collected
from monitor.metrics.series import ProbeSeries
from monitor.metrics.view import metric_of
from tests.unit.metrics.probes import A_LIFE, identity, noted, page

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
