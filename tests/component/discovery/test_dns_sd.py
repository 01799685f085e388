"""The DNS is asked by a real resolver library, of a real name server on loopback."""

from collections.abc import AsyncIterator

import dns.rcode
import dns.resolver
import pytest

from monitor.config import DnsSd, ListenAddress, target_with
from monitor.discovery import dns_sd
from monitor.discovery.dns_sd import DnsSource
from monitor.discovery.source import Failed, LookFailedError
from tests.component.discovery.name_server import NameServer, name_server

PATIENCE = 20.0
SHORT = 3.0
"""Seconds for a look that is to end without an answer."""

SRV = "_ws._tcp.game.example"


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    """A name server."""
    async with name_server() as server:
        yield server


def source(
    server: NameServer,
    *names: str,
    type: str = "SRV",
    port: int | None = None,
    timeout: float = PATIENCE,
) -> DnsSource:
    """Return a source that asks the server for these names."""
    address = ListenAddress("127.0.0.1", server.port)
    section = DnsSd.model_construct(names=names, type=type, port=port, nameserver=address)
    return DnsSource(section, timeout)


async def test_srv_records_have_hosts_and_ports(server: NameServer) -> None:
    """One that says that there is nobody is no target."""
    server.records[SRV, "SRV"] = ["0 1 8080 a.example.", "0 1 8081 b.example.", "0 0 0 ."]
    answer = await source(server, SRV).look()
    targets = answer[SRV]
    assert not isinstance(targets, Failed)
    assert set(targets) == {
        target_with(
            f"{host}:{port}",
            {
                "__meta_dns_name": SRV,
                "__meta_dns_srv_record_target": host,
                "__meta_dns_srv_record_port": port,
            },
        )
        for host, port in (("a.example", "8080"), ("b.example", "8081"))
    }


@pytest.mark.parametrize(
    ("kind", "record", "address"),
    [("A", "10.0.0.1", "10.0.0.1:8080"), ("AAAA", "2001:DB8::1", "[2001:db8::1]:8080")],
)
async def test_addresses_get_the_port_of_the_config(
    server: NameServer, kind: str, record: str, address: str
) -> None:
    """With brackets around IPv6."""
    server.records["game.example", kind] = [record]
    answer = await source(server, "game.example", type=kind, port=8080).look()
    assert answer == {"game.example": (target_with(address, {"__meta_dns_name": "game.example"}),)}


async def test_an_answer_too_long_for_udp_is_fetched_over_tcp(server: NameServer) -> None:
    """All of it."""
    server.records["game.example", "A"] = [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1000)]
    server.truncated = True
    answer = await source(server, "game.example", type="A", port=1).look()
    assert len(answer["game.example"]) == 1000  # type: ignore[arg-type]
    assert server.asked == [("udp", "game.example"), ("tcp", "game.example")]


async def test_a_name_without_records_of_the_type_has_no_targets(server: NameServer) -> None:
    """An answer, and no failure: a headless service without a pod."""
    server.records["game.example", "A"] = []
    server.records["game.example", "TXT"] = ["x"]
    assert await source(server, "game.example", type="A", port=1).look() == {"game.example": ()}


async def test_a_name_that_does_not_exist_is_a_failure(server: NameServer) -> None:
    """Of that name alone."""
    server.records["b.example", "A"] = ["10.0.0.1"]
    answer = await source(server, "a.example", "b.example", type="A", port=1).look()
    assert answer["a.example"] == Failed("a.example: there is no such name")
    assert len(answer["b.example"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_server_that_does_not_want_to_answer_is_a_failure(
    server: NameServer, rcode: dns.rcode.Rcode
) -> None:
    """Nobody knows then who is there."""
    server.rcode = rcode
    answer = await source(server, SRV).look()
    assert answer == {SRV: Failed(f"{SRV}: no name server gave an answer that can be used")}


async def test_a_name_that_nobody_answers_for_does_not_cost_the_others_their_answers(
    server: NameServer,
) -> None:
    """They are asked for at the same time."""
    server.records["b.example", "A"] = ["10.0.0.1"]
    server.silent.add("a.example")
    look = source(server, "a.example", "b.example", type="A", port=1, timeout=SHORT).look()
    answer = await look
    assert answer["a.example"] == Failed("a.example: no answer from the name server in time")
    assert len(answer["b.example"]) == 1  # type: ignore[arg-type]


async def test_what_the_server_says_next_is_what_counts(server: NameServer) -> None:
    """Nothing is kept between two looks, whatever its time to live."""
    server.records[SRV, "SRV"] = ["0 1 8080 a.example."]
    asking = source(server, SRV)
    first = await asking.look()
    server.records[SRV, "SRV"] = ["0 1 8081 b.example."]
    assert not await asking.stirred()
    second = await asking.look()
    assert first != second


async def test_a_machine_that_is_not_told_whom_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file at all, or none that is good for anything."""
    section = DnsSd.model_construct(names=(SRV,), type="SRV", port=None, nameserver=None)

    def no_resolver(**_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns_sd, "Resolver", no_resolver)
    with pytest.raises(LookFailedError, match="could not be asked"):
        await DnsSource(section, PATIENCE).look()
