"""The webhook that Alertmanager calls, and what it was told: who fired, and when it was over."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

DEAD_MANS_SWITCH = "WsMonitorDeadMansSwitch"


@dataclass(slots=True)
class Episode:
    """One alert from its first notification to that of its end; monotonic seconds."""

    labels: Mapping[str, str]
    told: float
    ended: float | None = None
    receivers: set[str] = field(default_factory=set)

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
        app.router.add_post("/{receiver}", self._hear)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def episodes(self, **labels: str) -> Iterator[Episode]:
        """Return what was told of alerts with these labels, the dead man's switch left out."""
        for episode in self._episodes.values():
            if episode.name != DEAD_MANS_SWITCH and labels.items() <= episode.labels.items():
                yield episode

    def arrived(self, name: str) -> bool:
        """Return whether there was ever word of an alert of this name."""
        return any(episode.name == name for episode in self._episodes.values())

    async def _hear(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        notification = await request.json()
        for alert in notification["alerts"]:
            self._note(alert, request.match_info["receiver"], now)
        return web.Response()

    def _note(self, alert: Mapping[str, Any], receiver: str, now: float) -> None:
        key = (alert["fingerprint"], alert["startsAt"])
        over = alert["status"] == "resolved"
        if over and key not in self._episodes:
            return
        episode = self._episodes.setdefault(key, Episode(alert["labels"], now))
        episode.receivers.add(receiver)
        if over and episode.ended is None:
            episode.ended = now
