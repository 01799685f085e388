"""What no client can do to the loop that it shares with the probes."""

import asyncio
import logging

import pytest

from monitor.core.refusals import Refusal
from monitor.metrics.exposition import Scrape
from monitor.web import entrance, routes
from monitor.web.entrance import LARGEST_REQUEST, MOST_CONNECTIONS, MOST_CONNECTIONS_EACH
from monitor.web.routes import CHUNK, MOST_SCRAPES, MOST_SCRAPES_EACH
from monitor.web.server import LONGEST_LINE
from monitor.web.shares import Pace
from tests.component.web.servers import PATIENT, Site, rest_of, scrape_of, until


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


async def test_one_connection_too_many_is_told_to_come_back(site: Site) -> None:
    """And can, as soon as another one has left."""
    writers = []
    for number in range(MOST_CONNECTIONS):
        _, writer = await site.connect(f"127.0.1.{number}")
        writers.append(writer)
    await until(lambda: site.clients == MOST_CONNECTIONS)
    assert await refusal(site, "127.0.0.1")
    writers.pop().close()
    await until(lambda: site.clients < MOST_CONNECTIONS)
    assert (await site.get("/-/healthy")).status == 200
    for writer in writers:
        writer.close()


async def test_a_few_clients_cannot_take_all_places(site: Site) -> None:
    """Whoever has the most connections gives one up for one who has none."""
    streams = [
        await site.connect(f"127.0.1.{number // MOST_CONNECTIONS_EACH}")
        for number in range(MOST_CONNECTIONS)
    ]
    await until(lambda: site.clients == MOST_CONNECTIONS)
    assert (await site.get("/-/healthy")).status == 200
    assert site.parts.refused == [Refusal.CONNECTIONS]
    assert site.clients == MOST_CONNECTIONS
    for _, writer in streams:
        writer.close()


async def test_one_client_cannot_take_all_places(site: Site) -> None:
    """There are some left for the one that scrapes."""
    writers = []
    for _ in range(MOST_CONNECTIONS_EACH):
        _, writer = await site.connect("127.0.0.2")
        writers.append(writer)
    assert await refusal(site, "127.0.0.2")
    assert (await site.get("/-/healthy")).status == 200
    for writer in writers:
        writer.close()


async def refusal(site: Site, client: str) -> bool:
    """Return whether a client is refused for having too many connections."""
    before = site.parts.refused.count(Refusal.CONNECTIONS)
    reader, writer = await site.connect(client)
    async with asyncio.timeout(PATIENT):
        answer = await reader.read()
    writer.close()
    after = site.parts.refused.count(Refusal.CONNECTIONS)
    return answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") and after == before + 1


async def test_too_many_scrapes_at_a_time_are_refused(site: Site) -> None:
    """Each holds a page; the others may come again when those are answered."""
    gate = asyncio.Event()
    waiting = asyncio.Semaphore(0)

    async def scrape(*_: str | None) -> Scrape:
        waiting.release()
        await gate.wait()
        return scrape_of(b"page", "text/plain", None)

    site.parts.scrape = scrape
    scrapes = []
    for client in ("127.0.0.2", "127.0.0.3"):
        assert MOST_SCRAPES == 2 * MOST_SCRAPES_EACH
        for _ in range(MOST_SCRAPES_EACH):
            scrapes.append(await scraping(site, client))
            async with asyncio.timeout(PATIENT):
                await waiting.acquire()
        if len(scrapes) < MOST_SCRAPES:
            # This client has its share; there is room for others.
            reader, writer = await scraping(site, client)
            refused = await reader.readline()
            writer.close()
            assert refused == b"HTTP/1.1 503 Service Unavailable\r\n"
    # Who has the most gives one up.
    newcomer = asyncio.create_task(site.get("/metrics"))
    async with asyncio.timeout(PATIENT):
        await waiting.acquire()
    reader, writer = scrapes.pop(MOST_SCRAPES_EACH - 1)
    assert await rest_of(reader) == b""
    writer.close()
    assert site.parts.refused == [Refusal.BUSY] * 2
    gate.set()
    for reader, writer in scrapes:
        async with asyncio.timeout(PATIENT):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
    assert (await newcomer).text == "page"


async def scraping(site: Site, client: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a scrape as the client of this address."""
    reader, writer = await site.connect(client)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    return reader, writer


async def test_a_client_that_does_not_read_is_cut_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would hold a page for ever."""
    monkeypatch.setattr(routes, "SEND_DEADLINE", 0.2)
    size = 64 * 1024 * 1024

    async def scrape(*_: str | None) -> Scrape:
        return scrape_of(bytes(size), "text/plain", None)

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
        return scrape_of(bytes(chunks * CHUNK), "text/plain", None)

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
    site: Site, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place is for others."""
    monkeypatch.setattr(entrance, "REQUEST_DEADLINE", 0.1)
    reader, writer = await site.connect()
    writer.write(sent)
    assert await rest_of(reader) == b""
    assert site.parts.refused == [Refusal.SLOW]
    writer.close()


async def test_a_request_that_trickles_in_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However regularly its bytes come: the whole of it has a deadline."""
    monkeypatch.setattr(entrance, "REQUEST_DEADLINE", 0.5)
    reader, writer = await site.connect()

    async def trickle() -> None:
        while True:
            writer.write(b"X")
            await asyncio.sleep(0.02)

    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    trickling = asyncio.create_task(trickle())
    assert await rest_of(reader) == b""
    trickling.cancel()
    assert site.parts.refused == [Refusal.SLOW]
    writer.close()


async def test_a_connection_may_rest_between_requests(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scraper keeps its own for the next minute's scrape, and then has its time again."""
    monkeypatch.setattr(entrance, "REQUEST_DEADLINE", 0.2)
    reader, writer = await site.connect()
    for _ in range(2):
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENT):
            assert await reader.readuntil(b"healthy\n")
        await asyncio.sleep(0.4)
    writer.write(b"G")
    assert await rest_of(reader) == b""
    assert site.parts.refused == [Refusal.SLOW]
    writer.close()


async def test_a_request_that_never_ends_is_closed(site: Site) -> None:
    """However short each of its lines is."""
    reader, writer = await site.connect()
    line = b"X-%d: " + b"y" * 1000 + b"\r\n"
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    for number in range(2 * LARGEST_REQUEST // 1000):
        writer.write(line % number)
    assert await rest_of(reader) == b""
    assert site.parts.refused == [Refusal.SIZE]
    writer.close()


async def test_a_client_in_a_hurry_waits_for_its_turn(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one does not."""
    monkeypatch.setattr(site.server._entrance, "pace", Pace(per_second=0.01, burst=2))
    reader, writer = await site.connect("127.0.0.2")
    writer.write(2 * b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(PATIENT):
        await reader.readuntil(b"healthy\n")
    assert (await site.get("/-/healthy")).status == 200
    assert reader._buffer == b""  # type: ignore[attr-defined]
    late, other = await site.connect("127.0.0.2")
    other.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await late.read(1)
    for stream in (writer, other):
        stream.close()
