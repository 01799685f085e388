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

NOT_SHOWN = {
    "WsMonitorEchoSlowerThanUsual": "compares with a week, and asks for a day of history",
    "WsMonitorProbeCrashed": "needs a bug in the monitor",
    "WsMonitorErrorBudgetBurn, long windows": "look back over 6 hours to 3 days",
}
"""Alerts that no drill of minutes can bring; tests/rules has them, with promtool."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults that are on for `hold` seconds, and until each alert in `must` has arrived.

    `action` is done at the start, or every `every` seconds while the faults are on. `must` and
    `may` are names of alerts. `promised` is the alert whose time is promised, if one is.
    """

    name: str
    faults: Mapping[str, Any] = field(default_factory=dict)
    action: tuple[str, Mapping[str, Any]] | None = None
    hold: float = 80.0
    every: float | None = None
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    probes: int = 1
    promised: str | None = None
    tls: bool = False


CUT: tuple[str, Mapping[str, Any]] = ("reset", {})
NOTHING: frozenset[str] = frozenset()
DEAF = frozenset({MISSED, STALLED})
"""Pings are answered and messages are not."""

AFTERMATH = frozenset({DROPS, BURN})
"""What a longer failure leaves behind: lost heartbeats, and less of the budget."""

MISSION = Scenario(
    "silent", {"silent": True}, hold=0, must=DEAF, may=frozenset({DROPS}), promised=MISSED
)
SILENT_LONG = Scenario("silent-for-long", {"silent": True}, must=DEAF | {DOWN}, may=AFTERMATH)
REFUSE = Scenario("refuse", {"refuse": True}, CUT, must=frozenset({DOWN}), may=AFTERMATH)
EXPIRING = Scenario("certificate", hold=0, must=frozenset({CERTIFICATE}), tls=True)

SHORT = (
    MISSION,
    SILENT_LONG,
    Scenario("reset", {}, CUT, hold=5),
    Scenario("refuse-for-seconds", {"refuse": True}, CUT, hold=5),
    # Its rule is evaluated once a minute; the short form does not wait for that.
    Scenario("certificate", hold=0, may=frozenset({CERTIFICATE}), tls=True),
)


def _turned_away(name: str, **faults: Any) -> Scenario:
    must = frozenset({DOWN, REFUSED})
    return Scenario(name, faults, CUT, must=must, may=AFTERMATH | {FLAPPING})


def _not_let_in(name: str, may: frozenset[str] = NOTHING, **faults: Any) -> Scenario:
    return Scenario(name, faults, CUT, must=frozenset({DOWN}), may=AFTERMATH | may)


def _harmless(
    name: str, action: tuple[str, Mapping[str, Any]] | None = None, **faults: Any
) -> Scenario:
    return Scenario(name, faults, action, hold=60)


LONG = (
    MISSION,
    SILENT_LONG,
    Scenario("delay, slow", {"delay": 0.4}, hold=90, must=frozenset({SLOW})),
    Scenario(
        "delay, past the timeout",
        {"delay": 0.7},
        must=frozenset({LATE}),
        may=frozenset({SLOW, DOWN, BURN, STALLED}),
    ),
    Scenario("swallow_every 4", {"swallow_every": 4}, must=frozenset({DROPS})),
    _harmless("duplicate", duplicate=1),
    Scenario("corrupt", {"corrupt": True}, must=DEAF | {DOWN}, may=AFTERMATH),
    Scenario(
        "no_heartbeat_support",
        {"no_heartbeat_support": True},
        must=frozenset({DOWN}),
        may=DEAF | AFTERMATH,
    ),
    Scenario(
        "rate_points 2",
        {"rate_points": 2},
        must=frozenset({DROPS}),
        may=DEAF | AFTERMATH | {DOWN, FLAPPING},
    ),
    Scenario("mute_pongs", {"mute_pongs": True}, must=frozenset({MISSED, DOWN}), may=AFTERMATH),
    _harmless("noise", noise=5),
    Scenario("freeze", {"freeze": True}, must=frozenset({MISSED, DOWN}), may=AFTERMATH),
    Scenario("stall_messages", {"stall_messages": True}, must=DEAF | {DOWN}, may=AFTERMATH),
    _not_let_in("database_stalled", database_stalled=True),
    _turned_away("database_down", database_down=True),
    _not_let_in("never_connected", never_connected=True),
    _not_let_in(
        "accept_then_close 1013",
        frozenset({FLAPPING}),
        accept_then_close={"code": 1013, "reason": "busy"},
    ),
    _harmless("connect_delay 2", CUT, connect_delay=2),
    REFUSE,
    _turned_away("reject_upgrade 401", reject_upgrade=401),
    _not_let_in("redirect", redirect="wss://elsewhere.example/"),
    _turned_away("ticket_status 429", ticket_status=429),
    _harmless("close 1012", ("close", {"code": 1012, "reason": "restart"})),
    _harmless("reset", CUT),
    _harmless("abort", ("abort", {})),
    Scenario(
        "revoke",
        {},
        ("revoke", {}),
        must=frozenset({DOWN, REFUSED}),
        may=AFTERMATH | {FLAPPING},
    ),
    _harmless("tick", ("tick", {})),
    _harmless("push", ("push", {"text": "hello"})),
    Scenario(
        "reset every 10 s",
        {},
        CUT,
        every=10,
        must=frozenset({FLAPPING}),
        may=frozenset({DROPS}),
    ),
    Scenario(
        "close 1012, six probes",
        {},
        ("close", {"code": 1012, "reason": "restart"}),
        must=frozenset({TOGETHER}),
        probes=6,
    ),
    EXPIRING,
)
