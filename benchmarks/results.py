"""What was measured, in one JSON file: the machine, the code, and the figures of each part.

The file is written after every part, so that a run that is cut short leaves what it has.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.run import Case, Found

Results = dict[str, Any]

LIBRARIES = ("websockets", "apscheduler", "prometheus-client", "aiohttp")


def empty(*, quick: bool) -> Results:
    """Return the results of a run that has not measured anything yet."""
    return {
        "quick": quick,
        "machine": machine(),
        "parts": {},
    }


def now() -> str:
    """Return the time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit() -> str:
    """Return the commit that is measured, and whether files differ from it."""
    changed = said("git", "status", "--porcelain", "--", "monitor", "benchmarks")
    return said("git", "rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")


def machine() -> dict[str, Any]:
    """Return what it ran on."""
    cpu = Path("/proc/cpuinfo").read_text().partition("model name")[2]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processors": len(os.sched_getaffinity(0)),
        "processor": cpu.partition(":")[2].partition("\n")[0].strip(),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "node": said("node", "--version").removeprefix("v"),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def said(*command: str) -> str:
    """Return what a command says; nothing if it is not there or fails."""
    try:
        found = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


def read(path: Path) -> Results:
    """Read results."""
    results: Results = json.loads(path.read_text())
    return results


def write(path: Path, results: Results) -> None:
    """Write results; whoever reads the file meanwhile sees the old ones or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    draft.replace(path)


def found_in(results: Results, case: Case) -> Found:
    """Return the figures of those parts of a case that were measured, in the case's order."""
    parts: Mapping[str, Any] = results["parts"]
    return {name: parts[name]["figures"] for name in case.parts if "figures" in parts.get(name, {})}
