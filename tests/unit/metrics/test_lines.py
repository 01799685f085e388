"""Lines of alike probes: equal to what `prometheus_client` writes, whatever the numbers are."""

from array import array
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from monitor.metrics import families
from monitor.metrics.families import Family, Kind
from monitor.metrics.lines import (
    Base,
    FamilyLines,
    Rows,
    make_base,
    points,
    write_line,
)
from monitor.metrics.pages import Collected
from monitor.metrics.places import ABSENT, DOUBLE, Child
from monitor.metrics.view import metric_of, named

COUNTER = Family("ws_probe_things_total", Kind.COUNTER, "Things.", ("kind",))
HISTOGRAM = Family("ws_probe_times_seconds", Kind.HISTOGRAM, "Times.", ("kind",))
READING = families.TCP_RTT
MOMENT = families.LAST_ECHO
EPOCH = 1_700_000_000.0

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.text('%"\\\n{},= s', max_size=12)
NAMES = st.sampled_from(["a", "a1", "a_b", "B", "kind_of", "probe", "zone", "kin", "lf"])
VALUES = st.integers(0, 10**9) | st.floats(allow_nan=False).map(lambda number: number + 0.0)
COUNTS = st.integers(0, 2) | st.integers(0, 2**40)
MAYBE = st.just(ABSENT) | st.floats(0, 1e12)
MOMENTS = st.just(ABSENT) | st.floats(-1e9, 1e9) | st.floats(-1e13, 1e13)


def rows_of(bases: Sequence[Base], numbers: Sequence[Sequence[float]]) -> Rows:
    """Return rows of some probes."""
    rows = Rows(len(numbers[0]), EPOCH)
    for base, some in zip(bases, numbers, strict=True):
        rows.add(base, array(DOUBLE, some))
    return rows


def samples(family: Family, children: Sequence[Child], rows: Rows) -> list[Sample]:
    """Return what the lines of some probes show."""
    return [
        Sample(
            family.name + suffix,
            {**base.labels, **named(family, child.labels), **more},
            value,
        )
        for index, base in enumerate(rows.bases)
        for child in children
        for suffix, more, value in points(child, rows.row(index, child), rows.epoch)
    ]


def by_the_library(
    generate: Callable[[Collector], bytes], family: Family, some: list[Sample]
) -> str:
    """Return the sample lines as the library writes them."""
    lines = generate(Collected(metric_of(family, some))).decode().split("\n")
    return "\n".join(line for line in lines if not line.startswith("# "))


def histogram(kind: str, at: int) -> Child:
    """Return a histogram of three buckets."""
    return Child(HISTOGRAM, (kind,), at, (0.5, 1.0, 2.5))


def single(family: Family, *labels: str, at: int = 0) -> Child:
    """Return a child with one number."""
    return Child(family, labels, at)


CHILDREN: Mapping[Family, tuple[Sequence[Child], list[st.SearchStrategy[float]]]] = {
    COUNTER: ([single(COUNTER, "a"), single(COUNTER, 'b"\\\n%s', at=1)], [VALUES, VALUES]),
    HISTOGRAM: ([histogram("a", 0), histogram("100 %", 5)], 2 * [*(4 * [COUNTS]), VALUES]),
    READING: ([single(READING)], [MAYBE]),
    MOMENT: ([single(MOMENT, "message"), single(MOMENT, "ping", at=1)], [MOMENTS, MOMENTS]),
    families.DOWNTIME: ([single(families.DOWNTIME)], [VALUES]),
}


@pytest.mark.parametrize("family", CHILDREN, ids=lambda family: family.name)
@given(st.data())
def test_lines_are_those_of_the_library(family: Family, data: st.DataObject) -> None:
    """For any label values, any numbers, in both formats."""
    names = data.draw(st.sets(NAMES, min_size=1, max_size=4))
    labels = st.fixed_dictionaries(dict.fromkeys(names, TEXTS))
    children, numbers = CHILDREN[family]
    probes = data.draw(st.lists(st.tuples(labels, st.tuples(*numbers)), min_size=1, max_size=5))
    bases = [make_base(one) for one, _ in probes]
    rows = rows_of(bases, [some for _, some in probes])
    written = FamilyLines(family, bases[0].names, children).write(rows).decode()
    shown = samples(family, children, rows)
    assert written == by_the_library(generate_latest, family, shown)
    assert written == by_the_library(openmetrics.generate_latest, family, shown)


