"""The table of a drill, at most 80 columns wide, and the page that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from drill.outcome import Outcome, promise
from drill.scenarios import MISSION, NOT_SHOWN, PROMISED
from drill.stage import Form

PAGE = Path(__file__).with_name("page.template")

HEAD = ("fault", "alert", "wanted", "told", "ended")
LAYOUT = "{:<23} {:<22} {:<7} {:>9} {:>9}"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each alert of each fault; seconds after the fault, and after its end."""
    lines = [LAYOUT.format(*HEAD), "-" * 74]
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
            " ".join([_short(episode.name), *filter(None, [episode.labels.get("mode")])]),
            "FALSE" if episode.name in outcome.false else wanted,
            f"{told:.1f} s",
            "-" if over is None else f"{over:.1f} s",
        )
    for name in outcome.missing:
        yield _short(name), "MISSING", "-", "-"
    if not outcome.episodes and not outcome.must:
        yield "none", "none", "", ""


def _short(name: str) -> str:
    return name.removeprefix("WsMonitor")


def mission(outcomes: Sequence[Outcome]) -> tuple[float, float | None]:
    """Return when the mission's alert was told, and when its end was; seconds.

    Raises:
        LookupError: it was not told.
    """
    (outcome,) = [found for found in outcomes if found.name == MISSION.name]
    for episode in outcome.episodes:
        if episode.name == PROMISED:
            return outcome.times(episode)
    raise LookupError(f"{PROMISED} was not told")


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
    if ended is None:
        found.append("its end was not told")
    elif ended > limit:
        found.append(f"its end took {ended:.1f} s, not {limit:.0f} s")
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


def page(outcomes: Sequence[Outcome], form: Form) -> str:
    """Return docs/drill.md."""
    hidden = "\n".join(f"| `{name}` | {reason} |" for name, reason in NOT_SHOWN.items())
    return Template(PAGE.read_text()).substitute(
        interval=form.interval,
        quiet=f"{form.quiet / 60:.0f}",
        limit=f"{form.limit / 60:.0f}",
        table=table(outcomes),
        verdict=verdict(outcomes, form.interval),
        hidden=hidden,
    )
