"""Starting what may fail to start: a port that is taken is one clear line, no traceback."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from monitor.config import EmbeddedTarget, ListenAddress
from monitor.target import Target, TargetSettings


@dataclass(slots=True)
class CannotStartError(Exception):
    """A part could not start, and what to say about it."""

    detail: str


async def started(what: str, where: ListenAddress, start: Callable[[], Awaitable[None]]) -> None:
    """Start a part.

    Raises:
        CannotStartError: its address cannot be listened on.
    """
    try:
        await start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotStartError(f"{what} on {where.host}:{where.port}: {reason.lower()}") from None


@asynccontextmanager
async def embedded_target(section: EmbeddedTarget) -> AsyncIterator[None]:
    """Run the embedded target. Without a key of the user's, it gets a random one.

    Raises:
        CannotStartError: its address cannot be listened on.
    """
    if section.api_key.env is not None and section.api_key.env not in os.environ:
        os.environ[section.api_key.env] = _random_api_key()
    target = Target(
        TargetSettings(
            host=section.listen.host,
            port=section.listen.port,
            control_host=section.control.host if section.control else "127.0.0.1",
            control_port=section.control.port if section.control else None,
            api_key=section.api_key.read(),
        )
    )
    await started("embedded target", section.listen, target.start)
    try:
        yield
    finally:
        await target.stop()


def _random_api_key() -> str:
    """Return a key that nobody else has, in the shape that Talo's keys have: three parts."""
    return ".".join(secrets.token_urlsafe(12) for _ in range(3))
