"""What no client can do to the loop that it shares with the probes."""

import asyncio
import logging

import pytest

from monitor.metrics.exposition import Scrape
from monitor.web import routes, server
from monitor.web.routes import CHUNK, MOST_SCRAPES
from monitor.web.server import LONGEST_LINE, MOST_CLIENTS, WebServer
from tests.component.web.servers import PATIENT, Parts, Site, until


async def raw(site: Site, request: bytes) -> bytes:
    """Send bytes, and return all that comes back until the server closes."""
    reader, writer = await site.connect()
    writer.write(request)
    async with asyncio.timeout(PATIENT):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 2 * LONGEST_LINE + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2 * LONGEST_LINE + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["long path", "long header", "many headers", "TLS", "nonsense"],
)
async def test_nonsense_is_refused_and_fills_no_log(
    site: Site, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the client's mistake, and it hears so."""
    with caplog.at_level(logging.DEBUG):
        assert b" 400 Bad Request\r\n" in await raw(site, request_)
    assert [record for record in caplog.records if record.name != "asyncio"] == []
    assert (await site.get("/-/healthy")).status == 200


async def test_a_body_is_not_read(site: Site) -> None:
    """The answer does not wait for it, and the connection ends."""
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc"
    answer = await raw(site, request)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"healthy\n")


async def test_one_client_too_many_is_told_to_come_back(site: Site) -> None:
    """And can, as soon as another one has left."""
    writers = []
    for _ in range(MOST_CLIENTS):
        _, writer = await site.connect()
        writers.append(writer)
    refused = await raw(site, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    writers.pop().close()
    await until(lambda: site.clients < MOST_CLIENTS)
    assert (await site.get("/-/healthy")).status == 200
    for writer in writers:
        writer.close()


async def test_too_many_scrapes_at_a_time_are_refused(site: Site) -> None:
    """Each holds a page; the others may come again when those are answered."""
    gate = asyncio.Event()
    waiting = asyncio.Semaphore(0)

    async def scrape(*_: str | None) -> Scrape:
        waiting.release()
        await gate.wait()
        return Scrape(b"page", "text/plain", None)

    site.parts.scrape = scrape
    scrapes = [asyncio.create_task(site.get("/metrics")) for _ in range(MOST_SCRAPES)]
    async with asyncio.timeout(PATIENT):
        for _ in scrapes:
            await waiting.acquire()
    refused = await site.get("/metrics")
    assert (refused.status, refused.text) == (503, "too many scrapes at a time\n")
    gate.set()
    assert {answer.text for answer in await asyncio.gather(*scrapes)} == {"page"}
    assert (await site.get("/metrics")).text == "page"


async def test_a_client_that_does_not_read_is_cut_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would hold a page for ever."""
    monkeypatch.setattr(routes, "SEND_DEADLINE", 0.2)
    size = 64 * 1024 * 1024

    async def scrape(*_: str | None) -> Scrape:
        return Scrape(bytes(size), "text/plain", None)

    site.parts.scrape = scrape
    reader, writer = await site.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a transport for both ways
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: site.clients == 1)
    await until(lambda: site.clients == 0)
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(PATIENT):
        assert len(await reader.read()) < size
    writer.close()


async def test_others_get_their_turn_while_a_large_page_is_sent(site: Site) -> None:
    """At least one for every bit of it."""
    chunks = 100

    async def scrape(*_: str | None) -> Scrape:
        return Scrape(bytes(chunks * CHUNK), "text/plain", None)

    site.parts.scrape = scrape
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(watch())
    await site.get("/metrics")
    task.cancel()
    assert turns >= chunks


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHos"], ids=["nothing", "half a header"])
async def test_a_client_that_keeps_silent_is_closed(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place is for others."""
    monkeypatch.setattr(server, "PATIENCE", 0.1)
    web_server = WebServer(Parts().for_server(), "127.0.0.1", 0)
    await web_server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", web_server.port)
    writer.write(sent)
    async with asyncio.timeout(PATIENT):
        assert await reader.read() == b""
    writer.close()
    await web_server.stop()
