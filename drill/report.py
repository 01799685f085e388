"""The table of a drill, 80 columns wide, and the page that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drill.course import Outcome, promise
from drill.scenarios import MISSION, NOT_SHOWN

HEAD = ("fault", "alert", "wanted", "told", "ended")
LAYOUT = "{:<24} {:<24} {:<7} {:>9} {:>9}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each alert of each fault; seconds after the fault, and after its end."""
    lines = [LAYOUT.format(*HEAD), "-" * 78]
    for outcome in outcomes:
        name = outcome.name
        for row in _rows(outcome):
            lines.append(LAYOUT.format(name, *row).rstrip())
            name = ""
    return "\n".join(lines)


def _rows(outcome: Outcome) -> Iterator[tuple[str, str, str, str]]:
    for episode in sorted(outcome.episodes, key=lambda found: found.told):
        told, over = outcome.times(episode)
        wanted = "must" if episode.name in outcome.must else "may"
        yield (
            episode.name.removeprefix("WsMonitor"),
            "FALSE" if episode.name in outcome.false else wanted,
            f"{told:.1f} s",
            "-" if over is None else f"{over:.1f} s",
        )
    for name in outcome.missing:
        yield name.removeprefix("WsMonitor"), "MISSING", "-", "-"
    if not outcome.episodes and not outcome.must:
        yield "none", "none", "", ""


def mission(outcomes: Sequence[Outcome]) -> tuple[float, float | None]:
    """Return when the mission's alert was told, and when its end was; seconds.

    Raises:
        LookupError: it was not told.
    """
    (outcome,) = [found for found in outcomes if found.name == MISSION.name]
    for episode in outcome.episodes:
        if episode.name == MISSION.promised:
            return outcome.times(episode)
    raise LookupError(f"{MISSION.promised} was not told")


def problems(outcomes: Sequence[Outcome], interval: int) -> list[str]:
    """Return what is not as it should be, a line each."""
    found = [f"{one.name}: {alert} is missing" for one in outcomes for alert in one.missing]
    found += [f"{one.name}: {alert} is false" for one in outcomes for alert in one.false]
    limit = promise(interval)
    try:
        told, ended = mission(outcomes)
    except LookupError as error:
        return [*found, str(error)]
    if told > limit:
        found.append(f"the mission's alert took {told:.1f} s, not {limit:.0f} s")
    if ended is None or ended > limit:
        found.append(f"its end took {ended} s, not {limit:.0f} s")
    return found


def verdict(outcomes: Sequence[Outcome], interval: int) -> str:
    """Return the sentences below the table."""
    bad = problems(outcomes, interval)
    if bad:
        return "\n".join(["Not as it should be:", "", *(f"- {line}" for line in bad)])
    told, ended = mission(outcomes)
    return (
        f"All as it should be. Missed echoes were told after {told:.1f} s and their end after\n"
        f"{ended:.1f} s; {promise(interval):.0f} s are allowed for each."
    )


def page(outcomes: Sequence[Outcome], interval: int, quiet: float, limit: float) -> str:
    """Return docs/drill.md."""
    hidden = "\n".join(f"| `{name}` | {reason} |" for name, reason in NOT_SHOWN.items())
    return f"""# The drill

Written by `make drill`. Do not edit.

Each fault of the [target](target.md) is switched on while the real monitor watches it, a real
Prometheus scrapes the monitor, and a real Alertmanager calls a webhook. Rules, routes and
inhibition are those of `deploy/prometheus`. Only addresses, intervals and waits are replaced:
Prometheus scrapes and evaluates every {interval} s, no `group_wait` is over 1 s and no
`group_interval` over 5 s. Probes beat every second, with messages and with pings.

Each fault has a target, probes and a `vantage` of its own, so the faults run side by side, and an
alert says where it belongs. The mission's own, `silent`, runs alone first.

- `told`: from the fault to the webhook. Most warnings are looked for once a minute.
- `ended`: from the end of the fault to the webhook. `-`: not told before the drill ended, because
  the rule looks back 10 or 30 minutes, or because another alert muted it when it ended.
- `quiet`: a monitor of healthy targets for {quiet / 60:.0f} minutes. A reload takes a probe out,
  which closes its connection as planned, another brings it back, and the monitor is restarted.

This run waited {limit / 60:.0f} minutes at most.

```text
{table(outcomes)}
```

{verdict(outcomes, interval)}

## What it cannot show

These need a longer past than a drill has. `tests/rules` has them, run by `promtool`.

| alert | why |
|---|---|
{hidden}

To try your own receiver, put its address into `drill/servers.py`, where the webhook's is.
"""
