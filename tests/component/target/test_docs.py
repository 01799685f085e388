"""docs/target.md keeps up with the code."""

import dataclasses
import json
import re
from pathlib import Path

from monitor.target import Counters, Faults, parse_faults
from monitor.target.control import ACTIONS

TEXT = (Path(__file__).parents[3] / "docs" / "target.md").read_text()


def curl_bodies(method: str, path: str) -> list[dict[str, object]]:
    """Return the bodies that the curl lines for a path send."""
    lines = re.findall(rf"^curl -s -X {method} -d '(.*)' http://127.0.0.1:10442{path}$", TEXT, re.M)
    return [json.loads(line) for line in lines]


def test_every_fault_has_a_curl_line_that_turns_it_on() -> None:
    """And no line names another."""
    off = Faults().to_json()
    bodies = curl_bodies("PUT", "/faults")
    for body in bodies:
        (name,) = body
        assert parse_faults(body).to_json()[name] != off[name]
    assert {name for body in bodies for name in body} == set(off)


def test_every_action_has_a_curl_line() -> None:
    """And no line names another."""
    actions = re.findall(r"^curl .*http://127\.0\.0\.1:10442/actions/(\w+)$", TEXT, re.M)
    assert actions == list(ACTIONS)


def test_every_counter_is_described() -> None:
    """In the table."""
    table = TEXT.partition("## Counters")[2].partition("##")[0]
    described = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.M)))
    assert described == [field.name for field in dataclasses.fields(Counters)]
