"""What surrounds the panels: variables, links, annotations, and where each panel stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.panels import DATASOURCE
from grafana.source.promql import PER_PROBE, View, aggregate, drops
from monitor.metrics import families

TAG = "ws-monitor"
WIDTH = 24
ALL = model.VariableOption(selected=True, text=["All"], value=["$__all"])
RANGE_IN_LINK = "${__url_time_range}"


class Uid(StrEnum):
    """What links to our dashboards, in Grafana and in alerts, name them by. Never change one."""

    FLEET = "ws-monitor-fleet"
    PROBE = "ws-monitor-probe"
    HEALTH = "ws-monitor-health"
    SLO = "ws-monitor-slo"


@dataclass(frozen=True, slots=True)
class Cover:
    """What a dashboard says about itself, and the time range that it opens with."""

    uid: Uid
    title: str
    description: str
    since: str = "now-1h"
    refresh: str = "30s"


Variable: TypeAlias = Builder[model.VariableModel]
Placed: TypeAlias = tuple[Builder[model.Panel], int]
"""A panel and its width."""


# --- Links -------------------------------------------------------------------------------------

PROBES_CHOSEN = "${vantage:queryparam}&${probe:queryparam}"
ROW_OF_TABLE = "var-probe=${__data.fields.Probe}&var-vantage=${__data.fields.Vantage}"
SERIES = "var-probe=${__field.labels.probe}&var-vantage=${__field.labels.vantage}"


def address(uid: Uid, *parameters: str) -> str:
    """Return the address of a dashboard of ours, with the same source of data."""
    return f"/d/{uid}?" + "&".join(("${datasource:queryparam}", *parameters))


def link(title: str, uid: Uid, *parameters: str) -> build.DashboardLink:
    """Return a link from a panel, or from what it shows, that keeps the time range."""
    return (
        build.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .url(address(uid, *parameters, RANGE_IN_LINK))
    )


def to_probe(parameters: str = SERIES) -> build.DashboardLink:
    """Return the link from one probe's line, bar or row to its own dashboard."""
    return link("This probe in depth", Uid.PROBE, parameters)


def _top_link(title: str, uid: Uid, *parameters: str) -> build.DashboardLink:
    return (
        build.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(address(uid, *parameters))
        .keep_time(keep_time=True)
    )


def top_links(here: Uid) -> list[Builder[model.DashboardLink]]:
    """Return the links in the head of a dashboard, to all others."""
    # The dashboard of one probe cannot take over "all probes".
    chosen = () if here is Uid.HEALTH else (PROBES_CHOSEN,)
    vantage = () if here is Uid.HEALTH else ("${vantage:queryparam}",)
    links = {
        Uid.FLEET: _top_link("Fleet overview", Uid.FLEET, *vantage),
        Uid.PROBE: _top_link("Probe in depth", Uid.PROBE, *vantage),
        Uid.SLO: _top_link("SLO", Uid.SLO, *chosen),
        Uid.HEALTH: _top_link("Monitor health", Uid.HEALTH),
    }
    return [link for uid, link in links.items() if uid is not here]


# --- Variables ---------------------------------------------------------------------------------


def data_source() -> Variable:
    """Return the choice among Grafana's Prometheus data sources."""
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def query_variable(name: str, label: str, query: str) -> build.QueryVariable:
    """Return a choice among the values that a label has."""
    return (
        build.QueryVariable(name)
        .label(label)
        .query({"query": query, "refId": name})
        .datasource(DATASOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.NATURAL_ASC)
    )


def choice(name: str, label: str, query: str) -> build.QueryVariable:
    """Return a choice of any number of values, all of them at first."""
    variable = query_variable(name, label, query)
    return variable.multi(multi=True).include_all(include_all=True).current(ALL)


def vantage() -> Variable:
    """Return the choice of vantages. "All" includes series without that label."""
    query = f"label_values({families.UP.name}, vantage)"
    return choice("vantage", "Vantage", query).all_value(".*")


def probes() -> Variable:
    """Return the choice of any number of probes."""
    query = f'label_values({families.UP.name}{{vantage=~"$vantage"}}, probe)'
    return choice("probe", "Probe", query).all_value(".*")


