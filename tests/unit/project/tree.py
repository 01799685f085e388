"""The project's own files, as the tests beside this module see them."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git tracks and that is there, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listing.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def markdown_files() -> list[Path]:
    """Every tracked page."""
    return [path for path in tracked_files() if path.suffix == ".md"]


def name_of(path: Path) -> str:
    """A path as people write it: from the project's root."""
    return path.relative_to(ROOT).as_posix()
