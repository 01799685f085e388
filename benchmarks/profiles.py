"""Where the monitor's CPU time goes, and its memory, by component.

The program is looked at every so many milliseconds of its CPU time. What a component's own code
takes in the interpreter, and in the C functions and system calls that it makes, is its share.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Mapping

SENDING, RECEIVING = "send system call", "receive system call, time stamp"
WAITING = "waiting for sockets (epoll)"
REST = "Python's library, other"

COLLECTING = "the garbage collector"
OUTSIDE = "outside of Python: TLS, allocator"

COMPONENTS: Mapping[str, str] = {
    r"note_pauses": COLLECTING,
    r"StampedSocket.send monitor/": SENDING,
    r"StampedSocket.\S+ monitor/": RECEIVING,
    r"\S+ monitor/net/kernel_stamps": RECEIVING,
    r"\S+ monitor/net/loop_watch": WAITING,
    r"\S+ selectors": WAITING,
    r"__create_fn__": "making our events (dataclasses)",
    r"\S+ monitor/net/": "our connection",
    r"\S+ monitor/probing/": "our beats and their deadlines",
    r"\S+ monitor/core/": "our books",
    r"\S+ monitor/dialects/": "our dialects",
    r"\S+ monitor/(metrics|web)/": "our metrics, scrapes included",
    r"\S+ monitor/config/": "the config, as it was read",
    r"\S+ monitor/": "our log and wiring",
    r"\S+ apscheduler/": "apscheduler",
    r"\S+ websockets/": "websockets",
    r"\S+ pydantic": "the config, as it was read",
    r"\S+ asyncio/": "asyncio",
}
"""By the innermost function and its file. The first that fits is taken."""

LIBRARY = re.compile(r"\S*/(?:site-packages|python3\.\d+)/|\S*/(?=monitor/)")
"""What stands before a file's place in its package."""


def shares(frames: Mapping[str, int]) -> dict[str, float]:
    """Return the share of each component in all samples."""
    counts: collections.Counter[str] = collections.Counter()
    for frame, count in frames.items():
        counts[component(frame)] += count
    whole = max(sum(counts.values()), 1)
    return {name: count / whole for name, count in counts.items()}


def component(frame: str) -> str:
    """Return the component that a frame belongs to."""
    short = LIBRARY.sub("", frame)
    return next((name for pattern, name in COMPONENTS.items() if re.match(pattern, short)), REST)


MOST = 12
"""Functions that are told by their names."""


def functions(frames: Mapping[str, int]) -> dict[str, float]:
    """Return the shares of the functions that take most, the greatest first."""
    whole = max(sum(frames.values()), 1)
    found = collections.Counter(frames).most_common(MOST)
    shares = {
        LIBRARY.sub("", frame).replace(" ", " in ", 1): count / whole for frame, count in found
    }
    return shares | {"all others": 1 - sum(shares.values())}


def held(files: Mapping[str, int]) -> dict[str, float]:
    """Return the bytes that each component holds, given those of each file."""
    counts: collections.Counter[str] = collections.Counter()
    for file, size in files.items():
        counts[component(f"- {file}")] += size
    return dict(counts)