def filters() -> Variable:
    """Return a filter on any other label that the config gives the probes."""
    return (
        build.AdHocVariable("filters")
        .label("Labels")
        .description("Any label that the config gives the probes, such as team")
        .datasource(DATASOURCE)
    )


# --- Annotations -------------------------------------------------------------------------------

DEAD_MANS_SWITCH = "WsMonitorDeadMansSwitch"
"""The alert that fires all the time, to show that alerting works."""


def firing(*matchers: str) -> str:
    """Return the alerts of ours that fire, as Prometheus itself tells of them."""
    ours = ('alertname=~"WsMonitor.+"', f'alertname!="{DEAD_MANS_SWITCH}"', 'alertstate="firing"')
    return f"ALERTS{{{', '.join((*ours, *matchers))}}}"


class _PrometheusAnnotation(model.AnnotationQuery):
    """An annotation with the fields that the Prometheus data source adds to the schema's."""

    texts: dict[str, object]

    def to_json(self) -> dict[str, object]:
        return super().to_json() | self.texts


class Annotation(Builder[model.AnnotationQuery]):
    """Marks on all panels, wherever a query has a value above 0."""

    def __init__(self, name: str, color: str, expression: str) -> None:
        self._query = _PrometheusAnnotation(
            name=name, datasource=DATASOURCE, enable=True, icon_color=color, expr=expression
        )
        self._query.texts = {}

    def texts(self, title: str, text: str, tags: str) -> Annotation:
        """Set what a mark says; labels are written {{so}}, tags are names of labels."""
        self._query.texts = {"titleFormat": title, "textFormat": text, "tagKeys": tags}
        return self

    def off(self) -> Annotation:
        """Have it there to be switched on, where it might be too much."""
        self._query.enable = False
        return self

    def build(self) -> model.AnnotationQuery:
        """Return the query."""
        return self._query


def drop_marks(view: View) -> Annotation:
    """Return marks where connections dropped."""
    return Annotation("Drops", "orange", f"{drops(view, '$__rate_interval')} > 0.5").texts(
        "{{probe}} dropped", "The connection ended, and not by our own decision.", "probe,vantage"
    )


def alert_marks(*matchers: str) -> Annotation:
    """Return marks where alerts of ours fired, once the alert rules are installed."""
    by = ("alertname", "severity", "instance", *PER_PROBE)
    return Annotation("Alerts", "red", aggregate("max", by, firing(*matchers))).texts(
        "{{alertname}}", "{{probe}} {{instance}}", "severity"
    )


# --- The dashboard -----------------------------------------------------------------------------


class Sheet:
    """Places panels from the top down, on Grafana's grid of 24 columns."""

    def __init__(self) -> None:
        self.panels: list[model.Panel | model.RowPanel] = []
        self._y = 0

    def band(self, title: str) -> None:
        """Begin a part that can be folded up."""
        row = build.Row(title).grid_pos(model.GridPos(h=1, w=WIDTH, x=0, y=self._y)).build()
        self._add(row)
        self._y += 1

    def shelf(self, height: int, *placed: Placed) -> None:
        """Put panels side by side."""
        x = 0
        for panel, width in placed:
            built = panel.build()
            built.grid_pos = model.GridPos(h=height, w=width, x=x, y=self._y)
            self._add(built)
            x += width
        if x != WIDTH:
            first = placed[0][0].build().title
            raise ValueError(f"the shelf of {first!r} is {x} wide instead of {WIDTH}")
        self._y += height

    def _add(self, panel: model.Panel | model.RowPanel) -> None:
        panel.id_val = len(self.panels) + 1
        self.panels.append(panel)


def dashboard(
    cover: Cover, variables: Sequence[Variable], annotations: Sequence[Annotation], sheet: Sheet
) -> model.Dashboard:
    """Return a dashboard with its panels."""
    built = (
        build.Dashboard(cover.title)
        .uid(cover.uid)
        .description(cover.description)
        .tags([TAG])
        .time(cover.since, "now")
        .refresh(cover.refresh)
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .editable()
        .variables([data_source(), *variables])
        .annotations(list(annotations))
        .links(top_links(cover.uid))
        .build()
    )
    built.panels = list(sheet.panels)
    return built
