"""How long to wait before the next connect attempt.

Exponential with full jitter. The exponent falls back to zero only after a connection has been
ready for `stable_after` seconds, so a peer that accepts and then closes is not hammered
(RFC 6455 section 7.2.3). What the peer asks for is honoured: `Retry-After`, and the close codes
1012 (service restart) and 1013 (try again later).
"""

from __future__ import annotations

from dataclasses import dataclass

RETRY_AFTER_LIMIT = 3600.0
"""Longest `Retry-After` that is honoured, in seconds."""

ASKED_TO_WAIT = {1012: (5.0, 30.0), 1013: (30.0, 60.0)}
"""Close code to the range of seconds within which the peer asks clients to come back."""


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """`base` and `cap` bound the wait, in seconds; `stable_after` forgives the past."""

    base: float
    cap: float
    stable_after: float


class Backoff:
    """The waits of one probe. Chance comes in as a number in [0, 1)."""

    def __init__(self, policy: BackoffPolicy) -> None:
        self._policy = policy
        self._ceiling = policy.base
        self.failures = 0

    def after_failure(self, chance: float, *, retry_after: float = 0.0) -> float:
        """Return the seconds to wait after a failed connect."""
        wait = self._jittered(chance, floor=0.0)
        return max(wait, min(retry_after, RETRY_AFTER_LIMIT))

    def after_connection(self, chance: float, *, ready_for: float, code: int) -> float:
        """Return the seconds to wait after an open connection that was ready for some seconds."""
        if ready_for >= self._policy.stable_after:
            self._ceiling = self._policy.base
            self.failures = 0
            floor = 0.0
        else:
            floor = self._policy.base / 2
        wait = self._jittered(chance, floor=floor)
        earliest, latest = ASKED_TO_WAIT.get(code, (0.0, 0.0))
        asked = earliest + (latest - earliest) * chance
        return max(wait, min(asked, self._policy.cap))

    def _jittered(self, chance: float, *, floor: float) -> float:
        ceiling = min(self._ceiling, self._policy.cap)
        self._ceiling = ceiling * 2
        self.failures += 1
        return floor + max(ceiling - floor, 0.0) * chance
