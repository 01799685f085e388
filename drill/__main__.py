"""The command: `python -m drill [--short]`; exit code 0 when everything was as it should be."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from drill import report
from drill.scenarios import LONG, SHORT
from drill.stage import run_long, run_short, set_stage

PAGE = Path(__file__).parents[1] / "docs" / "drill.md"
QUIET = 600.0
LIMIT = 960.0


async def main(*, short: bool, limit: float) -> int:
    """Run a drill, print its table, and write the page if it was a long one."""
    interval = 1 if short else 5
    scenarios = SHORT if short else LONG
    with tempfile.TemporaryDirectory(prefix="drill-") as directory:
        async with set_stage(Path(directory), scenarios, interval, clumsy=not short) as stage:
            run = run_short(stage) if short else run_long(stage, min(QUIET, limit), limit)
            outcomes = await run
    sys.stdout.write(f"{report.table(outcomes)}\n\n{report.verdict(outcomes, interval)}\n")
    if not short:
        PAGE.write_text(report.page(outcomes, interval, min(QUIET, limit), limit))
    return 1 if report.problems(outcomes, interval) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m drill", description="Prove the alerting.")
    parser.add_argument("--short", action="store_true", help="a few faults, in under 90 s")
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="seconds after which nothing is waited for"
    )
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(short=arguments.short, limit=arguments.limit)))
