"""What a case is, and what it is given and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
"""What a part found, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a part is given: a folder for its files, its size, and whom to tell how far it is."""

    folder: Path
    quick: bool
    tell: Callable[[str], None]

    def size(self, full: float, quick: float) -> float:
        """Choose between the sizes of the two forms."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Part:
    """One measurement, and the seconds after which it is given up."""

    measure: Callable[[Run], Figures]
    limit: float = 240.0


@dataclass(frozen=True, slots=True)
class Table:
    """Figures to read."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What was to be reached, and how far it got; `digits` after the point are shown."""

    what: str
    limit: float
    got: float
    unit: str = ""
    at_least: bool = False
    digits: int = 1

    @property
    def reached(self) -> bool:
        """Whether it was."""
        return self.got >= self.limit if self.at_least else self.got <= self.limit


Found = Mapping[str, Figures]
"""The figures of a case's parts, by name; those that were not measured or failed are missing."""


@dataclass(frozen=True, slots=True)
class Case:
    """One of the cases: its parts, in their order, and what is shown of what they found."""

    about: str
    parts: Mapping[str, Part]
    tables: Callable[[Found], list[Table]]
    goals: Callable[[Found], list[Goal]]
    plots: Callable[[Found, Path], list[str]] = field(default=lambda _found, _folder: [])
