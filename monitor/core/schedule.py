"""When beats are due: slot k at `phase + k * interval`, for ever, without drift."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """An open-loop schedule in monotonic seconds; `0 <= phase < interval`."""

    interval: float
    phase: float

    def due(self, slot: int) -> float:
        """Return the time of a slot, in seconds."""
        return self.phase + slot * self.interval

    def slot_at_or_after(self, now: float) -> int:
        """Return the first slot that is not yet over at `now`."""
        slot = math.ceil((now - self.phase) / self.interval)
        # The division rounds; the multiplication in `due` is what callers compare with.
        if self.due(slot) < now:
            return slot + 1
        return slot - 1 if self.due(slot - 1) >= now else slot

    def slot_after(self, now: float) -> int:
        """Return the first slot that is still to come at `now`."""
        slot = self.slot_at_or_after(now)
        return slot + 1 if self.due(slot) <= now else slot


def stable_phase(digest: bytes, interval: float, slots: int) -> float:
    """Spread probes over an interval: always the same phase for the same digest.

    The phase is a multiple of `interval / slots`, so that many probes can share a due slot.
    """
    return int.from_bytes(digest) % slots * (interval / slots)
