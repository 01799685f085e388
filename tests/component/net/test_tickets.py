"""Tickets are bought over HTTP, each on a connection of its own; who sells none is told of so."""

import asyncio
import gzip
import socket
import time

import pytest

from monitor.core.failures import FailureReason, Phase
from monitor.net import resolver
from monitor.net.ticket import BODY_LIMIT, TicketPlan
from monitor.net.tls import TlsPlan
from tests.component.net.clients import Client
from tests.component.net.conftest import Serve, ServeAs
from tests.component.net.peers import Peer, Script, Server

TICKET = b'{"ticket": "t/1+2 3&4=5#6"}'

REFUSED = (FailureReason.TICKET, Phase.TICKET)


def sells(body: bytes = TICKET, *headers: str, status: int = 200) -> Script:
    """Answer with this."""
    lines = (f"HTTP/1.1 {status} hidden", f"Content-Length: {len(body)}", *headers)

    def script(peer: Peer) -> None:
        peer.answer(*lines, body=body)
        peer.wait_end()

    return script


def stays(peer: Peer) -> None:
    """Accept the upgrade and stay."""
    peer.upgrade()
    peer.wait_end()


def plan_at(server: Server, scheme: str = "http") -> TicketPlan:
    """Return a plan for a ticket of this server."""
    return TicketPlan(f"{scheme}://127.0.0.1:{server.port}/v1/tickets?hidden=1", "hidden.key")


async def test_a_ticket_goes_into_the_query_and_nothing_of_it_is_lost(
    serve: Serve, client: Client
) -> None:
    """Behind what stands there already, percent-encoded."""
    requests: list[str] = []

    def script(peer: Peer) -> None:
        requests.append(peer.read_request().split("\r\n")[0])
        peer.upgrade()
        peer.wait_end()

    target, seller = serve(script), serve(sells())
    for resource in ("/s", "/s?x=1"):
        dialled = await client.dial(target.port, resource=resource, ticket=plan_at(seller))
        assert next(iter(dialled.phases)) is Phase.TICKET
    query = "ticket=t%2F1%2B2%203%264%3D5%236"
    assert requests == [f"GET /s?{query} HTTP/1.1", f"GET /s?x=1&{query} HTTP/1.1"]


async def test_the_request_is_a_post_with_the_key_and_asks_for_plain_json(
    serve: Serve, client: Client
) -> None:
    """Each on a connection of its own, so that none is kept open at the seller's expense."""
    seen: list[list[str | None]] = []

    def script(peer: Peer) -> None:
        line = peer.read_request().split("\r\n")[0]
        names = ("Authorization", "Accept", "Accept-Encoding", "Connection")
        seen.append([line, *(peer.header(name) for name in names)])
        peer.send(b"HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n")
        peer.wait_end()

    seller = serve(script)
    await client.fail(1, ticket=plan_at(seller))
    assert seen == [
        [
            "POST /v1/tickets?hidden=1 HTTP/1.1",
            "Bearer hidden.key",
            "application/json",
            "identity",
            "close",
        ]
    ]


async def test_an_answer_may_come_in_pieces(serve: Serve, client: Client) -> None:
    """TCP promises no more."""

    def script(peer: Peer) -> None:
        peer.answer("HTTP/1.1 200 x", f"Content-Length: {len(TICKET)}")
        for byte in TICKET:
            time.sleep(0.002)
            peer.send(bytes([byte]))
        peer.wait_end()

    dialled = await client.dial(serve(stays).port, ticket=plan_at(serve(script)))
    assert dialled.connection.usable


