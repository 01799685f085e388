"""The webhook that Alertmanager calls, and what it was told: who fired, and when it was over."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Episode:
    """One alert from its first notification to that of its end; monotonic seconds."""

    labels: Mapping[str, str]
    told: float
    ended: float | None = None

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.labels["alertname"]


class Receiver:
    """Listens on a free port of 127.0.0.1 and keeps a list of episodes."""

    def __init__(self) -> None:
        self._episodes: dict[tuple[str, str], Episode] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/", self._hear)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def episodes(self) -> Iterator[Episode]:
        """Return what was told, in the order of the first word of it."""
        yield from self._episodes.values()

    async def _hear(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        notification = await request.json()
        for alert in notification["alerts"]:
            self._note(alert, now)
        return web.Response()

    def _note(self, alert: Mapping[str, Any], now: float) -> None:
        key = (alert["fingerprint"], alert["startsAt"])
        over = alert["status"] == "resolved"
        if over and key not in self._episodes:
            return
        episode = self._episodes.setdefault(key, Episode(alert["labels"], now))
        if over and episode.ended is None:
            episode.ended = now
