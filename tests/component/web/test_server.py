"""Starting and stopping."""

import asyncio
import socket

import aiohttp
import pytest

from monitor.metrics.exposition import Scrape
from monitor.web import server
from monitor.web.server import WebServer
from tests.component.web.servers import PATIENT, Parts, Site, scrape_of


def new_server(host: str = "127.0.0.1", port: int = 0) -> WebServer:
    """Return a server that is not started."""
    return WebServer(Parts().for_server(), host, port)


def loopbacks() -> list[str]:
    """Return the loopback addresses of this machine: some containers have no IPv6 one."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return ["127.0.0.1", "::1"]
    except OSError:
        return ["127.0.0.1"]


async def test_a_free_port_is_told_once_started() -> None:
    """Before, the port is what was asked for."""
    web_server = new_server()
    assert web_server.port == 0
    await web_server.start()
    assert web_server.port > 0
    await web_server.stop()


async def test_a_port_that_is_taken_is_an_error(site: Site) -> None:
    """For the caller to tell, and nothing is left running."""
    with pytest.raises(OSError, match="address already in use"):
        await new_server(port=site.server.port).start()


async def test_an_address_that_is_not_ours_is_an_error() -> None:
    """Also one that cannot be resolved."""
    with pytest.raises(OSError, match=r"assign|could not bind"):  # from Python 3.13 on
        await new_server("192.0.2.1").start()


async def test_no_host_means_every_address() -> None:
    """On one port, of both kinds where there are both."""
    web_server = new_server("")
    await web_server.start()
    for address in loopbacks():
        with socket.create_connection((address, web_server.port), timeout=PATIENT) as client:
            assert client.getpeername()[:2] == (address, web_server.port)
    await web_server.stop()


async def test_a_taken_port_is_an_error_on_every_address_too(site: Site) -> None:
    """As on one address."""
    with pytest.raises(OSError, match="ddress already in use"):
        await new_server("", site.server.port).start()


async def test_a_stopped_server_takes_no_connection() -> None:
    """And closes those that are idle."""
    web_server = new_server()
    await web_server.start()
    port = web_server.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await web_server.stop()
    async with asyncio.timeout(PATIENT):
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_server_that_was_not_started_can_be_stopped() -> None:
    """Whoever cleans up need not know."""
    web_server = new_server()
    await web_server.stop()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", web_server.port or 1)


class TestGrace:
    """Answers under way when the server stops."""

    async def stopped_during_a_scrape(
        self, monkeypatch: pytest.MonkeyPatch, *, grace: float, finish: bool
    ) -> str | None:
        """Stop a server during a scrape; return what the client got."""
        monkeypatch.setattr(server, "STOP_GRACE", grace)
        begun, gate = asyncio.Event(), asyncio.Event()

        async def scrape(*_: str | None) -> Scrape:
            begun.set()
            await gate.wait()
            return scrape_of(b"the last page", "text/plain", None)

        web_server = WebServer(Parts(scrape=scrape).for_server(), "127.0.0.1", 0)
        await web_server.start()

        async def ask() -> str | None:
            url = f"http://127.0.0.1:{web_server.port}/metrics"
            try:
                async with aiohttp.ClientSession() as http, http.get(url) as response:
                    return await response.text()
            except aiohttp.ClientError:
                return None

        asked = asyncio.create_task(ask())
        async with asyncio.timeout(PATIENT):
            await begun.wait()
            stopped = asyncio.create_task(web_server.stop())
            await asyncio.sleep(0)
            if finish:
                gate.set()
            await stopped
            return await asked

    async def test_an_answer_under_way_is_finished(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A last scrape is worth a moment."""
        page = await self.stopped_during_a_scrape(monkeypatch, grace=PATIENT, finish=True)
        assert page == "the last page"

    async def test_one_that_takes_too_long_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The process must end."""
        page = await self.stopped_during_a_scrape(monkeypatch, grace=0.1, finish=False)
        assert page is None
