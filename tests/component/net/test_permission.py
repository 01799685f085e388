"""Discovered probes keep off some addresses, at the very moment of the dial."""

import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from monitor.core.deny_list import DenyList
from monitor.core.failures import FailureReason, Phase
from monitor.net import resolver
from monitor.net.resolver import Address
from monitor.net.ticket import TicketPlan
from tests.component.net.clients import Client
from tests.component.net.conftest import Serve
from tests.component.net.peers import Peer

LOOPBACK = DenyList((ip_network("127.0.0.0/8"), ip_network("::1/128")))
ONE = DenyList((ip_network("127.0.0.2/32"),))
DETAIL = "the address is in 127.0.0.0/8, which discovered probes keep off"


def stays(peer: Peer) -> None:
    """Accept the upgrade and stay."""
    peer.upgrade()
    peer.wait_end()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Return a socket that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def assert_nobody_came(listener: socket.socket) -> None:
    """See that no connection is waiting."""
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "2130706433"])
async def test_a_denied_address_is_not_dialled_however_it_is_written(
    client: Client, listener: socket.socket, host: str
) -> None:
    """As a name, inside an IPv6 address, or as one number."""
    port = listener.getsockname()[1]
    error = await client.fail(port, host=host, deny_list=LOOPBACK)
    assert (error.reason, error.phase) == (FailureReason.LOCAL, Phase.TCP)
    assert "which discovered probes keep off" in error.detail
    assert_nobody_came(listener)


async def test_a_name_that_comes_to_mean_a_denied_address_is_not_dialled(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked anew at each dial, and the answer is what counts."""
    server = serve(stays)
    means = ["127.0.0.1", "127.0.0.2"]
    monkeypatch.setattr(
        resolver,
        "_look_up",
        lambda _, port, __: [Address(socket.AF_INET, (means.pop(0), port))],
    )
    dialled = await client.dial(server.port, host="game.example", deny_list=ONE)
    assert dialled.address == "127.0.0.1"
    error = await client.fail(server.port, host="game.example", deny_list=ONE)
    assert error.detail == "the address is in 127.0.0.2/32, which discovered probes keep off"


async def test_of_several_addresses_those_are_dialled_that_may_be(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order."""
    server = serve(stays)
    both = [Address(socket.AF_INET, (host, server.port)) for host in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(resolver, "_look_up", lambda *_: both)
    dialled = await client.dial(server.port, host="game.example", deny_list=ONE)
    assert dialled.address == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_nor_does_the_request_for_a_ticket_go_to_a_denied_address(
    client: Client, listener: socket.socket, host: str
) -> None:
    """It carries a key."""
    port = listener.getsockname()[1]
    plan = TicketPlan(f"http://{host}:{port}/hidden", "hidden.key")
    error = await client.fail(1, ticket=plan, deny_list=LOOPBACK)
    assert (error.reason, error.phase) == (FailureReason.LOCAL, Phase.TICKET)
    assert "which discovered probes keep off" in error.detail
    assert "hidden" not in error.detail
    assert_nobody_came(listener)


async def test_a_deny_list_holds_for_its_own_probes_alone(serve: Serve, client: Client) -> None:
    """The others share nothing with it but the threads that resolve names."""

    def sells(peer: Peer) -> None:
        peer.answer("HTTP/1.1 200 x", "Content-Length: 15", body=b'{"ticket": "t"}')
        peer.wait_end()

    target, seller = serve(stays), serve(sells)
    plan = TicketPlan(f"http://127.0.0.1:{seller.port}/", "hidden.key")
    error = await client.fail(target.port, ticket=plan, deny_list=LOOPBACK)
    assert error.detail == DETAIL
    assert (await client.dial(target.port, ticket=plan)).connection.usable
