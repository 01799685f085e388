"""A file with one line for every heartbeat: for comparing our figures with another witness.

Each line is `unix_seconds probe mode outcome rtt`: when the echo arrived or the deadline passed,
and the round trip in seconds, `-` where there is none. Not for everyday use: it only grows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from monitor.core.events import Echoed, Event, Late, Missed

OUTCOMES: dict[type, str] = {Echoed: "echoed", Late: "late", Missed: "missed"}


class Trace:
    """Writes to one file for all probes.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w")
        # Taken once, so that a step of the wall clock does not tear the trace apart.
        self._epoch = time.time() - time.monotonic()

    def of(self, probe: str) -> Callable[[Event], None]:
        """Return the sink for one probe's events."""

        def sink(event: Event) -> None:
            if isinstance(event, Echoed | Late | Missed):
                rtt = getattr(event, "rtt", None)
                shown = "-" if rtt is None else f"{rtt:.7f}"
                self._file.write(
                    f"{self._epoch + event.at:.7f} {probe} {event.mode.value} "
                    f"{OUTCOMES[type(event)]} {shown}\n"
                )

        return sink

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
