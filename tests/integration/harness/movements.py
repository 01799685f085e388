"""Which of a probe's figures moved between two scrapes."""

from __future__ import annotations

from tests.integration.harness.metrics import BeatView, ProbeView

ALWAYS = frozenset({"message.sent", "message.echoed", "ping.sent", "ping.echoed"})
"""What moves on any connection that beats."""


def movements(before: ProbeView, after: ProbeView) -> dict[str, int]:
    """Return by how much each counter moved, without those that did not.

    Keys are like `message.missed`, `ping.skipped.overrun`, `failures.ticket`,
    `disconnects.remote.1012`, `attempts`, `server_pings`.
    """
    old, new = _counters(before), _counters(after)
    return {key: new[key] - old.get(key, 0) for key in sorted(new) if new[key] != old.get(key, 0)}


def _counters(view: ProbeView) -> dict[str, int]:
    counters = {
        "attempts": view.attempts,
        "server_pings": int(view.value("ws_probe_server_pings_total")),
    }
    counters |= {f"failures.{reason}": count for reason, count in view.failures.items()}
    counters |= {f"disconnects.{who}.{code}": n for (who, code), n in view.disconnects.items()}
    for mode in view.modes:
        counters |= {f"{mode}.{key}": n for key, n in _beats(view.mode(mode)).items()}
    return counters


def _beats(beats: BeatView) -> dict[str, int]:
    counters = {
        "sent": beats.sent,
        "echoed": beats.echoed,
        "missed": beats.missed,
        "aborted": beats.aborted,
        "late": beats.late,
        "unsolicited": beats.unsolicited,
    }
    return counters | {f"skipped.{reason}": count for reason, count in beats.skipped.items()}
