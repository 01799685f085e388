"""What the drill does to a target, and which alerts that should bring. Data alone.

Each scenario has a target and probes of its own, and a `vantage` of its name, so that what arrives
says to which it belongs. An alert that a scenario neither must nor may bring is a false one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSED, STALLED = "WsMonitorEchoMissed", "WsMonitorMessagePathStalled"
DOWN, REFUSED = "WsMonitorConnectionDown", "WsMonitorReconnectRefused"
DROPS, BURN = "WsMonitorHighDropRatio", "WsMonitorErrorBudgetBurn"
SLOW, LATE = "WsMonitorEchoSlow", "WsMonitorEchoLate"
FLAPPING, TOGETHER = "WsMonitorConnectionFlapping", "WsMonitorDroppedTogether"
CERTIFICATE = "WsMonitorCertificateExpiring"
ALL_DOWN, ABSENT = "WsMonitorAllProbesDown", "WsMonitorAbsent"
RELOAD, MONITOR_LATE = "WsMonitorReloadFailed", "WsMonitorLate"
SOMEWHERE, EVERYWHERE = "WsMonitorDownSomewhere", "WsMonitorDownEverywhere"
DEAD_MANS_SWITCH = "WsMonitorDeadMansSwitch"

NOT_SHOWN = {
    "WsMonitorEchoSlowerThanUsual": "compares with a week, and asks for a day of history",
    "WsMonitorProbeCrashed": "needs a bug in the monitor",
    "WsMonitorErrorBudgetBurn": "its windows of 6 hours, a day and three days",
    "WsMonitorDiscoveryFailing": "asks for a source of probes, and takes 5 minutes",
    "WsMonitorShardMissing": "asks for several monitors that share their probes",
}
"""Alerts that this drill does not bring, or not in full; tests/rules has them, with promtool."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults that are on for `hold` seconds, and until each alert in `must` has arrived.

    `action` is done at the start, or every `every` seconds while the faults are on. `must` and
    `may` are names of alerts.
    """

    name: str
    faults: Mapping[str, Any] = field(default_factory=dict)
    action: tuple[str, Mapping[str, Any]] | None = None
    hold: float = 80.0
    every: float | None = None
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    probes: int = 1
    protocol: str = "ws"


CUT: tuple[str, Mapping[str, Any]] = ("reset", {})
NOTHING: frozenset[str] = frozenset()
DEAF = frozenset({MISSED, STALLED})
"""Pings are answered and messages are not."""

NO_TICKET = frozenset({REFUSED})
"""Nobody answers where tickets are sold. The metric cannot tell that from a ticket refused."""

AFTERMATH = frozenset({DROPS, BURN})
"""What a longer failure leaves behind: lost heartbeats, and less of the budget."""

MISSION = Scenario("silent", {"silent": True}, hold=0, must=DEAF, may=frozenset({DROPS}))
PROMISED = MISSED
"""The alert of MISSION whose time is promised."""

SHOWN = "stall_messages"
"""The probe that pictures show in depth."""


def _deaf(name: str, **faults: Any) -> Scenario:
    return Scenario(name, faults, must=DEAF | {DOWN}, may=AFTERMATH)


def _turned_away(name: str, action: tuple[str, Mapping[str, Any]] = CUT, **faults: Any) -> Scenario:
    must = frozenset({DOWN, REFUSED})
    return Scenario(name, faults, action, must=must, may=AFTERMATH | {FLAPPING})


def _not_let_in(name: str, may: frozenset[str] = NOTHING, **faults: Any) -> Scenario:
    return Scenario(name, faults, CUT, must=frozenset({DOWN}), may=AFTERMATH | may)


def _harmless(
    name: str,
    action: tuple[str, Mapping[str, Any]] | None = None,
    hold: float = 60.0,
    **faults: Any,
) -> Scenario:
    return Scenario(name, faults, action, hold=hold)


SHORT = (
    MISSION,
    Scenario("stall_messages", {"stall_messages": True}, hold=0, must=DEAF, may=frozenset({DROPS})),
    _harmless("reset", CUT, hold=10),
    _harmless("refuse for seconds", CUT, hold=5, refuse=True),
    _harmless("duplicate", hold=10, duplicate=1),
)

LONG = (
    MISSION,
    _deaf("silent for long", silent=True),
    Scenario(
        "delay, slow",
        {"delay": 0.4},
        hold=90,
        must=frozenset({SLOW}),
        # A tenth of a second below the timeout is not much on a busy machine.
        may=frozenset({LATE}),
    ),
    Scenario(
        "delay, too slow",
        {"delay": 0.7},
        must=frozenset({LATE, DOWN}),
        # The last echo of each connection that is given up is lost.
        may=frozenset({SLOW}) | AFTERMATH,
    ),
    Scenario("swallow_every 4", {"swallow_every": 4}, must=frozenset({DROPS})),
    _harmless("duplicate", duplicate=1),
    _deaf("corrupt", corrupt=True),
    _deaf("no_heartbeat_support", no_heartbeat_support=True),
    Scenario(
        "rate_points 2",
        {"rate_points": 2},
        must=frozenset({DROPS}),
        # Two echoes for each connection, and then none: it is up and down in turn.
        may=DEAF | AFTERMATH | {DOWN, FLAPPING},
    ),
    Scenario("mute_pongs", {"mute_pongs": True}, must=frozenset({MISSED, DOWN}), may=AFTERMATH),
    _harmless("noise", noise=5),
    Scenario("freeze", {"freeze": True}, must=frozenset({MISSED, DOWN}), may=AFTERMATH | NO_TICKET),
    _deaf("stall_messages", stall_messages=True),
    _not_let_in("database_stalled", database_stalled=True),
    _turned_away("database_down", database_down=True),
    _not_let_in("never_connected", never_connected=True),
    _not_let_in(
        "accept_then_close",
        frozenset({FLAPPING}),
        accept_then_close={"code": 1013, "reason": "busy"},
    ),
    _harmless("connect_delay 2", CUT, connect_delay=2),
    _not_let_in("refuse", NO_TICKET, refuse=True),
    _harmless("refuse for seconds", CUT, hold=5, refuse=True),
    _turned_away("reject_upgrade 401", reject_upgrade=401),
    _not_let_in("redirect", redirect="wss://elsewhere.example/"),
    _turned_away("ticket_status 429", ticket_status=429),
    _turned_away("revoke", ("revoke", {})),
    _harmless("close 1012", ("close", {"code": 1012, "reason": "restart"})),
    _harmless("reset", CUT),
    _harmless("abort", ("abort", {})),
    _harmless("tick", ("tick", {})),
    _harmless("push", ("push", {"text": "hello"})),
    Scenario(
        "reset every 10 s",
        {},
        CUT,
        every=10,
        must=frozenset({FLAPPING}),
        may=AFTERMATH,
    ),
    Scenario(
        "close 1012, six probes",
        {},
        ("close", {"code": 1012, "reason": "restart"}),
        must=frozenset({TOGETHER}),
        probes=6,
    ),
    Scenario("certificate", hold=0, must=frozenset({CERTIFICATE}), protocol="wss"),
)
