"""Targets are asked for over HTTP as Prometheus does it, and no answer does any harm."""

import asyncio
import base64
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from monitor.config import HttpSd, Inline, Secret, Tls, target_with
from monitor.discovery import http_sd
from monitor.discovery.http_sd import HttpSource
from monitor.discovery.source import LookFailedError
from monitor.net.resolver import Resolver
from monitor.net.tls import TlsContexts

BODY = json.dumps([{"targets": ["a:1"], "labels": {"room": "r"}}]).encode()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers that answer everything with one handler; return their ports."""
    runners = []

    async def start(handler: Handler, tls: ssl.SSLContext | None = None) -> int:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        return int(runner.addresses[0][1])

    yield start
    for runner in runners:
        await runner.cleanup()


def answering(body: bytes = BODY, status: int = 200, **headers: str) -> Handler:
    """Always give this answer."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=headers)

    return answer


def source(port: int, scheme: str = "http", host: str = "127.0.0.1", **keys: object) -> HttpSource:
    """Return a source that asks a server on loopback; `keys` are of the section."""
    url = Inline(f"{scheme}://{host}:{port}/hunter2?key=hunter2")
    return HttpSource(HttpSd.model_construct(url=url, **keys), 90.0, Resolver(), TlsContexts())


async def failure(asked: HttpSource) -> str:
    """Ask a source that fails, and return what it says."""
    with pytest.raises(LookFailedError) as caught:
        await asked.look()
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


async def test_the_answer_is_prometheus_own_format(serve: Serve) -> None:
    """All of it is one part."""
    asked = source(await serve(answering()))
    assert await asked.look() == {"": (target_with("a:1", {"room": "r"}),)}
    assert not await asked.stirred()


async def test_the_request_is_as_prometheus_makes_it(serve: Serve) -> None:
    """On a connection of its own; it says how often it comes."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(body=BODY)

    await source(await serve(handler)).look()
    (request,) = seen
    assert (request.method, request.path_qs) == ("GET", "/hunter2?key=hunter2")
    assert request.headers["X-Prometheus-Refresh-Interval-Seconds"] == "90"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"].startswith("ws-monitor/")
    assert "Authorization" not in request.headers


async def test_it_authorizes_as_it_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a token, by name and password or by a header, each read anew."""
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization") or request.headers.get("X-Token"))
        return web.Response(body=BODY)

    port = await serve(handler)
    monkeypatch.setenv("HTTP_SD_TOKEN", "hunter2")
    asked = source(port, bearer_token=Secret(env="HTTP_SD_TOKEN"))
    await asked.look()
    monkeypatch.setenv("HTTP_SD_TOKEN", "hunter3")
    await asked.look()
    (tmp_path / "password").write_text("pass:wörd\n")
    basic = HttpSd.model_validate(
        {
            "url": "http://h",
            "basic_auth": {"username": "me", "password": {"file": "password"}},
        },
        context={"directory": tmp_path},
    ).basic_auth
    await source(port, basic_auth=basic).look()
    await source(port, headers={"X-Token": Secret(env="HTTP_SD_TOKEN")}).look()
    pair = base64.b64encode("me:pass:wörd".encode()).decode()
    assert seen == ["Bearer hunter2", "Bearer hunter3", f"Basic {pair}", "hunter3"]


async def test_a_secret_that_cannot_be_read_is_named(serve: Serve) -> None:
    """By its variable."""
    asked = source(await serve(answering()), bearer_token=Secret(env="WS_TEST_UNSET"))
    assert await failure(asked) == "environment variable WS_TEST_UNSET is not set"


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (answering(status=500), "the endpoint answered HTTP 500"),
        (answering(status=204, body=b""), "the endpoint answered HTTP 204"),
        (answering(status=302, Location="/elsewhere"), "the endpoint answered HTTP 302"),
        (answering(b"<html>hunter2"), "not valid JSON"),
        (answering(b'{"hunter2": 1}'), "expected a list of target groups"),
        (answering(b""), "not valid JSON"),
    ],
)
async def test_whatever_is_no_list_of_targets_is_a_failure(
    serve: Serve, handler: Handler, reason: str
) -> None:
    """Redirects too: they would take our credentials elsewhere."""
    assert await failure(source(await serve(handler))) == reason


async def test_an_empty_list_is_an_answer(serve: Serve) -> None:
    """Nobody is there."""
    assert await source(await serve(answering(b"[]"))).look() == {"": ()}


async def test_an_answer_that_is_too_long_is_not_read_to_its_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never ends would fill the memory."""
    monkeypatch.setattr(http_sd, "MOST_BYTES", 1 << 20)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65536)
        except (ConnectionError, asyncio.CancelledError):
            return response

    reason = await failure(source(await serve(endless)))
    assert reason == "the answer is longer than 1 MiB"


async def test_nothing_is_unpacked(serve: Serve) -> None:
    """A small answer could become a huge one."""
    handler = answering(gzip.compress(BODY), **{"Content-Encoding": "gzip"})
    assert await failure(source(await serve(handler))) == "not valid JSON"


async def test_nobody_there_is_a_failure(serve: Serve) -> None:
    """Named by its kind: the library's own words hold the URL."""
    port = await serve(answering())
    reason = await failure(source(port, host="127.0.0.2"))
    assert reason == "the endpoint could not be asked (ClientConnectorError)"


async def test_https_is_verified_as_the_config_says(serve: Serve, tmp_path: Path) -> None:
    """By an authority, for a name, or not at all."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("cmdb.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    port = await serve(answering(), context)
    trusting = Tls.model_construct(ca_file=tmp_path / "ca.pem", server_name="cmdb.example")
    assert await source(port, "https", tls=trusting).look()
    assert await source(port, "https", tls=Tls.model_construct(verify=False)).look()
    unknown = await failure(source(port, "https"))
    assert unknown == "the endpoint could not be asked (ClientConnectorCertificateError)"
    other = Tls.model_construct(ca_file=tmp_path / "ca.pem")
    assert "Certificate" in await failure(source(port, "https", tls=other))
    missing = Tls.model_construct(ca_file=tmp_path / "none.pem")
    assert "FileNotFoundError" in await failure(source(port, "https", tls=missing))
