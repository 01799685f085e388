"""Lines in, lines out: how a case talks to a program that it has started."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def obey(take: Callable[[str], str]) -> None:
    """Answer each line on standard input with what `take` returns, in the running loop.

    Whoever asks waits for the answer before asking again, so a line never hides behind another.
    Once nobody is there to ask any more, the program ends.
    """
    loop = asyncio.get_running_loop()

    def answer() -> None:
        line = sys.stdin.readline()
        if not line:
            sys.exit()
        say(take(line.strip()))

    # Started without anybody to ask, its input is /dev/null, which epoll refuses to wait for.
    with contextlib.suppress(PermissionError):
        loop.add_reader(sys.stdin, answer)
