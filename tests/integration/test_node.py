"""Another implementation's server: `ws` on Node.js, plain and with TLS; its books beside ours."""

from __future__ import annotations

import json
import shutil
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.integration.harness import Lab, Monitor, Program, Scrape, probe, wait_until

SERVER = Path(__file__).parents[1] / "node" / "server.mjs"

ENOUGH = 5
"""How many echoes a test waits for."""


class NodeServer:
    """A running server, and what it says about its clients."""

    def __init__(self, program: Program, port: int, scheme: str) -> None:
        self.program = program
        self.port = port
        self.scheme = scheme

    def url(self, path: str) -> str:
        """Where to connect."""
        return f"{self.scheme}://127.0.0.1:{self.port}/{path}"

    def books(self) -> dict[str, dict[str, Any]]:
        """Return its books by path."""
        tls = ssl._create_unverified_context() if self.scheme == "wss" else None
        url = self.url("books").replace("ws", "http", 1)
        with urllib.request.urlopen(url, context=tls, timeout=30) as answer:
            books: dict[str, dict[str, Any]] = json.load(answer)
        return {path.removeprefix("/"): book for path, book in books.items()}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return the authority that signs the server's certificate."""
    return trustme.CA()


@pytest.fixture(params=["ws", "wss"])
async def server(
    request: pytest.FixtureRequest, lab: Lab, authority: trustme.CA
) -> tuple[NodeServer, dict[str, Any]]:
    """Return a running server, and what a probe of it needs."""
    node = shutil.which("node")
    assert node is not None, "these tests need Node.js"
    options: Sequence[str] = ()
    keys: Mapping[str, Any] = {}
    if request.param == "wss":
        certificate = authority.issue_cert("127.0.0.1")
        files = {name: lab.directory / f"{name}.pem" for name in ("cert", "key", "ca")}
        certificate.cert_chain_pems[0].write_to_path(str(files["cert"]))
        certificate.private_key_pem.write_to_path(str(files["key"]))
        authority.cert_pem.write_to_path(str(files["ca"]))
        options = (str(files["cert"]), str(files["key"]))
        keys = {"tls": {"ca_file": str(files["ca"])}}
    program = lab.program(node, str(SERVER), *options, name="node")
    port = int(await program.first_line())
    return NodeServer(program, port, request.param), dict(keys)


BEATS = {"interval": "500ms", "timeout": "500ms"}

PATIENT = {"interval": "100ms", "timeout": "5s"}
"""Where echoes carry an id, several beats may be in flight, and a busy machine is no miss."""

PROBES: dict[str, dict[str, Any]] = {
    "numbered": {"protocol": "text", "text": {"send": '{"n":{id}}'}, "heartbeat": PATIENT},
    "plain": {"protocol": "text", "text": {"send": "hello"}, "heartbeat": BEATS},
    "binary": {"protocol": "text", "text": {"send": {"hex": "0c00ff"}}, "heartbeat": BEATS},
    "pinged": {"protocol": "ping", "ping": PATIENT},
    "both": {
        "protocol": "text",
        "text": {"send": "x {id}"},
        "heartbeat": PATIENT,
        "ping": PATIENT,
        "subprotocols": ["v2", "v1"],
    },
    "packed": {
        "protocol": "text",
        "text": {"send": "a long heartbeat " * 100 + "{id}"},
        "heartbeat": PATIENT,
        "compression": "deflate",
    },
    "half": {
        "protocol": "text",
        "text": {"send": "x {id}"},
        "heartbeat": {"interval": "100ms", "timeout": "1s"},
        "missed_threshold": 1000,
    },
}


def modes_of(name: str) -> list[str]:
    """In which modes a probe beats."""
    keys = PROBES[name]
    return [mode for mode, key in (("message", "text"), ("ping", "ping")) if key in keys]


def all_echoed(scrape: Scrape) -> bool:
    """Whether every probe has had enough echoes in each of its modes."""
    return all(
        scrape.probe(name).mode(mode).echoed >= ENOUGH for name in PROBES for mode in modes_of(name)
    )


async def test_our_books_agree_with_those_of_the_server(
    lab: Lab, server: tuple[NodeServer, dict[str, Any]]
) -> None:
    """Of each kind of heartbeat: with an id, without, binary, pings, compressed, half swallowed."""
    node, keys = server
    monitor = await lab.monitor(
        [probe(name, node.url(name), **(PROBES[name] | keys)) for name in PROBES]
    )
    await monitor.until(all_echoed, what="echoes for all")
    before = await monitor.scrape()
    books = node.books()
    after = await monitor.scrape()
    for name in PROBES:
        book = books[name]
        assert book["connections"] == 1
        for mode, counted in (("message", "messages"), ("ping", "pings")):
            if mode in modes_of(name):
                # What is on its way at this moment is in our books and not yet in theirs.
                first, last = (scrape.probe(name).mode(mode) for scrape in (before, after))
                assert first.sent - first.in_flight <= book[counted] <= last.sent
                assert first.echoed <= book[counted]
        view = after.probe(name)
        assert view.up
        assert view.failures == {}
    assert books["both"]["protocols"] == ["v2"]
    await assert_half_is_missed(monitor)
    await assert_farewells(monitor, node)


async def assert_half_is_missed(monitor: Monitor) -> None:
    """See that of one probe's beats every second one is missed, and no other one's."""
    scrape = await monitor.until(lambda scrape: scrape.probe("half").message.missed >= 5)
    half = scrape.probe("half").message
    assert abs(half.missed - half.echoed) <= half.in_flight + 1
    assert half.late == half.unsolicited == 0
    for name in ("numbered", "pinged", "both", "packed"):
        for mode in modes_of(name):
            assert scrape.probe(name).mode(mode).missed == 0, name


async def assert_farewells(monitor: Monitor, node: NodeServer) -> None:
    """See that a stop ends each connection with 1001."""
    monitor.signal(15)
    assert await monitor.wait() == 0
    await wait_until(
        lambda: all(book["closes"] == [1001] for book in node.books().values()),
        what="the server has seen every farewell",
    )
