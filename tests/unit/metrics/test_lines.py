"""Lines: equal to what `prometheus_client` writes, and never out of date."""

from collections.abc import Callable, Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from monitor.metrics.cells import Cell, Histogram, Reading
from monitor.metrics.families import Family, Kind
from monitor.metrics.lines import Child, Lines, gather
from monitor.metrics.view import View

COUNTER = Family("ws_probe_things_total", Kind.COUNTER, "Things.", ("kind",))
GAUGE = Family("ws_probe_size_seconds", Kind.GAUGE, "Size.", ("kind",))
HISTOGRAM = Family("ws_probe_times_seconds", Kind.HISTOGRAM, "Times.", ("kind",))
FAMILIES = (COUNTER, GAUGE, HISTOGRAM)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.text('%"\\\n{},= s', max_size=12)
NAMES = st.sampled_from(["a", "a1", "a_b", "B", "kind_of", "probe", "zone", "kin", "lf"])
VALUES = st.integers(0, 10**9) | st.floats(allow_nan=False).map(lambda number: number + 0.0)


@st.composite
def children(draw: st.DrawFn) -> list[Child]:
    """Draw children of each family, whose labels differ."""
    made: list[Child] = []
    for kind in draw(st.lists(TEXTS, max_size=3, unique=True)):
        histogram = Histogram((0.5, 1.0, 2.5))
        for observed in draw(st.lists(st.floats(0, 5), max_size=5)):
            histogram.observe(observed)
        reading = Reading()
        reading.value = draw(st.none() | VALUES)
        made += [
            (COUNTER, (kind,), Cell(draw(VALUES))),
            (GAUGE, (kind,), reading),
            (HISTOGRAM, (kind,), histogram),
        ]
    return made


def strip(page: bytes) -> str:
    """Return what is left of a page without its headers."""
    lines = page.decode().split("\n")
    return "\n".join(line for line in lines if not line.startswith("# "))


def written(generate: Callable[[Collector], bytes], lines: Mapping[Family, Lines]) -> str:
    """Return the sample lines as the library writes them."""
    return strip(generate(View(FAMILIES, [lines])))


@given(children(), st.dictionaries(NAMES, TEXTS, max_size=4))
def test_lines_are_those_of_the_library(made: Iterable[Child], base: Mapping[str, str]) -> None:
    """For any label values, any numbers, in both formats."""
    lines = gather(FAMILIES, made, base)
    rendered = b"".join(one.render() for one in lines.values()).decode()
    assert rendered == written(generate_latest, lines)
    assert rendered == written(openmetrics.generate_latest, lines)


@given(st.lists(st.lists(VALUES | st.none(), min_size=3, max_size=3), min_size=1, max_size=6))
def test_lines_are_never_out_of_date(history: list[list[float | None]]) -> None:
    """Whatever the cells held when they were rendered before."""
    readings = [Reading() for _ in range(3)]
    lines = Lines(GAUGE, {})
    for index, reading in enumerate(readings):
        lines.add((str(index),), reading)
    for values in history:
        for reading, number in zip(readings, values, strict=True):
            reading.value = number
        assert lines.render().decode() == written(
            generate_latest, {**gather(FAMILIES, (), {}), GAUGE: lines}
        )


def test_a_line_is_name_labels_and_number() -> None:
    """Labels in the order of their names, quotes, backslashes and line ends escaped."""
    lines = Lines(COUNTER, {"probe": 'a"b', "zone": "c\\d\ne"})
    lines.add(("100 %",), Cell(7))
    assert lines.render() == (
        b'ws_probe_things_total{kind="100 %",probe="a\\"b",zone="c\\\\d\\ne"} 7.0\n'
    )


def test_a_family_without_labels_has_no_braces() -> None:
    """As both formats want it."""
    lines = Lines(Family("ws_monitor_things_total", Kind.COUNTER, "Things."), {})
    lines.add((), Cell(7))
    assert lines.render() == b"ws_monitor_things_total 7.0\n"


def test_a_histogram_has_cumulative_buckets_count_and_sum() -> None:
    """A bucket includes its bound."""
    histogram = Histogram((1.0, 2.0))
    for observed in (0.5, 1.0, 1.5, 7.0):
        histogram.observe(observed)
    lines = Lines(Family("ws_probe_times_seconds", Kind.HISTOGRAM, "Times."), {})
    lines.add((), histogram)
    assert lines.render().decode().splitlines() == [
        'ws_probe_times_seconds_bucket{le="1.0"} 2.0',
        'ws_probe_times_seconds_bucket{le="2.0"} 3.0',
        'ws_probe_times_seconds_bucket{le="+Inf"} 4.0',
        "ws_probe_times_seconds_count 4.0",
        "ws_probe_times_seconds_sum 10.0",
    ]


def test_a_reading_has_a_line_only_while_there_is_one() -> None:
    """It comes, changes and goes."""
    reading = Reading()
    lines = Lines(Family("ws_probe_size_seconds", Kind.GAUGE, "Size."), {})
    lines.add((), reading)
    seen = []
    for reading.value in (None, 1, None, 2.5):
        seen.append(lines.render())
    assert seen == [b"", b"ws_probe_size_seconds 1.0\n", b"", b"ws_probe_size_seconds 2.5\n"]


def test_a_child_that_comes_later_is_shown() -> None:
    """Also when the lines were rendered before."""
    lines = Lines(COUNTER, {})
    lines.add(("early",), Cell(1))
    lines.render()
    lines.add(("late",), Cell(1))
    assert lines.render().count(b"\n") == 2


def test_new_labels_replace_the_old_ones() -> None:
    """Although the value is the same."""
    lines = Lines(GAUGE, {})
    lines.add(("old",), Cell(1))
    lines.render()
    lines.clear()
    assert lines.render() == b""
    lines.add(("new",), Cell(1))
    assert lines.render() == b'ws_probe_size_seconds{kind="new"} 1.0\n'


def test_what_utf8_cannot_carry_is_replaced() -> None:
    """Half a surrogate pair in one label would spoil every scrape."""
    (lines,) = gather([COUNTER], [(COUNTER, ("\ud800",), Cell(1))], {"probe": "a\udfff"}).values()
    assert lines.render() == b'ws_probe_things_total{kind="?",probe="a?"} 1.0\n'


def test_families_that_are_not_shown_have_no_lines() -> None:
    """Their cells count on, unseen."""
    made: list[Child] = [(COUNTER, ("a",), Cell(1)), (GAUGE, ("a",), Cell(1))]
    assert list(gather([GAUGE], made, {})) == [GAUGE]


def test_a_child_must_have_all_labels() -> None:
    """One too few would be a series of its own kind."""
    lines = Lines(COUNTER, {})
    lines.add((), Cell(1))
    with pytest.raises(ValueError, match="shorter"):
        lines.render()
