"""The dashboard of one probe: its round trips, its books, its connections, its network."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.builders import dashboard as build_sdk
from grafana_foundation_sdk.builders.heatmap import Panel as Heat
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Lines
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model

from grafana.source import promql
from grafana.source.frame import (
    Cover,
    Sheet,
    Uid,
    alert_marks,
    dashboard,
    drop_marks,
    link,
    query_variable,
    vantage,
)
from grafana.source.panels import (
    GREEN,
    GREY,
    NO_LEVELS,
    ORANGE,
    RED,
    YELLOW,
    Column,
    Unit,
    Words,
    ask,
    bars,
    figure,
    grid,
    heat,
    levels,
    lines,
    logarithmic,
    texts,
)
from grafana.source.promql import ONE, View, aggregate, total
from grafana.source.shared import (
    DOWN_LEVELS,
    DROP_LEVELS,
    STATE_LEVELS,
    STATES,
    availability_figure,
    certificate,
    connect_failures,
    disconnects,
    drop_figure,
    lifetimes,
    state_timeline,
)
from monitor.core.events import SkipReason
from monitor.core.failures import Phase
from monitor.metrics import families
from monitor.metrics.families import Family

COVER = Cover(
    Uid.PROBE,
    "ws-monitor / Probe in depth",
    "One probe: the round trips of messages against those of pings, what became of each "
    "heartbeat, how connecting went and how connections ended.",
)

MESSAGE = ONE.only('mode="message"')
PING = ONE.only('mode="ping"')


def build() -> model.Dashboard:
    """Return the dashboard."""
    sheet = Sheet()
    _now(sheet)
    sheet.band("Round trips")
    sheet.shelf(10, (_quantiles(), 12), (_means(), 12))
    sheet.shelf(8, (_heat("message"), 12), (_heat("ping"), 12))
    sheet.band("The books")
    sheet.shelf(8, (_fate("message"), 12), (_fate("ping"), 12))
    sheet.shelf(5, (_books(), 24))
    sheet.shelf(8, (_drop_ratio(), 8), (_in_flight(), 8), (_odd_echoes(), 8))
    sheet.band("Connections")
    sheet.shelf(9, (_phases(), 12), (_connects(), 12))
    sheet.shelf(9, (lifetimes(ONE), 8), (disconnects(ONE), 8), (connect_failures(ONE), 8))
    sheet.band("Network")
    sheet.shelf(8, (_retransmits(), 8), (_bytes(), 8), (_messages(), 8))
    sheet.shelf(5, (_info(), 24))
    label = f'label_values({families.UP.name}{{vantage=~"$vantage"}}, probe)'
    return dashboard(
        COVER,
        [vantage(), query_variable("probe", "Probe", label)],
        [drop_marks(ONE), alert_marks('probe="$probe"', 'vantage=~"$vantage"')],
        sheet,
    )


# --- Now ---------------------------------------------------------------------------------------


def _now(sheet: Sheet) -> None:
    sheet.shelf(
        4,
        (_state(), 3),
        (availability_figure(ONE), 3),
        (_down_for(), 3),
        (drop_figure(MESSAGE, "Drop ratio, messages"), 3),
        (drop_figure(PING, "Drop ratio, pings"), 3),
        (_last_echo(), 3),
        (_connection_age(), 3),
        (certificate(ONE), 3),
    )
    more = " One row for each vantage."
    sheet.shelf(4, (state_timeline(ONE, "{{probe}} {{vantage}}", more), 24))


def _state() -> Stat:
    words = Words("State now", "As in the timeline below; the worst of the chosen vantages.")
    expression = aggregate("min", (), promql.state(ONE))
    return figure(words, Unit.COUNT, expression, STATE_LEVELS).mappings(texts(STATES))


def _down_for() -> Stat:
    words = Words(
        "Down for",
        "Seconds of this time range in which the probe was not up: counted exactly, not sampled. "
        "Of several vantages, the one that saw most.",
    )
    expression = aggregate("max", (), ONE.increase(families.DOWNTIME))
    return figure(words, Unit.SECONDS, expression, DOWN_LEVELS)


def _last_echo() -> Stat:
    words = Words(
        "Last echo",
        "Time since the latest echo of either mode, at the time of the latest scrape. It turns "
        "yellow above one interval and one timeout of a Talo probe (35 s).",
    )
    expression = promql.age(aggregate("max", (), ONE.of(families.LAST_ECHO)))
    thresholds = levels(GREEN, (35, YELLOW), (85, RED))
    return figure(words, Unit.SECONDS, expression, thresholds).no_value("never")


def _connection_age() -> Stat:
    words = Words("Connected for", "Age of the open connection; nothing while there is none.")
    expression = promql.age(aggregate("max", (), ONE.of(families.CONNECTION_START)))
    thresholds = levels(YELLOW, (60, GREEN))
    return figure(words, Unit.SECONDS, expression, thresholds).no_value("not connected")


# --- Round trips -------------------------------------------------------------------------------


def _quantiles() -> Lines:
    words = Words(
        "RTT: messages against pings",
        "Quantiles, estimated within the buckets of the histogram, late echoes included. Messages "
        "are answered by the application, pings by the WebSocket layer in front of it. Messages "
        "that rise while pings stay are the application; both together are the network or the "
        "machine. Dashed: the timeout of each mode.",
    )
    queries = [
        ask(promql.quantile(share, ONE, families.RTT, "mode"), f"{{{{mode}}}} {name}")
        for share, name in ((0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"))
    ]
    timeout = aggregate("max", ("mode",), ONE.of(families.HEARTBEAT_TIMEOUT))
    return (
        lines(words, Unit.SECONDS, *queries, ask(timeout, "{{mode}} timeout"))
        .scale_distribution(logarithmic())
        .min(0.0001)
        .override_by_regexp(".*timeout", [*_dashed(), *_coloured(RED)])
        .links([link("Is it the monitor that is late?", Uid.HEALTH)])
        .thresholds(levels(GREEN, (0.5, YELLOW), (1, RED)))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.OFF)
        )
    )


def _means() -> Lines:
    words = Words(
        "Mean RTT: where the time goes",
        "Means are exact: they know no buckets. TCP is the kernel's smoothed round trip of the "
        "path. Ping less TCP is the WebSocket layer, message less ping is the application with "
        "its queues and stores.",
    )
    message = promql.mean(MESSAGE, families.RTT)
    ping = promql.mean(PING, families.RTT)
    tcp = aggregate("max", (), ONE.of(families.TCP_RTT))
    return (
        lines(
            words,
            Unit.SECONDS,
            ask(message, "message"),
            ask(ping, "ping"),
            ask(tcp, "TCP"),
            ask(f"({message})\n-\n({ping})", "message less ping"),
        )
        .scale_distribution(logarithmic())
        .min(0.00001)
        .override_by_name("message less ping", [*_dashed(), *_coloured(GREY)])
        .thresholds(levels(GREEN, (0.5, YELLOW), (1, RED)))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.OFF)
        )
    )


def _heat(mode: str) -> Heat:
    words = Words(
        f"RTT of {mode}s",
        f"How many {mode} round trips took how long. Each row is a bucket of the histogram; late "
        "echoes are in it.",
    )
    return heat(words, promql.buckets(ONE.only(f'mode="{mode}"'), families.RTT)).no_value(
        f"This probe sends no {mode}s"
    )


# --- The books ---------------------------------------------------------------------------------

FATES = {
    "echoed": (families.ECHOED, GREEN),
    "missed": (families.MISSED, RED),
    "aborted": (families.ABORTED, ORANGE),
}
UNSENT = {
    SkipReason.NOT_CONNECTED: "dark-red",
    SkipReason.OVERRUN: "purple",
    SkipReason.PAUSED: "blue",
    SkipReason.AMBIGUOUS: "light-blue",
}


def _fate(mode: str) -> Lines:
    words = Words(
        f"What became of each {mode} heartbeat",
        f"Every {mode} heartbeat that fell due, once. Echoed: in time. Missed: silence on an open "
        "connection. Aborted: the connection ended first. Skipped: never sent, because there was "
        "no connection, the monitor was late (overrun), it was told to wait (paused), or its echo "
        "could not have been told from another's (ambiguous).",
    )
    view = ONE.only(f'mode="{mode}"')
    settled = [ask(total(view.rate(family)), name) for name, (family, _) in FATES.items()]
    skipped = ask(f"{total(view.rate(families.SKIPPED), 'reason')} > 0", "skipped: {{reason}}")
    panel = (
        bars(words, Unit.PER_SECOND, *settled, skipped)
        .thresholds(levels(GREEN))
        .no_value(f"This probe sends no {mode}s")
    )
    for name, (_, color) in FATES.items():
        panel.override_by_name(name, _coloured(color))
    for reason, color in UNSENT.items():
        panel.override_by_name(f"skipped: {reason}", _coloured(color))
    return panel


def _books() -> Table:
    words = Words(
        "The books, since the monitor started",
        "Due = sent + skipped, and sent = echoed + missed + aborted + in flight, at every instant. "
        "Unaccounted is what is left over; it is 0, or the monitor has a bug. Late echoes are "
        "among the missed, unsolicited ones answer nothing.",
    )
    sent, in_flight = _sum(families.SENT), _sum(families.IN_FLIGHT)
    settled = " - ".join(_sum(family) for family, _ in FATES.values())
    some = levels(GREEN, (1, YELLOW))
    none = levels(RED, (0, GREEN), (0.5, RED))
    return grid(
        words,
        {"mode": "Mode"},
        _entry("Due", f"{sent} + {_sum(families.SKIPPED)}"),
        _entry("Sent", sent),
        _entry("Echoed", _sum(families.ECHOED)),
        _entry("Missed", _sum(families.MISSED), some),
        _entry("Aborted", _sum(families.ABORTED), some),
        _entry("In flight", in_flight),
        _entry("Unaccounted", f"{sent} - {settled} - {in_flight}", none),
        _entry("Skipped", _sum(families.SKIPPED), some),
        _entry("Late", _sum(families.LATE), some),
        _entry("Unsolicited", _sum(families.UNSOLICITED), some),
    )


def _entry(
    title: str, expression: str, thresholds: build_sdk.ThresholdsConfig = NO_LEVELS
) -> Column:
    # A count is written in full, or one could not add it up.
    return Column(title, expression, Unit.NONE, thresholds)


def _sum(family: Family) -> str:
    return total(ONE.of(family), "mode")


def _drop_ratio() -> Lines:
    words = Words(
        "Drop ratio",
        "Share of settled heartbeats that were missed or aborted. A gap means that nothing "
        "settled: there was no connection.",
    )
    return (
        lines(words, Unit.RATIO, ask(promql.drop_ratio(ONE, "mode"), "{{mode}}"))
        .max(1)
        .thresholds(DROP_LEVELS)
    )


def _in_flight() -> Lines:
    words = Words(
        "In flight, and missed in a row",
        "At the moments of the scrapes. A row of misses as long as the probe's missed_threshold "
        "turns it down; it ends at an answer, not at a new connection.",
    )
    in_flight = aggregate("max", ("mode",), ONE.of(families.IN_FLIGHT))
    in_a_row = aggregate("max", ("mode",), ONE.of(families.CONSECUTIVE_MISSED))
    return (
        lines(
            words,
            Unit.COUNT,
            ask(in_flight, "{{mode}} in flight"),
            ask(in_a_row, "{{mode}} missed in a row"),
        )
        .decimals(0)
        .thresholds(levels(GREEN, (3, RED)))
    )


def _odd_echoes() -> Lines:
    words = Words(
        "Late and unsolicited echoes, per minute",
        "Late: after the timeout, so the heartbeat was missed, and yet the server does answer. "
        "Unsolicited: echoes that answer nothing, such as duplicates.",
    )
    return bars(
        words,
        Unit.PER_MINUTE,
        ask(f"60 * {total(ONE.rate(families.LATE), 'mode')}", "{{mode}} late"),
        ask(f"60 * {total(ONE.rate(families.UNSOLICITED), 'mode')}", "{{mode}} unsolicited"),
    ).thresholds(levels(GREEN, (0.1, YELLOW)))


# --- Connections -------------------------------------------------------------------------------


def _phases() -> Lines:
    words = Words(
        "Phases of the latest connect",
        "How long each phase that was completed took: ticket, dns, tcp, proxy, tls, upgrade, "
        "ready. Ready is the wait for the application's own word after the upgrade. 0 where there "
        "was no such phase. Of several vantages, the slowest.",
    )
    queries = [
        ask(
            aggregate("max", (), ONE.of(families.CONNECT_PHASE_DURATION, f'phase="{phase}"')),
            str(phase),
        )
        for phase in Phase
    ]
    return (
        lines(words, Unit.SECONDS, *queries)
        .line_interpolation(shapes.LineInterpolation.STEP_AFTER)
        .fill_opacity(60)
        .stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
        .thresholds(levels(GREEN, (1, YELLOW), (5, RED)))
    )


def _connects() -> Lines:
    words = Words(
        "Connects per minute, and how long they took",
        "Attempts begun and attempts that failed, on the left. On the right, the mean and the 99 % "
        "quantile of the time until a connection was ready, of those that succeeded.",
    )
    duration = families.CONNECT_DURATION
    seconds = [
        model.DynamicConfigValue("unit", Unit.SECONDS),
        model.DynamicConfigValue("custom.axisPlacement", "right"),
        model.DynamicConfigValue("custom.showPoints", "always"),
    ]
    return (
        lines(
            words,
            Unit.PER_MINUTE,
            ask(f"60 * {total(ONE.rate(families.CONNECT_ATTEMPTS))}", "attempts"),
            ask(f"60 * {total(ONE.rate(families.CONNECT_FAILURES))}", "failures"),
            ask(promql.mean(ONE, duration), "mean duration"),
            ask(promql.quantile(0.99, ONE, duration), "99 % duration"),
        )
        .override_by_regexp(".*duration", seconds)
        .override_by_name("failures", _coloured(RED))
        .thresholds(levels(GREEN, (1, YELLOW)))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.OFF)
        )
    )


# --- Network -----------------------------------------------------------------------------------


def _retransmits() -> Lines:
    words = Words(
        "TCP segments sent again, per minute",
        "The kernel's own count. TCP repairs what the network loses, so loss shows as longer round "
        "trips and as these, not as missing echoes.",
    )
    expression = f"60 * {total(ONE.rate(families.TCP_RETRANSMITS), 'vantage')}"
    return bars(words, Unit.PER_MINUTE, ask(expression, "retransmits {{vantage}}")).thresholds(
        levels(GREEN, (1, YELLOW))
    )


def _bytes() -> Lines:
    words = Words(
        "Received",
        "Bytes read from open connections, framing included. What the application pushes besides "
        "echoes is in it.",
    )
    expression = total(ONE.rate(families.RECEIVED_BYTES), "vantage")
    return lines(words, Unit.BYTES_PER_SECOND, ask(expression, "bytes {{vantage}}")).thresholds(
        levels(GREEN, (1e6, YELLOW))
    )


def _messages() -> Lines:
    words = Words(
        "Messages and pings from the server",
        "Messages include the echoes. Pings are those that the server sends by itself, to see "
        "whether we are alive.",
    )
    return lines(
        words,
        Unit.PER_SECOND,
        ask(total(ONE.rate(families.MESSAGES_RECEIVED)), "messages"),
        ask(total(ONE.rate(families.SERVER_PINGS)), "pings from the server"),
    ).thresholds(levels(GREEN, (100, YELLOW)))


def _info() -> Table:
    words = Words(
        "What it is",
        "Protocol and endpoint as configured, the address that the latest connection went to, the "
        "TLS version, and where times come from: the kernel's stamps, or our own loop where the "
        "platform has none. Then how often it beats, and how long it waits for an echo.",
    )
    labels = {
        "vantage": "Vantage",
        "protocol": "Protocol",
        "endpoint": "Endpoint",
        "address": "Address",
        "tls_version": "TLS",
        "timestamping": "Times from",
        "instance": "Monitor",
    }
    place = ("vantage", "instance")

    def configured(view: View, family: Family) -> str:
        return aggregate("max", place, view.of(family))

    return grid(
        words,
        labels,
        Column("", aggregate("max", tuple(labels), ONE.of(families.INFO))),
        Column("Message every", configured(MESSAGE, families.HEARTBEAT_INTERVAL), Unit.SECONDS),
        Column("Message timeout", configured(MESSAGE, families.HEARTBEAT_TIMEOUT), Unit.SECONDS),
        Column("Ping every", configured(PING, families.HEARTBEAT_INTERVAL), Unit.SECONDS),
        Column("Ping timeout", configured(PING, families.HEARTBEAT_TIMEOUT), Unit.SECONDS),
    )


def _dashed() -> list[model.DynamicConfigValue]:
    return [
        model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}),
        model.DynamicConfigValue("custom.fillOpacity", 0),
    ]


def _coloured(color: str) -> list[model.DynamicConfigValue]:
    return [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})]
