"""What the drawing program makes of answers, before it draws."""

import math
import re

import pytest

from grafana.drawing.client import Series
from grafana.drawing.draw import literally
from grafana.drawing.frames import Span, _merge, heat, properties, seconds
from grafana.drawing.plots import DRAW
from grafana.drawing.values import UNITS, legend, level_color, mapped, written
from grafana.queries import dashboards, panels


def _series(le: str, *values: float) -> Series:
    return Series({"le": le}, tuple((15.0 * at, value) for at, value in enumerate(values)))


def test_buckets_lose_what_smaller_ones_contain() -> None:
    """Whatever their order in the answer."""
    found = heat([_series("+Inf", 5, 9), _series("0.1", 1, 1), _series("0.5", 4, 9)])
    assert found.bounds == [0.1, 0.5, math.inf]
    assert found.counts == [[1, 1], [3, 8], [1, 0]]


def test_a_bucket_that_was_not_there_yet_counts_as_empty() -> None:
    """A probe may begin in the middle of the time range."""
    found = heat([_series("0.1", 2), _series("+Inf", 2, 7)])
    assert found.times == [0, 15]
    assert found.counts == [[2, 0], [0, 7]]


def test_rows_merge_where_the_labels_they_share_are_equal() -> None:
    """As Grafana's transformation of that name does."""
    rows: list[dict[str, str | float]] = []
    for new in (
        {"probe": "a", "Value #A": 1.0},
        {"probe": "b", "Value #A": 2.0},
        {"probe": "a", "Value #B": 3.0},
    ):
        _merge(rows, dict(new))
    assert rows == [
        {"probe": "a", "Value #A": 1.0, "Value #B": 3.0},
        {"probe": "b", "Value #A": 2.0},
    ]


def test_rates_look_back_over_four_scrapes_at_least() -> None:
    """And over one step and one scrape where steps are long, as Grafana does."""
    span = Span(0, 3600, scrape_interval=15)
    assert span.values(15)["__rate_interval"] == "60s"
    assert span.values(300)["__rate_interval"] == "315s"
    assert span.values(15)["__range"] == "3600s"


def test_a_step_is_never_shorter_than_a_scrape() -> None:
    """There would be nothing new in between."""
    assert Span(0, 60, scrape_interval=15).step(points=1000) == 15
    assert Span(0, 36_000, scrape_interval=15).step(points=100) == 360


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.00042, "s", "420 µs"),
        (0.25, "s", "250 ms"),
        (90, "s", "1.5 min"),
        (20 * 86400, "s", "20 d"),
        (0, "s", "0 s"),
        (0.0123, "percentunit", "1.23 %"),
        (0, "percentunit", "0 %"),
        (12_345, "short", "12.3K"),
        (70 * 2**20, "bytes", "70 MiB"),
        (3, "cpm", "3 c/min"),
        (math.nan, "s", "-"),
    ],
)
def test_values_are_written_in_their_unit(value: float, unit: str, text: str) -> None:
    """So that a person can read them."""
    assert written(value, unit) == text


def test_every_unit_and_every_kind_of_panel_can_be_drawn() -> None:
    """Of the dashboards as they are."""
    for dashboard in dashboards():
        for panel in panels(dashboard):
            assert panel["type"] in DRAW
            units = [panel["fieldConfig"]["defaults"]["unit"]]
            for override in panel["fieldConfig"].get("overrides") or ():
                units += [each["value"] for each in override["properties"] if each["id"] == "unit"]
            assert set(units) <= set(UNITS), panel["title"]


def test_a_level_begins_at_its_value() -> None:
    """The half-open interval of thresholds."""
    thresholds = {
        "steps": [{"value": None, "color": "#000000"}, {"value": 5, "color": "#ffffff"}],
    }
    assert level_color(4.999, thresholds) == "#000000"
    assert level_color(5, thresholds) == "#ffffff"


def test_a_mapping_writes_a_text_instead_of_a_number() -> None:
    """For values that are states, and for what is no number."""
    mappings = [
        {"type": "value", "options": {"1": {"text": "up", "color": "#00ff00"}}},
        {"type": "special", "options": {"result": {"text": "-", "color": "#888888"}}},
    ]
    assert mapped(1.0, mappings) == ("up", "#00ff00")
    assert mapped(math.nan, mappings) == ("-", "#888888")
    assert mapped(2.0, mappings) is None


def test_a_legend_without_a_label_has_no_holes() -> None:
    """A probe without a vantage is called by its name alone."""
    assert legend("{{probe}} {{vantage}} 99 %", {"probe": "a"}) == "a 99 %"


def test_overrides_reach_series_by_name_by_pattern_and_by_query() -> None:
    """The three ways that we use."""
    wanted = {("byName", "a"): "x", ("byRegexp", "b$"): "y", ("byFrameRefID", "B"): "z"}
    overrides = [
        {"matcher": {"id": how, "options": what}, "properties": [{"id": name, "value": 1}]}
        for (how, what), name in wanted.items()
    ]
    panel = {"fieldConfig": {"overrides": overrides}}
    assert properties(panel, "a", "A") == {"x": 1}
    assert properties(panel, "bb", "B") == {"y": 1, "z": 1}


def test_a_name_that_looks_like_a_pattern_matches_itself_alone() -> None:
    """As it stands between the quotes of a query, where a backslash is written twice."""
    quoted = literally("a.b+c").replace("\\\\", "\\")
    assert re.fullmatch(quoted, "a.b+c")
    assert not re.fullmatch(quoted, "axb+c")
    assert "\\\\." in literally("a.b")


def test_durations_have_a_unit() -> None:
    """One line for a mistake."""
    assert seconds("15m") == 900
    with pytest.raises(ValueError, match="'15' is no duration: write 90s, 15m, 6h or 30d"):
        seconds("15")
