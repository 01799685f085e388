"""That a connection be made: now, or in a while, and what for."""

from __future__ import annotations

import asyncio


class Wish:
    """At most one wish at a time; a newer one takes the place of an older one.

    Attributes:
        made: completes when it is time to act on the wish.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.made: asyncio.Future[str] = self._loop.create_future()

    def now(self, cause: str) -> None:
        """Wish it at once."""
        self.cancel()
        self.made.set_result(cause)

    def later(self, delay: float, cause: str) -> None:
        """Wish it in so many seconds, unless something else is wished before."""
        if self.made.done():
            return
        self.cancel()
        self._timer = self._loop.call_later(delay, self.now, cause)

    def cancel(self) -> None:
        """Wish nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.made.done():
            self.made = self._loop.create_future()

    def take(self) -> str:
        """Return what was wished; it is being acted on."""
        cause = self.made.result()
        self.cancel()
        return cause
