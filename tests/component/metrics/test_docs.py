"""docs/metrics.md keeps up with the code."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from monitor.core.events import Initiator, SkipReason
from monitor.core.failures import FailureReason, Phase
from monitor.core.refusals import Refusal
from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES, Family, Kind
from monitor.metrics.places import EXPECTED_DISCONNECTS
from monitor.metrics.sources import LeftOut
from monitor.web.routes import MOST_SCRAPES

TEXT = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()

FAMILIES = {family.name: family for family in PROBE_FAMILIES + MONITOR_FAMILIES}

QUERIES = re.findall(r"^```promql\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    """Return the text below a heading of the second level."""
    return TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every row of the tables in a text, without their headings."""
    lines = re.findall(r"^\| (?!`?name`? |`reason` )(.*) \|$", text, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r" ?\| ?", line)] for line in lines]


def names_exposed(family: Family) -> set[str]:
    """Return the names of a family's series."""
    if family.kind is Kind.HISTOGRAM:
        return {family.name + suffix for suffix in ("_bucket", "_count", "_sum")}
    return {family.name}


def test_every_family_is_described_as_it_is() -> None:
    """Its type and its labels, and no other family is."""
    described = {
        name.strip("`"): (kind, re.findall(r"`(\w+)`", labels))
        for name, kind, labels, _ in (row for row in rows(TEXT) if row[0].startswith("`ws_"))
    }
    assert described == {
        name: (family.kind.value, list(family.labels)) for name, family in FAMILIES.items()
    }


def test_every_family_is_described_in_its_place() -> None:
    """Those about the monitor itself among themselves, heartbeats with their mode."""
    own = {row[0].strip("`") for row in rows(section("The monitor itself"))}
    assert own == {family.name for family in MONITOR_FAMILIES}
    beats = {row[0].strip("`") for row in rows(section("Heartbeats"))}
    assert beats == {family.name for family in PROBE_FAMILIES if "mode" in family.labels}


def test_no_name_is_mentioned_that_is_not_exposed() -> None:
    """In prose, tables and queries."""
    exposed = set(FAMILIES).union(*map(names_exposed, FAMILIES.values()))
    assert set(re.findall(r"\bws_(?:probe|monitor)_\w+", TEXT)) <= exposed


def test_every_reason_is_described() -> None:
    """Of failed connects, with the phase; of skipped heartbeats; of clients turned away."""
    tables = section("Label values").partition("`reason` of a skipped heartbeat")
    failures = {row[0].strip("`"): row[1].strip("`") for row in rows(tables[0])}
    assert set(failures) == set(FailureReason)
    assert set(failures.values()) == {*Phase, "any"}
    skips, _, rest = tables[2].partition("`reason` why the web port")
    refusals, _, left_out = rest.partition("`reason` of a discovered target")
    assert {row[0].strip("`") for row in rows(skips)} == set(SkipReason)
    assert {row[0].strip("`") for row in rows(refusals)} == set(Refusal)
    assert {row[0].strip("`") for row in rows(left_out)} == set(LeftOut)


def test_the_ends_that_are_there_from_the_start_are_named() -> None:
    """All of them."""
    sentence = section("Label values").partition("These are: ")[2].partition(".\n")[0]
    named = [
        (initiator, code)
        for initiator, codes in re.findall(r"`(\w+)` ([\d, ]+)", sentence)
        for code in re.findall(r"\d+", codes)
    ]
    assert named == [(initiator.value, code) for initiator, code in EXPECTED_DISCONNECTS]
    assert {initiator for initiator, _ in named} == set(Initiator)


def test_what_remains_with_basic_detail_is_named() -> None:
    """All of it."""
    named = re.findall(r"`(ws_\w+)`", section("What it costs"))
    assert named == [family.name for family in PROBE_FAMILIES if family.basic]


def test_the_number_of_scrapes_at_a_time_is_told() -> None:
    """In words."""
    words = {8: "eight"}
    assert f"At most {words[MOST_SCRAPES]} are answered at a time" in TEXT


def test_there_are_queries() -> None:
    """Or the next test would test nothing."""
    assert len(QUERIES) >= 10


def test_every_query_is_one(tmp_path: Path) -> None:
    """By the judgement of Prometheus' own tool."""
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(QUERIES)]
    path = tmp_path / "rules.yaml"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "docs", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {len(QUERIES)} rules found" in checked.stdout


@pytest.mark.parametrize("query", QUERIES)
def test_labels_in_queries_exist(query: str) -> None:
    """A selector on a label that is not there matches nothing, without a word."""
    for name, selector in re.findall(r"(ws_\w+)\{(.*?)\}", query):
        family = next(f for f in FAMILIES.values() if name in names_exposed(f))
        for label, value in re.findall(r'(\w+)="(.*?)"', selector):
            if label == "le":
                assert float(value) in family.buckets
            else:
                assert label in family.labels
