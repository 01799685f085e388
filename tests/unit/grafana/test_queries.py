"""Every query asks for what the monitor exports, and says so in its legend."""

import promql_parser as promql
import pytest

from grafana.queries import (
    DEFAULTS,
    EMPTY_WITHOUT,
    Asked,
    dashboards,
    fill,
    list_queries,
    panels,
)
from grafana.source.frame import Uid
from tests.unit.grafana.promql_labels import UnknownNameError, labels_of, references

QUERIES = list_queries()
VALUES = {**DEFAULTS, "probe": ".*", "vantage": ".*", "__rate_interval": "1m"}

each_query = pytest.mark.parametrize(
    "asked", QUERIES, ids=lambda asked: f"{asked.dashboard}-{asked.panel}-{asked.ref_id}"
)


@each_query
def test_every_metric_label_and_label_value_exists(asked: Asked) -> None:
    """In what the code declares, or among the few names that others export."""
    labels_of(promql.parse(asked.expr))


def test_every_legend_names_labels_that_its_query_keeps() -> None:
    """A label that was summed away would leave a hole in the name."""
    for dashboard in dashboards():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                kept = labels_of(promql.parse(fill(target["expr"], VALUES)))
                for label in references(target.get("legendFormat", "")):
                    assert label in kept, (panel["title"], target["refId"], label)


def test_every_annotation_names_labels_that_its_query_keeps() -> None:
    """In its title, its text and its tags."""
    for dashboard in dashboards():
        for annotation in dashboard["annotations"]["list"]:
            kept = labels_of(promql.parse(fill(annotation["expr"], VALUES)))
            named = {*references(annotation["titleFormat"] + annotation["textFormat"])}
            assert named | set(annotation["tagKeys"].split(",")) <= kept, annotation["name"]


def test_series_that_lead_to_a_probe_have_its_labels() -> None:
    """A data link fills in the labels of the series that was clicked."""
    found = 0
    for dashboard in dashboards():
        for panel in panels(dashboard):
            links = panel["fieldConfig"]["defaults"].get("links") or ()
            if any("__field.labels.probe" in link["url"] for link in links):
                found += 1
                for target in panel["targets"]:
                    kept = labels_of(promql.parse(fill(target["expr"], VALUES)))
                    assert {"probe", "vantage"} <= kept, panel["title"]
    assert found >= 5


@pytest.mark.parametrize(
    "expression",
    [
        "ws_probe_upp",
        'ws_probe_up{mode="ping"}',
        "sum by (code) (ws_probe_up)",
        'ws_probe_rtt_seconds_bucket{mode="pong"}',
        'ws_probe_connection_lifetime_seconds_bucket{le="31.0"}',
        "rate(ws_probe_rtt_seconds[1m])",
        "histogram_quantile(0.5, sum by (probe) (rate(ws_probe_rtt_seconds_bucket[1m])))",
        "ws_monitor_probes{probe='a'}",
        "sum(ws_probe_up) * on (probe) group_right () ws_probe_info",
    ],
)
def test_a_wrong_name_would_be_found(expression: str) -> None:
    """The check itself works."""
    with pytest.raises(UnknownNameError):
        labels_of(promql.parse(expression))


def test_the_list_has_every_query_of_every_file() -> None:
    """None is left out, and each has its dashboard, its panel and its letter."""
    targets = [
        (dashboard["uid"], panel["title"], target["refId"])
        for dashboard in dashboards()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]
    listed = [asked[:3] for asked in QUERIES if asked.kind != "annotation"]
    assert sorted(listed) == sorted(targets)
    assert len(set(listed)) == len(listed)
    assert {asked.dashboard for asked in QUERIES} == set(Uid)


def test_kinds_are_range_instant_and_annotation() -> None:
    """As the panels ask."""
    assert {asked.kind for asked in QUERIES} == {"range", "instant", "annotation"}
    kinds = {asked.panel: asked.kind for asked in QUERIES}
    assert kinds["Down"] == "instant"
    assert kinds["State"] == "range"
    assert kinds["Drops"] == "annotation"


def test_no_variable_is_left_in_the_list() -> None:
    """A query with a dollar sign could not be run."""
    assert not [asked for asked in QUERIES if "$" in asked.expr]


def test_what_is_chosen_is_filled_in() -> None:
    """Probe, vantage, and windows of time."""
    chosen = list_queries("chat-.*", "eu", "40s", range="7m", interval="10s", objective="0.99")
    text = "\n".join(asked.expr for asked in chosen)
    assert 'probe=~"chat-.*", vantage=~"eu"' in text
    assert "[40s]" in text
    assert "[7m:10s]" in text
    assert "(1 - 0.99)" in text


def test_the_dashboard_of_one_probe_asks_for_exactly_that_name() -> None:
    """A dot in a name is no wildcard there; only the list takes a pattern instead."""
    raw = next(dashboard for dashboard in dashboards() if dashboard["uid"] == Uid.PROBE)
    for panel in panels(raw):
        for target in panel["targets"]:
            assert 'probe="$probe"' in target["expr"]
            assert "probe=~" not in target["expr"]


def test_a_variable_without_a_value_is_an_error() -> None:
    """Rather than a query that means something else."""
    with pytest.raises(KeyError, match="nothing"):
        fill("up > $nothing", {})


@pytest.mark.parametrize("reference", ["$probe", "${probe}", "${probe:regex}"])
def test_variables_are_filled_in_however_they_are_written(reference: str) -> None:
    """Grafana knows all three."""
    assert fill(f'up{{a=~"{reference}"}}', {"probe": "x"}) == 'up{a=~"x"}'


def test_what_may_be_empty_names_panels_that_exist() -> None:
    """By dashboard and title."""
    assert set(EMPTY_WITHOUT) <= {(asked.dashboard, asked.panel) for asked in QUERIES}
