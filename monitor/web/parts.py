"""What the web layer needs from the rest, as plain callables, so that it knows none of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from monitor.core.refusals import Refusal
from monitor.metrics.exposition import Scrape


@dataclass(frozen=True, slots=True)
class Overview:
    """What the landing page tells: the version, how many probes there are, how many are up."""

    version: str
    probes: int
    up: int


@dataclass(frozen=True, slots=True)
class WebParts:
    """Where the pages get what they show.

    `scrape` takes the headers Accept and Accept-Encoding. `unhealthy` and `ready` return None when
    all is well, and one line that says why when it is not. `config` returns the config as it may be
    shown, in pieces. `refused` is told of each client that is turned away. `reload` reads the
    config again and returns what is wrong with it, a line each; None where nobody may ask for it.
    """

    scrape: Callable[[str | None, str | None], Awaitable[Scrape]]
    unhealthy: Callable[[], str | None]
    ready: Callable[[], str | None]
    overview: Callable[[], Overview]
    config: Callable[[], Iterator[str]]
    refused: Callable[[Refusal], None]
    reload: Callable[[], Awaitable[list[str]]] | None = None
