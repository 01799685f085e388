"""Lines through points, and reading histograms and pages."""

import pytest

from benchmarks import fitting
from benchmarks.cases.scale import busiest_second
from benchmarks.page import Page, quantile

PAGE = Page(
    b"# HELP x_total Something.\n"
    b'x_total{mode="ping",probe="a"} 1.0\n'
    b'x_total{mode="message",probe="a"} 2.0\n'
    b'x_total{mode="ping",probe="b"} 4.0\n'
    b"x_total_more 99.0\n"
    b"y 3.0\n"
)


class TestLine:
    """Least squares."""

    def test_points_on_a_line_give_it(self) -> None:
        line = fitting.fit([0, 1, 2, 3], [1, 3, 5, 7])
        assert (line.start, line.slope, line.r_squared) == pytest.approx((1, 2, 1))
        assert line.margin == pytest.approx(0)

    def test_the_margin_is_that_of_students_interval(self) -> None:
        """Worked by hand: residuals ±1 in turn about y = 0, over 12 points."""
        ys = [1.0, -1.0] * 6
        line = fitting.fit(range(12), ys)
        left = sum((y - line.start - line.slope * x) ** 2 for x, y in enumerate(ys))
        assert line.margin == pytest.approx(2.228 * (left / 10 / 143) ** 0.5, rel=1e-3)

    @pytest.mark.parametrize(("freedom", "tabulated"), [(10, 2.228), (20, 2.086), (40, 2.021)])
    def test_students_quantile_is_the_tables(self, freedom: int, tabulated: float) -> None:
        assert fitting.student(freedom) == pytest.approx(tabulated, abs=1e-3)

    def test_means_leave_out_what_fills_no_block(self) -> None:
        assert fitting.means([1, 3, 5, 7, 9], 2) == [2, 6]

    def test_a_percentile_is_one_of_the_values(self) -> None:
        assert fitting.percentile([3, 1, 2], 0.5) == 2
        assert fitting.percentile([3, 1, 2], 1.0) == 3


class TestPage:
    """Adding up samples."""

    def test_only_samples_of_that_very_name_count(self) -> None:
        assert PAGE.total("x_total") == 7
        assert PAGE.total("y") == 3

    def test_labels_choose(self) -> None:
        assert PAGE.total("x_total", mode="ping") == 5

    def test_each_probe_has_its_sum(self) -> None:
        assert PAGE.by_probe("x_total") == {"a": 3, "b": 4}


class TestQuantile:
    """As `histogram_quantile` has it."""

    def test_it_lies_within_its_bucket(self) -> None:
        after = {1.0: 50.0, 2.0: 100.0, float("inf"): 100.0}
        assert quantile({}, after, 0.75) == 1.5

    def test_what_was_there_before_does_not_count(self) -> None:
        before = {1.0: 1000.0, float("inf"): 1000.0}
        assert quantile(before, {1.0: 1000.0, float("inf"): 1010.0}, 0.5) == 1.0


class TestBusiestSecond:
    """The most that happened within any one second."""

    @pytest.mark.parametrize(
        ("times", "most"),
        [([], 0), ([5.0], 1), ([0.0, 0.9, 1.8], 2), ([0.0, 1.0], 1), ([0.0, 0.5, 0.99, 1.2], 3)],
    )
    def test_it_may_begin_at_any_time(self, times: list[float], most: int) -> None:
        assert busiest_second(times) == most
