"""The page about performance: what is measured on it comes from the results, and from nowhere else.

    python -m benchmarks.report [RESULTS]

takes RESULTS into `docs/performance.json`, draws the pictures, and writes the tables into
`docs/performance.md`, between the marks `<!-- figures: CASE -->` and `<!-- end -->`. What stands
outside of the marks is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks import results, tables
from benchmarks.cases import CASES
from benchmarks.results import Results
from benchmarks.run import Goal, Table

DOCS = Path(__file__).parents[1] / "docs"
PAGE, KEPT, IMAGES = DOCS / "performance.md", DOCS / "performance.json", DOCS / "images"

MARKED = re.compile(r"(<!-- figures: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str, found: Results) -> str:
    """Return the page with all that stands between marks written anew."""

    def write(match: re.Match[str]) -> str:
        return f"{match[1]}\n{section(match[2], found)}\n\n{match[3]}"

    return MARKED.sub(write, page)


def section(name: str, found: Results) -> str:
    """Return what stands between two marks."""
    if name == "machine":
        return tables.as_markdown(machine_table(found))
    if name == "goals":
        return tables.as_markdown(tables.goals(all_goals(found)))
    case = CASES[name]
    figures = results.found_in(found, case)
    if not figures:
        return "Not measured in this run."
    shown = [tables.as_markdown(table) for table in case.tables(figures)]
    return "\n\n".join([*shown, disturbance(name, found)])


def disturbance(name: str, found: Results) -> str:
    """Say how busy the machine was before each part of a case began and when it had ended."""
    parts = [found["parts"][part] for part in CASES[name].parts if part in found["parts"]]
    before = [part["load_before"] for part in parts]
    after = [part["load_after"] for part in parts]
    return (
        f"Load average (one minute) before each part {min(before):.1f} to {max(before):.1f}, "
        f"after it {min(after):.1f} to {max(after):.1f}."
    )


def all_goals(found: Results) -> list[Goal]:
    """Return the goals of all cases that were measured."""
    return [
        goal
        for case in CASES.values()
        if (figures := results.found_in(found, case))
        for goal in case.goals(figures)
    ]


def machine_table(found: Results) -> Table:
    """Return what it ran on."""
    machine = found["machine"]
    parts = found["parts"].values()
    began = sorted(part["began"] for part in parts)
    commits = sorted({part["commit"] for part in parts})
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    return Table(
        ("the run", ""),
        [
            ("form", "quick" if found["quick"] else "full"),
            ("first and last case begun", f"{began[0]}, {began[-1]}"),
            ("commit", ", ".join(commits)),
            ("processors", f"{machine['processors']}, {machine['processor']}"),
            ("memory", f"{machine['memory_gib']} GiB"),
            ("kernel", machine["kernel"]),
            ("Python", machine["python"]),
            ("Node.js", machine["node"]),
            ("libraries", libraries),
        ],
    )


def main() -> None:
    """Bring the page up to date."""
    found = results.read(Path(sys.argv[1]) if sys.argv[1:] else KEPT)
    results.write(KEPT, found)
    for case in CASES.values():
        if figures := results.found_in(found, case):
            case.plots(figures, IMAGES)
    PAGE.write_text(written(PAGE.read_text(), found))


if __name__ == "__main__":
    main()
