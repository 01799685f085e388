"""The changelog and the decisions keep the form that they promise."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

import monitor
from tests.unit.project.tree import ROOT, name_of

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
VERSIONS = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
RELEASED = re.compile(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)")
KINDS_OF_CHANGE = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
LONGEST_DECISION = 80
"""Lines of text on a page."""


def number_of(decision: Path) -> int:
    """The number in a decision's file name."""
    return int(decision.name.partition("-")[0])


class TestTheChangelog:
    """It is in the format that it names."""

    def test_it_begins_with_what_is_unreleased(self) -> None:
        assert VERSIONS[0] == "[Unreleased]"

    def test_every_other_version_has_a_number_and_a_date(self) -> None:
        assert [version for version in VERSIONS[1:] if not RELEASED.fullmatch(version)] == []

    def test_the_newest_version_comes_first(self) -> None:
        released = [found.groups() for version in VERSIONS if (found := RELEASED.match(version))]
        for (*newer, newer_date), (*older, older_date) in pairwise(released):
            assert [int(part) for part in newer] > [int(part) for part in older]
            assert newer_date >= older_date

    def test_it_uses_only_the_kinds_of_change_that_its_format_knows(self) -> None:
        kinds = re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)
        assert kinds
        assert set(kinds) <= KINDS_OF_CHANGE

    def test_it_knows_the_version_of_the_package(self) -> None:
        assert re.search(rf"(?<![\d.]){re.escape(monitor.__version__)}(?![\d])", CHANGELOG)


class TestTheDecisions:
    """They can be found by number and read in a minute."""

    def test_they_are_numbered_without_gaps(self) -> None:
        assert [number_of(path) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))

    @pytest.mark.parametrize("path", DECISIONS, ids=name_of)
    def test_each_has_its_number_the_three_parts_and_at_most_a_page(self, path: Path) -> None:
        text = path.read_text()
        assert text.startswith(f"# {number_of(path)}. ")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) <= LONGEST_DECISION
