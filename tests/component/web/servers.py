"""A web server on loopback whose parts a test can turn."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from monitor.core.refusals import Refusal
from monitor.metrics.exposition import Scrape
from monitor.metrics.pages import Packing, pack
from monitor.web.server import Overview, WebParts, WebServer

PATIENT = 10.0
"""Seconds to wait for what must happen."""


def scrape_of(body: bytes, content_type: str, content_encoding: str | None) -> Scrape:
    """Return a scrape of a page that reads so."""
    packing = Packing()
    packing.take(pack(body))
    return Scrape(packing.finish(), content_type, content_encoding)


async def a_scrape(accept: str | None, accept_encoding: str | None) -> Scrape:
    """Return a page that says what was asked for."""
    return scrape_of(f"{accept} {accept_encoding}\n".encode(), "text/plain; version=0.0.4", None)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come true."""
    async with asyncio.timeout(PATIENT):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection ends, in whatever way it does."""
    async with asyncio.timeout(PATIENT):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@dataclass
class Parts:
    """What the server shows."""

    scrape: Callable[[str | None, str | None], Awaitable[Scrape]] = a_scrape
    unhealthy: str | None = None
    unready: str | None = None
    config: list[str] = field(default_factory=lambda: ["probes:\n", "- name: chat\n"])
    refused: list[Refusal] = field(default_factory=list)
    problems: list[str] | None = None
    """What comes of a reload; None where nobody may ask for one when the server starts."""
    reloads: int = 0
    overview: Overview = field(default_factory=lambda: Overview("1.2.3", probes=3, up=2))

    async def _scrape(self, accept: str | None, accept_encoding: str | None) -> Scrape:
        return await self.scrape(accept, accept_encoding)

    async def _reload(self) -> list[str]:
        self.reloads += 1
        return self.problems or []

    def for_server(self) -> WebParts:
        """Return callables that read what is set now."""
        return WebParts(
            scrape=self._scrape,
            unhealthy=lambda: self.unhealthy,
            ready=lambda: self.unready,
            overview=lambda: self.overview,
            config=lambda: iter(self.config),
            refused=self.refused.append,
            reload=None if self.problems is None else self._reload,
        )


@dataclass(frozen=True)
class Answer:
    """A response that was read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass
class Site:
    """A running server, its parts, and a client."""

    server: WebServer
    parts: Parts
    http: aiohttp.ClientSession

    @property
    def clients(self) -> int:
        """How many connections the server has open."""
        server = self.server._runner.server
        return 0 if server is None else len(server.connections)

    async def ask(self, method: str, path: str, **options: object) -> Answer:
        """Send a request and read the answer."""
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with asyncio.timeout(PATIENT):
            async with self.http.request(method, url, **options) as response:  # type: ignore[arg-type]
                return Answer(response.status, dict(response.headers), await response.read())

    async def get(self, path: str, **options: object) -> Answer:
        """Get a page."""
        return await self.ask("GET", path, **options)

    async def connect(
        self, client: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection that sends nothing by itself, as the client of this address."""
        return await asyncio.open_connection("127.0.0.1", self.server.port, local_addr=(client, 0))
