"""Cells: the few numbers about the monitor itself."""

from monitor.metrics.cells import Cell, Histogram, Reading


def test_a_cell_has_one_number() -> None:
    """The one that it was given last."""
    cell = Cell()
    assert list(cell.points()) == [("", {}, 0.0)]
    cell.set(3)
    assert list(cell.points()) == [("", {}, 3)]


def test_a_reading_is_there_only_while_there_is_one() -> None:
    """It comes, changes and goes."""
    reading = Reading()
    seen = []
    for reading.value in (None, 1, None, 2.5):
        seen.append([value for _, _, value in reading.points()])
    assert seen == [[], [1], [], [2.5]]


def test_a_histogram_has_cumulative_buckets_count_and_sum() -> None:
    """A bucket includes its bound."""
    histogram = Histogram((1.0, 2.0))
    for observed in (0.5, 1.0, 1.5, 7.0):
        histogram.observe(observed)
    assert list(histogram.points()) == [
        ("_bucket", {"le": "1.0"}, 2),
        ("_bucket", {"le": "2.0"}, 3),
        ("_bucket", {"le": "+Inf"}, 4),
        ("_count", {}, 4),
        ("_sum", {}, 10.0),
    ]
