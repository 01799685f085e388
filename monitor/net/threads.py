"""Calls that may block for long, each in a thread of its own that holds up nobody's exit."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


async def in_daemon(name: str, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises.

    Whoever gives up waiting leaves the thread to its call. It is a daemon: it does not hold up the
    exit, as one of an executor would.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            tell(answer.set_exception, error)
        else:
            tell(answer.set_result, result)

    def tell(how: Callable[[U], None], what: U) -> None:
        # The loop may be gone by now, and whoever waited too.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if answer.done() else how(what))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await answer
