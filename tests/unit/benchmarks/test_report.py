"""The page about performance says what the results say, and the tables fit."""

import re

import pytest

from benchmarks import report, results, tables
from benchmarks.__main__ import chosen
from benchmarks.cases import CASES
from benchmarks.run import Table
from tests.unit.project.tree import ROOT

FOUND = results.read(report.KEPT)
PAGE = report.PAGE.read_text()
TERMINAL = 80


class TestPage:
    """`docs/performance.md` against `docs/performance.json`."""

    def test_its_figures_are_those_of_the_results(self) -> None:
        """After a new run: `python -m benchmarks.report build/bench/results.json`."""
        assert report.written(PAGE, FOUND) == PAGE

    def test_another_figure_would_be_noticed(self) -> None:
        digit = re.search(
            r"(?<=<!-- figures: accuracy -->).*?(\d)(?=[^<]*<!-- end -->)", PAGE, re.S
        )
        assert digit is not None
        forged = PAGE[: digit.start(1)] + str(9 - int(digit[1])) + PAGE[digit.end(1) :]
        assert report.written(PAGE, FOUND) != forged

    @pytest.mark.parametrize("case", CASES)
    def test_it_shows_every_case(self, case: str) -> None:
        assert f"<!-- figures: {case} -->" in PAGE

    @pytest.mark.parametrize("case", CASES)
    def test_every_part_was_measured(self, case: str) -> None:
        assert set(CASES[case].parts) == set(results.found_in(FOUND, CASES[case]))

    def test_its_pictures_are_there(self) -> None:
        pictures = re.findall(r"\((images/performance-[a-z]+\.png)\)", PAGE)
        assert pictures
        assert [name for name in pictures if not (ROOT / "docs" / name).is_file()] == []


class TestTables:
    """What `make bench` prints."""

    @pytest.mark.parametrize("case", CASES)
    def test_they_fit_a_terminal(self, case: str) -> None:
        figures = results.found_in(FOUND, CASES[case])
        shown = [*CASES[case].tables(figures), tables.goals(CASES[case].goals(figures))]
        lines = [
            line for table in shown if table.rows for line in tables.as_text(table).split("\n")
        ]
        assert [line for line in lines if len(line) > TERMINAL] == []

    def test_columns_are_aligned(self) -> None:
        table = Table(("what it is", "n"), [("a", "1"), ("longer", "23")])
        assert tables.as_text(table).splitlines() == [
            "what",
            "it is    n",
            "------  --",
            "a        1",
            "longer  23",
        ]

    def test_markdown_has_a_rule_below_the_heading(self) -> None:
        assert tables.as_markdown(Table(("a", "b"), [("1", "2")])) == (
            "| a | b |\n| --- | ---: |\n| 1 | 2 |"
        )


class TestChoosing:
    """Which parts a name means."""

    def test_none_means_all(self) -> None:
        assert {case: set(parts) for case, parts in chosen([]).items()} == {
            case: set(found.parts) for case, found in CASES.items()
        }

    def test_a_case_means_its_parts(self) -> None:
        assert chosen(["soak"]) == {"soak": ["soak"]}

    def test_the_begin_of_a_part_is_enough(self) -> None:
        assert chosen(["accuracy-wss"]) == {"accuracy": ["accuracy-wss", "accuracy-wss-scraped"]}

    def test_a_word_of_it_must_be_whole(self) -> None:
        assert chosen(["scrape-1000"]) == {"scrape": ["scrape-1000"]}

    def test_an_unknown_name_means_nothing(self) -> None:
        assert chosen(["weather"]) == {}
