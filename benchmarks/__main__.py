"""Run the cases, print what they found, and keep it in one JSON file.

    python -m benchmarks [--quick] [--output FILE] [NAME...]

A NAME is a case, or a part of one, or the begin of a part's name; none means all. The quick form
shows that everything works, in a few minutes; its figures are no figures. Parts that are not run
keep what the file says of them, unless it is of the other form.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmarks import processes, results, tables
from benchmarks.cases import CASES
from benchmarks.results import Results
from benchmarks.run import Case, Part, Run, Table

OUTPUT = Path("build/bench/results.json")

FAILED = 1
USAGE = 2

FAILURES = (OSError, RuntimeError, TimeoutError, AssertionError, ValueError, LookupError)
"""What can go wrong in a part without spoiling the next one."""


def tell(line: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stderr.flush()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Give up the body after so many seconds; what it has started is ended by its own contexts."""

    def give_up(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"given up after {seconds:.0f} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run_part(name: str, part: Part, *, quick: bool) -> Results:
    """Run one part; return its figures or why there are none, and how busy the machine was."""
    before, began = os.getloadavg()[0], time.monotonic()
    outcome: Results = {
        "began": results.now(),
        "commit": results.commit(),
        "load_before": before,
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        run = Run(Path(folder), quick, lambda line: tell(f"{name}: {line}"))
        try:
            with time_limit(part.limit):
                outcome["figures"] = part.measure(run)
        except FAILURES as error:
            outcome["failure"] = f"{type(error).__name__}: {error}"
            tell(f"{name}: {outcome['failure']}")
    return outcome | {"load_after": os.getloadavg()[0], "seconds": time.monotonic() - began}


def run_case(case: Case, names: Sequence[str], found: Results, output: Path) -> bool:
    """Run some parts of a case and show it; return whether all of them have figures."""
    for name in names:
        found["parts"][name] = run_part(name, case.parts[name], quick=found["quick"])
        results.write(output, found)
    figures = results.found_in(found, case)
    if figures:
        show(case.about, [*case.tables(figures), tables.goals(case.goals(figures))])
    return all(name in figures for name in names)


def show(about: str, shown: Sequence[Table]) -> None:
    """Print the tables of a case."""
    texts = [tables.as_text(table) for table in shown if table.rows]
    sys.stdout.write("\n\n".join([f"\n{about}\n{'=' * len(about)}", *texts]) + "\n")
    sys.stdout.flush()


def chosen(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the parts of each case that are meant by some names; none means all."""
    wanted = {
        case: [
            part for part in found.parts if not names or any(means(name, part) for name in names)
        ]
        for case, found in CASES.items()
    }
    return {case: parts for case, parts in wanted.items() if parts}


def means(name: str, part: str) -> bool:
    """Whether a name is a part's, or its begin up to a hyphen: `scale`, `scale-ws`."""
    return f"{part}-".startswith(f"{name}-")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse arguments."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure the monitor.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a case, or a part of one")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the figures go")
    return parser.parse_args(arguments)


def begin(output: Path, *, quick: bool) -> Results:
    """Return the results to add to: those in the file, if they are of the same form."""
    found = results.empty(quick=quick)
    if output.exists() and (kept := results.read(output))["quick"] == quick:
        found["parts"] = kept["parts"]
    return found


def main() -> int:
    """Run the cases that were asked for; return the exit code."""
    arguments = parse()
    parts = chosen(arguments.names)
    if not parts:
        sys.stderr.write(f"There are: {', '.join(CASES)}\n")
        return USAGE
    # Whoever ends us wants the programs ended that we started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    processes.raise_file_limit()
    found = begin(arguments.output, quick=arguments.quick)
    fine = [run_case(CASES[case], names, found, arguments.output) for case, names in parts.items()]
    tell(f"the figures are in {arguments.output}")
    return 0 if all(fine) else FAILED


if __name__ == "__main__":
    sys.exit(main())
