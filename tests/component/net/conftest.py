"""Real sockets on loopback, on the loop that the service runs on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import trustme

from monitor.net.dial import Dialer
from tests.component.net.clients import Client, watched_loop
from tests.component.net.peers import Script, Server, serving

Serve = Callable[..., Server]

ServeAs = Callable[[bool, Script], Server]
"""Starts a server, with TLS or without."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test on a loop that knows when it was not looking."""
    return {"watched": watched_loop}


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return an authority that clients here trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return a server's context, with a certificate for 127.0.0.1 and localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with the given scripts; what goes wrong in one fails the test."""
    with serving() as serve:
        yield serve


@pytest.fixture
def serve_as(serve: Serve, server_tls: ssl.SSLContext) -> ServeAs:
    """Start a server with TLS or without."""
    return lambda secure, script: serve(script, tls=server_tls if secure else None)


@pytest.fixture(params=["ws", "wss"])
def scheme(request: pytest.FixtureRequest, server_tls: ssl.SSLContext) -> dict[str, Any]:
    """Return how to serve and how to dial: plainly, or with TLS."""
    secure = request.param == "wss"
    return {"serve": {"tls": server_tls if secure else None}, "dial": {"secure": secure}}


@pytest.fixture
async def client(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    """Return what dials, with everything closed at the end."""
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    dialer = Dialer(asyncio.get_running_loop()._selector)
    client = Client(dialer, ca_file)
    yield client
    await client.leave()
    await dialer.close()
