"""The dashboards are complete, consistent, and what their source says."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.queries import REFERENCE, dashboards, panels
from grafana.source import DASHBOARDS, FOLDER, render, write
from grafana.source.frame import Uid

ROOT = Path(__file__).parents[3]
BOARDS = dashboards()
PANELS = [(board["uid"], panel) for board in BOARDS for panel in panels(board)]

each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
each_panel = pytest.mark.parametrize(
    "panel",
    [panel for _, panel in PANELS],
    ids=[f"{uid}-{panel['title']}" for uid, panel in PANELS],
)


# --- The files and their source ------------------------------------------------------------------


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_file_is_what_its_source_makes(name: str) -> None:
    """After a change: scripts/build-dashboards."""
    assert (FOLDER / name).read_text(encoding="utf-8") == render(DASHBOARDS[name])


def test_there_is_no_file_without_a_source() -> None:
    """A dashboard that was renamed would live on."""
    assert {path.name for path in FOLDER.iterdir()} == set(DASHBOARDS)


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing depends on order, time or place."""
    write(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_uids_are_those_that_links_and_alerts_know() -> None:
    """They are a public interface."""
    assert {name: build().uid for name, build in DASHBOARDS.items()} == {
        "fleet.json": "ws-monitor-fleet",
        "probe.json": "ws-monitor-probe",
        "health.json": "ws-monitor-health",
        "slo.json": "ws-monitor-slo",
    }


@each_board
def test_a_dashboard_is_all_that_grafanas_schema_knows(board: dict[str, Any]) -> None:
    """Read through the schema's types and written again, nothing is lost."""
    understood = JSONEncoder().encode(Dashboard.from_json(board))
    assert json.loads(understood) == _plain(board)


def _plain(board: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard without what the Prometheus data source adds to annotations."""
    ours = {"titleFormat", "textFormat", "tagKeys"}
    annotations = [
        {key: value for key, value in annotation.items() if key not in ours}
        for annotation in board["annotations"]["list"]
    ]
    return {**board, "annotations": {"list": annotations}}


# --- Panels --------------------------------------------------------------------------------------


@each_panel
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """A title, and a description in whole sentences."""
    assert panel["title"]
    assert re.search(r"^[A-Z\d].{20,}\.$", panel["description"], re.DOTALL), panel["description"]


@each_panel
def test_a_panel_has_unit_and_thresholds(panel: dict[str, Any]) -> None:
    """Thresholds begin with the colour below all of them, and rise."""
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    steps = [step["value"] for step in defaults["thresholds"]["steps"]]
    assert steps[0] is None
    assert steps[1:] == sorted(steps[1:])


@each_panel
def test_a_panel_asks_the_chosen_data_source(panel: dict[str, Any]) -> None:
    """Never one by name."""
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all("datasource" not in target for target in panel["targets"])


@each_panel
def test_the_queries_of_a_panel_have_letters_of_their_own(panel: dict[str, Any]) -> None:
    """And there is at least one."""
    letters = [target["refId"] for target in panel["targets"]]
    assert letters
    assert len(set(letters)) == len(letters)


@each_panel
def test_the_columns_of_a_table_have_a_unit_each(panel: dict[str, Any]) -> None:
    """Every value that is not hidden has its heading, its unit and its place."""
    if panel["type"] != "table":
        return
    organize = next(each for each in panel["transformations"] if each["id"] == "organize")
    options = organize["options"]
    assert set(options["indexByName"]) == set(options["renameByName"])
    values = {name: title for name, title in options["renameByName"].items() if "Value" in name}
    units = {
        override["matcher"]["options"]
        for override in panel["fieldConfig"]["overrides"]
        if any(each["id"] == "unit" for each in override["properties"])
    }
    assert set(values.values()) == units
    queries = {f"Value #{target['refId']}" for target in panel["targets"]}
    if len(queries) > 1:
        assert queries == set(values) | (set(options["excludeByName"]) - {"Time"})


@each_panel
def test_rates_look_back_as_far_as_the_data_source_says(panel: dict[str, Any]) -> None:
    """A fixed window would be empty with slow scrapes; those of burn rates are their definition."""
    if panel["title"].startswith(("Burn rate", "Each probe against")):
        return
    for target in panel["targets"]:
        windows = set(re.findall(r"\[([^\]]+)\]", target["expr"]))
        assert windows <= {"$__rate_interval", "$__range", "$__range:$__interval"}, windows


# --- Layout --------------------------------------------------------------------------------------


def _cells(position: dict[str, int]) -> set[tuple[int, int]]:
    columns = range(position["x"], position["x"] + position["w"])
    rows = range(position["y"], position["y"] + position["h"])
    return {(column, row) for column in columns for row in rows}


@each_board
def test_panels_do_not_overlap_and_leave_no_holes(board: dict[str, Any]) -> None:
    """On 24 columns, from the top to the bottom."""
    positions = [panel["gridPos"] for panel in board["panels"]]
    for one, other in combinations(positions, 2):
        assert not _cells(one) & _cells(other), (one, other)
    height = max(position["y"] + position["h"] for position in positions)
    everything = set[tuple[int, int]]().union(*map(_cells, positions))
    assert everything == {(x, y) for x in range(24) for y in range(height)}


@each_board
def test_panels_have_ids_and_titles_of_their_own(board: dict[str, Any]) -> None:
    """An id is in the address of a panel, a title is what people call it by."""
    for key in ("id", "title"):
        counted = Counter(panel[key] for panel in board["panels"])
        assert set(counted.values()) == {1}, counted.most_common(1)


def test_uids_and_titles_are_unique() -> None:
    """Over all dashboards."""
    assert sorted(board["uid"] for board in BOARDS) == sorted(Uid)
    assert len({board["title"] for board in BOARDS}) == len(BOARDS)


# --- Variables and links -------------------------------------------------------------------------

BUILT_IN = {
    "__all",
    "__rate_interval",
    "__range",
    "__interval",
    "__url_time_range",
    "__field",
    "__data",
}


def _variables(board: dict[str, Any]) -> set[str]:
    return {variable["name"] for variable in board["templating"]["list"]}


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


@each_board
def test_every_variable_that_is_used_is_there_and_the_other_way_round(
    board: dict[str, Any],
) -> None:
    """One that nothing uses would be a knob that does nothing."""
    used = {
        found[1] or found[2]
        for text in _texts(board)
        for found in re.finditer(r"\$(?:\{(\w+)[^}]*\}|(\w+))", text)
    }
    assert used - BUILT_IN <= _variables(board)
    # Ad hoc filters go into every query without being named.
    assert _variables(board) - {"filters"} <= used


@each_board
def test_vantage_and_probe_can_be_chosen(board: dict[str, Any]) -> None:
    """Where there are probes; "All" includes series that have no such label."""
    if board["uid"] == Uid.HEALTH:
        return
    found = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert found["datasource"]["query"] == "prometheus"
    assert found["vantage"]["allValue"] == ".*"
    assert found["vantage"]["multi"]
    assert found["probe"].get("multi", False) is (board["uid"] != Uid.PROBE)


def _links(board: dict[str, Any]) -> list[str]:
    return re.findall(r"/d/[^\"\\\s]+", JSONEncoder().encode(board))


def _assert_leads_somewhere(link: str) -> None:
    parts = urlsplit(re.sub(r"\$\{(\w+):queryparam\}", r"var-\1=x", link))
    uid = parts.path.removeprefix("/d/")
    assert uid in set(Uid), link
    target = next(board for board in BOARDS if board["uid"] == uid)
    # What Grafana fills in itself is no parameter yet.
    query = parts.query.replace("${__url_time_range}", "").rstrip("&")
    for name, _ in parse_qsl(query, strict_parsing=bool(query), keep_blank_values=True):
        assert name.removeprefix("var-") in _variables(target), link


@each_board
def test_every_link_leads_to_a_dashboard_with_these_variables(board: dict[str, Any]) -> None:
    """In the head, on panels, on series, on cells."""
    links = _links(board)
    for link in links:
        _assert_leads_somewhere(link)
    assert len(board["links"]) == len(Uid) - 1


def test_alerts_lead_to_dashboards_that_exist() -> None:
    """Their annotations name dashboards and variables of ours."""
    rules = [
        rule
        for path in (ROOT / "deploy/prometheus/rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    links = [
        rule["annotations"]["dashboard_url"]
        for rule in rules
        if "dashboard_url" in rule.get("annotations", {})
    ]
    assert links
    for link in links:
        _assert_leads_somewhere(re.sub(r"\{\{ with [^}]*\}\}|\{\{ end \}\}", "", link))


@each_board
def test_drops_or_alerts_are_marked(board: dict[str, Any]) -> None:
    """Each mark says what it is."""
    for annotation in board["annotations"]["list"]:
        assert annotation["titleFormat"]
        assert annotation["datasource"]["uid"] == "${datasource}"
    names = {annotation["name"] for annotation in board["annotations"]["list"]}
    assert "Alerts" in names
    assert ("Drops" in names) == (board["uid"] in (Uid.FLEET, Uid.PROBE))


# --- Files for Grafana ---------------------------------------------------------------------------


@each_board
def test_no_host_and_no_data_source_is_named(board: dict[str, Any]) -> None:
    """The files go to other people's Grafana."""
    assert not [text for text in _texts(board) if re.search(r"://|localhost|127\.0\.0\.1", text)]
    assert board.get("id") is None


def _provisioned(name: str) -> Any:
    return yaml.safe_load((ROOT / "grafana/provisioning" / name).read_text())


def test_the_provisioned_data_source_takes_its_address_from_the_environment() -> None:
    """And the scrape interval, without which rates can come out empty."""
    (source,) = _provisioned("datasources/ws-monitor.yaml")["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "$WS_MONITOR_PROMETHEUS_URL"
    assert source["jsonData"]["timeInterval"] == "$WS_MONITOR_SCRAPE_INTERVAL"


def test_the_provisioned_dashboards_come_from_files() -> None:
    """From the path that the documentation names, and are not changed in the browser."""
    (provider,) = _provisioned("dashboards/ws-monitor.yaml")["providers"]
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"] in (ROOT / "docs/dashboards.md").read_text()


def test_the_documentation_names_every_dashboard_and_every_panel() -> None:
    """A panel that is not there cannot be looked up."""
    page = (ROOT / "docs/dashboards.md").read_text()
    assert not [board["uid"] for board in BOARDS if board["uid"] not in page]
    assert not [panel["title"] for _, panel in PANELS if panel["title"] not in page]


def test_references_are_recognised_as_grafana_writes_them() -> None:
    """The two places that read variables agree."""
    assert REFERENCE.fullmatch("${vantage:queryparam}")
    assert REFERENCE.fullmatch("$__rate_interval")