async def test_an_answer_may_come_in_chunks(serve: Serve, client: Client) -> None:
    """HTTP/1.1 lets it."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in TICKET) + b"0\r\n\r\n"

    def script(peer: Peer) -> None:
        peer.answer("HTTP/1.1 200 x", "Transfer-Encoding: chunked", body=chunks)
        peer.wait_end()

    dialled = await client.dial(serve(stays).port, ticket=plan_at(serve(script)))
    assert dialled.connection.usable


async def test_a_ticket_can_be_bought_over_tls(
    serve: Serve, serve_as: ServeAs, client: Client
) -> None:
    """Verified by the same authority as the socket itself."""
    seller = serve_as(True, sells())
    dialled = await client.dial(serve(stays).port, ticket=plan_at(seller, "https"))
    assert dialled.connection.usable


async def test_a_seller_whom_nobody_vouches_for_gets_no_key(
    serve_as: ServeAs, client: Client
) -> None:
    """Nor does it get as far as to a request."""
    requests: list[str] = []
    seller = serve_as(True, lambda peer: requests.append(peer.read_request()))
    plan = plan_at(seller, "https")
    error = await client.fail(1, ticket=plan, tls=TlsPlan())
    assert (error.reason, error.phase) == REFUSED
    assert "hidden" not in error.detail
    await seller.done()
    assert requests == []


@pytest.mark.parametrize("status", [201, 204, 400, 401, 403, 404, 429, 500, 503])
async def test_a_seller_that_refuses_is_told_of_by_its_status(
    serve: Serve, client: Client, status: int
) -> None:
    """Not by its words."""
    body = b"" if status == 204 else b"hidden"
    error = await client.fail(1, ticket=plan_at(serve(sells(body, status=status))))
    assert (error.reason, error.phase) == REFUSED
    assert error.detail == f"the ticket endpoint answered HTTP {status}"
    assert error.phases == {}


@pytest.mark.parametrize("status", [429, 503])
async def test_a_seller_that_asks_for_a_pause(serve: Serve, client: Client, status: int) -> None:
    """The budget of all its customers waits for it."""
    seller = serve(sells(b"", "Retry-After: 60", status=status))
    assert (await client.fail(1, ticket=plan_at(seller))).retry_after == 60


async def test_a_redirect_is_not_followed(serve: Serve, client: Client) -> None:
    """The key is for this host alone."""
    elsewhere = serve(sells())
    location = f"Location: http://127.0.0.1:{elsewhere.port}/hidden"
    error = await client.fail(1, ticket=plan_at(serve(sells(b"", location, status=307))))
    assert error.detail == "the ticket endpoint answered HTTP 307"
    assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "script",
    [
        sells(b"hidden"),
        sells(b'{"hidden": 1}'),
        sells(b'{"ticket": 5}'),
        sells(b'{"ticket": "' + b"x" * BODY_LIMIT + b'"}'),
        sells(gzip.compress(TICKET), "Content-Encoding: gzip"),
    ],
    ids=["no JSON", "no ticket", "no text", "too long", "packed unasked"],
)
async def test_an_answer_without_a_ticket(serve: Serve, client: Client, script: Script) -> None:
    """Whatever it holds."""
    error = await client.fail(1, ticket=plan_at(serve(script)))
    assert (error.reason, error.phase) == REFUSED
    assert error.detail == "the ticket endpoint's answer holds no ticket"


async def test_an_endless_answer_is_not_read_to_its_end(serve: Serve, client: Client) -> None:
    """Sixty-four kibibytes are more than any ticket."""

    def script(peer: Peer) -> None:
        peer.answer("HTTP/1.1 200 x", "Transfer-Encoding: chunked")
        while True:
            peer.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")

    error = await client.fail(1, ticket=plan_at(serve(script)))
    assert error.detail == "the ticket endpoint's answer holds no ticket"


@pytest.mark.parametrize(
    "script",
    [
        lambda peer: peer.reset(),
        lambda peer: peer.answer("hidden"),
        lambda peer: peer.answer("HTTP/1.1 200 x", "Content-Length: 100", body=b'{"tick'),
        lambda peer: peer.answer("HTTP/1.1 200 x", *["X: x"] * 100_000),
    ],
    ids=["reset", "no HTTP", "half an answer", "headers without end"],
)
async def test_a_seller_that_breaks_off_or_makes_no_sense(
    serve: Serve, client: Client, script: Script
) -> None:
    """Named by the kind of the error."""
    error = await client.fail(1, ticket=plan_at(serve(script)))
    assert (error.reason, error.phase) == REFUSED
    assert error.detail.startswith("the ticket endpoint could not be asked (")
    assert "hidden" not in error.detail


async def test_a_seller_that_says_nothing_costs_the_deadline(serve: Serve, client: Client) -> None:
    """And its connection is closed then."""
    seller = serve(lambda peer: peer.wait_end())
    error = await client.fail(1, ticket=plan_at(seller), short=Phase.TICKET)
    assert (error.reason, error.phase, error.detail) == (*REFUSED, "no answer within 0.2 s")


async def test_a_seller_that_says_one_byte_at_a_time_costs_the_deadline(
    serve: Serve, client: Client
) -> None:
    """The deadline is for the whole answer."""

    def script(peer: Peer) -> None:
        peer.answer("HTTP/1.1 200 x", "Content-Length: 10000")
        while True:
            peer.send(b"x")
            time.sleep(0.01)

    error = await client.fail(1, ticket=plan_at(serve(script)), short=Phase.TICKET)
    assert error.detail == "no answer within 0.2 s"


async def test_a_seller_that_is_not_there(client: Client) -> None:
    """As any other that could not be asked."""
    error = await client.fail(1, ticket=TicketPlan("http://127.0.0.1:1/hidden", "hidden"))
    assert (error.reason, error.phase) == REFUSED
    assert "hidden" not in error.detail


async def test_a_seller_whose_name_does_not_exist(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found out by our own resolver, in its own threads."""

    def look_up(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "hidden")

    monkeypatch.setattr(resolver, "_look_up", look_up)
    plan = TicketPlan("http://hidden.example/hidden", "hidden")
    error = await client.fail(1, ticket=plan)
    assert (error.reason, error.phase) == REFUSED
    assert "hidden" not in error.detail


async def test_no_cookie_goes_from_one_probe_s_ticket_to_another_s(
    serve: Serve, client: Client
) -> None:
    """Each request is its own."""
    cookies: list[str | None] = []

    def script(peer: Peer) -> None:
        peer.read_request()
        cookies.append(peer.header("Cookie"))
        peer.send(b"HTTP/1.1 401 x\r\nSet-Cookie: hidden=1\r\nContent-Length: 0\r\n\r\n")
        peer.wait_end()

    seller = serve(script)
    await client.fail(1, ticket=plan_at(seller))
    await client.fail(1, ticket=plan_at(seller))
    assert cookies == [None, None]


async def test_no_proxy_is_taken_from_the_environment(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the config says counts."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    dialled = await client.dial(serve(stays).port, ticket=plan_at(serve(sells())))
    assert dialled.connection.usable


async def test_many_tickets_are_fetched_at_the_same_time(serve: Serve, client: Client) -> None:
    """A slow seller keeps nobody else waiting."""
    slow = serve(lambda peer: peer.wait_end())
    waiting = [
        asyncio.create_task(client.fail(1, ticket=plan_at(slow), short=Phase.TICKET))
        for _ in range(150)
    ]
    dialled = await client.dial(serve(stays).port, ticket=plan_at(serve(sells())))
    assert dialled.connection.usable
    details = {error.detail for error in await asyncio.gather(*waiting)}
    assert details == {"no answer within 0.2 s"}
