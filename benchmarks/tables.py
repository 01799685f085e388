"""Tables as text for a terminal of 80 columns, and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchmarks.run import Goal, Table

WIDTH = 80
GAP = "  "


def as_text(table: Table) -> str:
    """Return a table with aligned columns; headings that are too wide are broken at blanks."""
    widths = column_widths(table)
    head = [
        textwrap.wrap(name, width) or [""] for name, width in zip(table.header, widths, strict=True)
    ]
    deep = max(map(len, head))
    padded = [[""] * (deep - len(lines)) + lines for lines in head]
    lines = [list(row) for row in zip(*padded, strict=True)]
    lines.append(["-" * width for width in widths])
    return "\n".join(align(line, widths) for line in [*lines, *map(list, table.rows)])


def column_widths(table: Table) -> list[int]:
    """Return the width of each column: what is in it, and each word of its heading."""
    return [
        max(
            *(len(row[index]) for row in table.rows),
            *(len(word) for word in name.split()),
            0,
        )
        for index, name in enumerate(table.header)
    ]


def align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Put cells beside each other, the first to the left, the others to the right."""
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return GAP.join(padded).rstrip()


def as_markdown(table: Table) -> str:
    """Return a table in Markdown."""
    rule = ["---", *("---:" for _ in table.header[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (table.header, rule, *table.rows))


def goals(found: Sequence[Goal]) -> Table:
    """Return goals as a table."""
    return Table(
        ("what was to be reached", "goal", "got", "reached"),
        [
            (
                goal.what,
                f"{'≥' if goal.at_least else '≤'} {shown(goal.limit, goal.digits, goal.unit)}",
                shown(goal.got, goal.digits, goal.unit),
                "yes" if goal.reached else "no",
            )
            for goal in found
        ],
    )


def shown(value: float, digits: int, unit: str) -> str:
    """Return a value with its unit; whole numbers have no digits after the point."""
    digits = 0 if value == int(value) else digits
    return f"{value:,.{digits}f} {unit}".rstrip()