@given(st.dictionaries(NAMES, TEXTS, min_size=1, max_size=4), TEXTS, VALUES)
def test_a_line_by_itself_is_the_library_s(
    labels: Mapping[str, str], kind: str, value: float
) -> None:
    """It has the same labels, however few probes have it."""
    base = make_base(labels)
    line = write_line(COUNTER.name, base, {"kind": kind}, value).decode()
    sample = Sample(COUNTER.name, {**base.labels, "kind": kind}, value)
    assert line == by_the_library(generate_latest, COUNTER, [sample])


def write(family: Family, children: Sequence[Child], *numbers: Sequence[float]) -> list[str]:
    """Return the lines of some probes whose only label is their number."""
    bases = [make_base({"probe": str(number)}) for number in range(len(numbers))]
    lines = FamilyLines(family, ("probe",), children)
    return lines.write(rows_of(bases, numbers)).decode().splitlines()


def test_a_line_is_name_labels_and_number() -> None:
    """Labels in the order of their names, quotes, backslashes and line ends escaped."""
    base = make_base({"probe": 'a"b', "zone": "c\\d\ne"})
    lines = FamilyLines(COUNTER, base.names, [single(COUNTER, "100 %")])
    assert lines.write(rows_of([base], [[7]])) == (
        b'ws_probe_things_total{kind="100 %",probe="a\\"b",zone="c\\\\d\\ne"} 7.0\n'
    )


def test_probes_come_one_after_the_other() -> None:
    """Each with all of its children."""
    assert write(COUNTER, [single(COUNTER, "a"), single(COUNTER, "b", at=1)], [1, 2], [3, 4]) == [
        'ws_probe_things_total{kind="a",probe="0"} 1.0',
        'ws_probe_things_total{kind="b",probe="0"} 2.0',
        'ws_probe_things_total{kind="a",probe="1"} 3.0',
        'ws_probe_things_total{kind="b",probe="1"} 4.0',
    ]


def test_a_histogram_has_cumulative_buckets_count_and_sum() -> None:
    """Each bucket is counted by itself; +Inf and the count are all of them."""
    assert write(HISTOGRAM, [histogram("a", 0)], [2, 0, 1, 1, 10.5]) == [
        'ws_probe_times_seconds_bucket{kind="a",le="0.5",probe="0"} 2.0',
        'ws_probe_times_seconds_bucket{kind="a",le="1.0",probe="0"} 2.0',
        'ws_probe_times_seconds_bucket{kind="a",le="2.5",probe="0"} 3.0',
        'ws_probe_times_seconds_bucket{kind="a",le="+Inf",probe="0"} 4.0',
        'ws_probe_times_seconds_count{kind="a",probe="0"} 4.0',
        'ws_probe_times_seconds_sum{kind="a",probe="0"} 10.5',
    ]


def test_what_is_absent_has_no_line() -> None:
    """Whoever else has one; and it may come at any time."""
    reading = [single(READING)]
    assert write(READING, reading, [ABSENT], [ABSENT]) == []
    line = 'ws_probe_tcp_rtt_seconds{probe="1"} 0.25'
    assert write(READING, reading, [ABSENT], [0.25], [ABSENT]) == [line]


def test_a_moment_is_told_in_unix_time_to_the_millisecond() -> None:
    """Two clocks do not agree to more."""
    assert write(MOMENT, [single(MOMENT, "ping")], [1.4999], [ABSENT]) == [
        'ws_probe_last_echo_timestamp_seconds{mode="ping",probe="0"} 1.7000000015e+09'
    ]


def test_a_family_without_children_has_no_lines() -> None:
    """The lines that only some probes have are written elsewhere."""
    assert write(COUNTER, [], [1], [2]) == []


def test_what_utf8_cannot_carry_is_replaced() -> None:
    """Half a surrogate pair in one label would spoil every scrape."""
    base = make_base({"probe": "a\udfff"})
    lines = FamilyLines(COUNTER, base.names, [single(COUNTER, "\ud800")])
    assert lines.write(rows_of([base], [[1]])) == (
        b'ws_probe_things_total{kind="?",probe="a?"} 1.0\n'
    )


def test_a_child_must_have_all_labels() -> None:
    """One too few would be a series of its own kind."""
    with pytest.raises(ValueError, match="shorter"):
        FamilyLines(COUNTER, ("probe",), [Child(COUNTER, (), 0)])
