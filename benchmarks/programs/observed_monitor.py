"""The real program, with notes taken of what only its own process can see.

    python -m benchmarks.programs.observed_monitor NOTES KINDS ARGUMENT...

runs `ws-monitor ARGUMENT...` and writes JSON to NOTES when it ends. KINDS are words with commas:

    gc        each pause of the garbage collector: when it began, seconds, generation
    holds     each stretch of a millisecond or more in which the loop did not look at its sockets:
              when it began, seconds, seconds of CPU time in it
    connects  when each connect was begun
    stacks    the innermost function and its file every few milliseconds of CPU time, from SIGUSR1
              to SIGUSR2, with how often it was found there
    memory    at SIGUSR1, the bytes that each file's code has allocated and that are still in use
    plain-gc  nothing is noted; the collector stays as Python sets it, whatever the program wants

Times are monotonic seconds.
"""

from __future__ import annotations

import collections
import gc
import json
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from monitor import app
from monitor.net.loop_watch import LoopWatch

LONG = 0.001
"""Seconds from which a stretch is noted."""

CPU_STEP = 0.002
"""Seconds of CPU time between two looks at where the program is."""

Notes = dict[str, Any]


def note_pauses(notes: Notes) -> None:
    """Note the collector's pauses."""
    pauses = notes.setdefault("gc", [])
    began = 0.0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.monotonic()
        else:
            pauses.append((began, time.monotonic() - began, info["generation"]))

    gc.callbacks.append(note)


def note_holds(notes: Notes) -> None:
    """Note how long the loop was held."""
    holds = notes.setdefault("holds", [])

    class Watch(LoopWatch):
        looked = time.monotonic()
        cpu = 0.0

        def select(self, timeout: float | None = None) -> Any:
            held = time.monotonic() - self.looked
            if held >= LONG:
                holds.append((self.looked, held, time.thread_time() - self.cpu))
            ready = super().select(timeout)
            self.looked, self.cpu = time.monotonic(), time.thread_time()
            return ready

    vars(app)["LoopWatch"] = Watch


def note_connects(notes: Notes) -> None:
    """Note when connects begin."""
    connects = notes.setdefault("connects", [])

    def hear(event: str, _: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            connects.append((time.monotonic(),))

    sys.addaudithook(hear)


def note_stacks(notes: Notes) -> None:
    """Note where the CPU time goes. Sleep takes none, so what is idle is not seen."""
    stacks: collections.Counter[str] = collections.Counter()
    notes["stacks"] = stacks

    def look(_: int, frame: FrameType | None) -> None:
        if frame is not None:
            stacks[f"{frame.f_code.co_qualname} {frame.f_code.co_filename}"] += 1

    def start(*_: object) -> None:
        stacks.clear()
        signal.setitimer(signal.ITIMER_PROF, CPU_STEP, CPU_STEP)

    signal.signal(signal.SIGPROF, look)
    signal.signal(signal.SIGUSR1, start)
    signal.signal(signal.SIGUSR2, lambda *_: signal.setitimer(signal.ITIMER_PROF, 0))


def note_memory(notes: Notes) -> None:
    """Note who holds memory. What C libraries take for themselves is not seen."""
    tracemalloc.start()

    def look(*_: object) -> None:
        gc.collect()
        held = tracemalloc.take_snapshot().statistics("filename")
        notes["memory"] = {each.traceback[0].filename: each.size for each in held}

    signal.signal(signal.SIGUSR1, look)


def keep_plain_gc(_: Notes) -> None:
    """Let nobody tune the collector."""
    for name in ("freeze", "set_threshold", "disable"):
        setattr(gc, name, lambda *_: None)


KINDS: dict[str, Callable[[Notes], None]] = {
    "gc": note_pauses,
    "holds": note_holds,
    "connects": note_connects,
    "stacks": note_stacks,
    "memory": note_memory,
    "plain-gc": keep_plain_gc,
}


def main() -> None:
    """Take notes and run."""
    path, kinds, *arguments = sys.argv[1:]
    notes: Notes = {}
    for kind in kinds.split(","):
        KINDS[kind](notes)
    from monitor.cli import main as run  # noqa: PLC0415 - what is patched comes first

    sys.argv = ["ws-monitor", *arguments]
    try:
        run()
    finally:
        Path(path).write_text(json.dumps(notes))


if __name__ == "__main__":
    main()
