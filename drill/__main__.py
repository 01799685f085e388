"""The command: `python -m drill`; exit code 0 when everything was as it should be, else 1."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from drill import pictures, report
from drill.servers import Guests
from drill.stage import LONG_FORM, SHORT_FORM, Form, run, set_stage

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "drill.md"


async def main(form: Form, guests: Guests, draw: Path | None) -> int:
    """Run a drill and print its table; write the page and draw pictures after a long one."""
    sys.stdout.write(f"This takes {form.limit:.0f} s at most.\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="drill-") as directory:
        async with set_stage(Path(directory), form, guests) as stage:
            outcomes = await run(stage)
            if draw is not None:
                await asyncio.to_thread(pictures.draw, stage.prometheus.address, form, draw)
    sys.stdout.write(f"{report.table(outcomes)}\n\n{report.verdict(outcomes, form.interval)}\n")
    if form.patient:
        PAGE.write_text(report.page(outcomes, form))
    return 1 if report.problems(outcomes, form.interval) else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m drill",
        description="Prove the alerting: break a target in each way, and see who is told what.",
    )
    parser.add_argument("--short", action="store_true", help="a few faults, in a minute; no page")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="end sooner, or later")
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="draw the dashboards into it")
    parser.add_argument(
        "--webhook", metavar="URL", help="the drill's Alertmanager calls this one as well"
    )
    parser.add_argument(
        "--alertmanager", metavar="URL", help="the drill's Prometheus tells this one as well"
    )
    return parser.parse_args()


def _form(chosen: argparse.Namespace) -> Form:
    form = SHORT_FORM if chosen.short else LONG_FORM
    return replace(form, limit=chosen.limit) if chosen.limit else form


def _refuse_without(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            sys.stderr.write(f"drill: there is no program {program}; `make drill` installs it\n")
            sys.exit(3)


if __name__ == "__main__":
    chosen = _parse()
    _refuse_without("prometheus", "prometheus-alertmanager")
    sys.exit(
        asyncio.run(
            main(
                _form(chosen),
                Guests(webhook=chosen.webhook, alertmanager=chosen.alertmanager),
                chosen.draw,
            )
        )
    )
