"""Secrets of every kind, against peers that repeat them wherever they can: none ever shows.

Each secret is a word of its own that begins with `hidden-`, so that one search finds them all.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from monitor.web.routes import ROUTES
from tests.component.net.conftest import Serve
from tests.component.net.peers import TEXT, Peer, Script, close_frame, frame, serving
from tests.integration.harness import (
    WS_MONITOR,
    Lab,
    Scrape,
    free_ports,
    probe,
    wait_until,
)
from tests.integration.harness.http import request

ENVIRONMENT = {
    "WS_TEST_KEY": "hidden-env-key.a.b",
    "WS_TEST_URL_DNS": "wss://127.0.0.1/hidden-env-path?hidden-env-query=1",
    "WS_TEST_NO_URL": "hidden-no-url at all",
    "WS_TEST_NO_HEADER": "hidden-no-header\nX: y",
    "WS_TEST_QUERY": "hidden-query-env",
}

KEY = {"env": "WS_TEST_KEY"}

CONNECTED = frame(TEXT, b'{"res":"v1.connected","data":{}}')


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers with scripts."""
    with serving() as serve:
        yield serve


class Witness:
    """What peers were shown; they show all of it again."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def repeats(self, then: Callable[[Peer, bytes], None]) -> Script:
        """Read a request, and go on with all of its hidden words at hand."""

        def script(peer: Peer) -> None:
            self.seen.append(peer.read_request())
            then(peer, " ".join(hidden(peer.request)).encode())

        return script

    def talo(self, then: Callable[[Peer, bytes], None], ticket: str) -> Script:
        """Sell this ticket, and go on as told with who comes with it."""

        def sell_or_serve(peer: Peer, words: bytes) -> None:
            if peer.request.startswith("POST"):
                answer(peer, "200 OK", json.dumps({"ticket": ticket}).encode())
            else:
                peer.upgrade()
                then(peer, words)

        return self.repeats(sell_or_serve)


def hidden(text: str) -> set[str]:
    """Return every secret in a text."""
    return set(re.findall(r"hidden-[a-z-]*[a-z]", text))


def answer(peer: Peer, status: str, body: bytes, *headers: str) -> None:
    """Answer over HTTP."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    peer.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def refuses(status: str) -> Callable[[Peer, bytes], None]:
    """Answer with this status, and repeat everything in its words, headers and body."""

    def then(peer: Peer, words: bytes) -> None:
        said = words.decode()
        headers = (f"WWW-Authenticate: {said}", f"Location: wss://h.example/?{said}", f"X: {said}")
        answer(peer, f"{status} {said}", words, *headers)

    return then


def sends(*parts: Callable[[bytes], bytes]) -> Callable[[Peer, bytes], None]:
    """Send so many things in which the secrets are repeated, and hang up."""

    def then(peer: Peer, words: bytes) -> None:
        for part in parts:
            peer.send(part(words))

    return then


def accepts(*parts: Callable[[bytes], bytes]) -> Callable[[Peer, bytes], None]:
    """Accept the upgrade, say so much, and echo."""

    def then(peer: Peer, words: bytes) -> None:
        peer.upgrade()
        for part in parts:
            peer.send(part(words))
        peer.echo()

    return then


def error_message(words: bytes) -> bytes:
    """One of Talo's errors, full of what nobody must see."""
    said = words.decode()
    data = {"req": said, "message": said, "errorCode": said.upper().replace("-", "_")}
    return frame(TEXT, json.dumps({"res": "v1.error", "data": data}).encode())


def text_frame(words: bytes) -> bytes:
    """A message that says it all."""
    return frame(TEXT, words)


def farewell(words: bytes) -> bytes:
    """A close frame that says it all."""
    return close_frame(4000, words[:100])


def connected(_: bytes) -> bytes:
    """What makes a connection to Talo usable."""
    return CONNECTED


def connect_and(*parts: Callable[[bytes], bytes]) -> Callable[[Peer, bytes], None]:
    """Say so much on an accepted connection, and echo."""

    def then(peer: Peer, words: bytes) -> None:
        for part in parts:
            peer.send(part(words))
        peer.echo()

    return then


class Scene:
    """The probes of a test, with all their secrets, and the peers that they meet."""

    def __init__(self, lab: Lab, serve: Serve) -> None:
        self.witness = Witness()
        self.probes: list[dict[str, Any]] = []
        self._lab = lab
        self._serve = serve

    def file(self, name: str, content: str) -> dict[str, str]:
        """Put a secret into a file."""
        path = self._lab.directory / name
        path.write_text(content)
        return {"file": str(path)}

    def add(self, name: str, script: Script, *, path: str = "", **keys: Any) -> None:
        """Add a probe of a peer with this script; its path is secret in any case."""
        tls = keys.pop("server_tls", None)
        scheme = "wss" if tls else "ws"
        port = self._serve(script, tls=tls).port
        url = f"{scheme}://127.0.0.1:{port}/hidden-path-{name}{path}"
        defaults = {"protocol": "ping", "ping": {"interval": "200ms", "timeout": "5s"}}
        if "ticket" in keys:
            beat = {"interval": "250ms", "timeout": "250ms"}
            defaults = {"protocol": "talo", "heartbeat": beat}
        self.probes.append(probe(name, url, **(defaults | keys)))

    def add_at(self, name: str, url: Any, **keys: Any) -> None:
        """Add a probe of an address where nobody is."""
        self.probes.append(probe(name, url, **({"protocol": "ping"} | keys)))


def certificate(authority: trustme.CA, days: int) -> ssl.SSLContext:
    """A server's context; its certificate ends in so many days."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(
        "127.0.0.1", not_before=now - 9 * day, not_after=now + days * day
    ).configure_cert(context)
    return context


@pytest.fixture
def scene(lab: Lab, serve: Serve) -> Scene:
    """Return peers of every kind that repeat what they are shown, and probes with secrets."""
    scene = Scene(lab, serve)
    witness = scene.witness
    header = {"Authorization": scene.file("header", "Bearer hidden-header")}
    file_key = scene.file("key", "hidden-file-key.a.b\n")
    words = {"subprotocols": ["v1"], "headers": header}
    # Those that succeed.
    scene.add("ok-headers", witness.repeats(accepts(text_frame)), headers=header)
    scene.add(
        "ok-query",
        witness.repeats(accepts(text_frame)),
        path="?hidden-query-name=hidden-query-value",
        query={"a": {"env": "WS_TEST_QUERY"}, "b": scene.file("query", "hidden-query-file")},
    )
    scene.add(
        "ok-ticket",
        witness.talo(connect_and(connected, error_message, text_frame), "hidden-ticket-ok"),
        ticket={"api_key": KEY},
    )
    # Those that fail, in every phase in which a peer has a word.
    for status in ("302", "401", "429", "503"):
        scene.add(f"http-{'abcdefgh'[int(status) % 8]}", witness.repeats(refuses(status)), **words)
    scene.add("no-http", witness.repeats(sends(lambda said: said + b"\r\n\r\n")), headers=header)
    scene.add("no-accept", witness.repeats(sends(bad_accept)), headers=header)
    scene.add("flood", witness.repeats(sends(header_flood)), headers=header)
    scene.add("protocol", witness.repeats(wrong_subprotocol), **words)
    scene.add("broken", witness.repeats(accepts(text_frame, broken_frame)), headers=header)
    scene.add("farewell", witness.repeats(accepts(text_frame, farewell)), headers=header)
    scene.add(
        "refused-ticket",
        witness.talo(connect_and(error_message, farewell), "hidden-ticket-refused"),
        ticket={"api_key": file_key},
    )
    scene.add("no-ticket", witness.repeats(refuses("401")), ticket={"api_key": file_key})
    seller = serve(witness.repeats(refuses("307"))).port
    url = f"http://127.0.0.1:{seller}/hidden-seller-path?hidden-seller-query=1"
    scene.add("seller", witness.repeats(refuses("500")), ticket={"url": url, "api_key": KEY})
    bad = serve(witness.repeats(refuses("200")), tls=certificate(trustme.CA(), 1)).port
    url = f"https://127.0.0.1:{bad}/hidden-bad-seller"
    scene.add("bad-seller", witness.repeats(refuses("500")), ticket={"url": url, "api_key": KEY})
    # Those that never get as far as to a request.
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(lab.directory / "ca.pem"))
    tls = {"ca_file": str(lab.directory / "ca.pem")}
    expired, unknown = certificate(authority, -1), certificate(trustme.CA(), 1)
    scene.add("expired", witness.repeats(refuses("500")), server_tls=expired, tls=tls, **words)
    scene.add("unknown", witness.repeats(refuses("500")), server_tls=unknown, tls=tls, **words)
    # Names that no resolver needs to be asked for: no such family, no such name.
    scene.add_at("dns", {"env": "WS_TEST_URL_DNS"}, headers=header, ip_version=6)
    scene.add_at("inline-dns", "ws://no..where/hidden-dns-path?hidden-dns-query=1")
    scene.add_at("refused", "ws://127.0.0.1:1/hidden-refused-path?hidden-refused-query=1")
    scene.add_at("no-url", {"env": "WS_TEST_NO_URL"})
    scene.add_at(
        "no-header", "ws://127.0.0.1:1/hidden-x", headers={"Cookie": {"env": "WS_TEST_NO_HEADER"}}
    )
    return scene


def bad_accept(words: bytes) -> bytes:
    """An upgrade that is accepted with the wrong word."""
    return (
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + words + b"\r\n\r\n"
    )


def header_flood(words: bytes) -> bytes:
    """More headers than anybody takes."""
    return b"HTTP/1.1 101 x\r\n" + (b"X: " + words + b"\r\n") * 1000 + b"\r\n"


def wrong_subprotocol(peer: Peer, words: bytes) -> None:
    """Accept with a subprotocol that nobody offered."""
    peer.upgrade(f"Sec-WebSocket-Protocol: {words.split()[0].decode()}")
    peer.wait_end()


def broken_frame(words: bytes) -> bytes:
    """A frame that RFC 6455 does not know."""
    return frame(0x3, words[:100])


SUCCEEDING = ("ok-headers", "ok-query", "ok-ticket")
DROPPED = ("broken", "farewell")


def all_is_told(scrape: Scrape, names: list[str]) -> bool:
    """Whether every probe has met its fate, and more than once where that is a failure."""

    def met(name: str) -> bool:
        view = scrape.probe(name)
        if name in SUCCEEDING:
            mode = view.ping if "ping" in view.modes else view.message
            return mode.echoed > 2
        if name in DROPPED:
            return sum(view.disconnects.values()) > 1
        return sum(view.failures.values()) > 1

    return all(met(name) for name in names)


REACHED = {
    "hidden-env-key",
    "hidden-file-key",
    "hidden-header",
    "hidden-path-ok-headers",
    "hidden-query-name",
    "hidden-query-value",
    "hidden-query-env",
    "hidden-query-file",
    "hidden-ticket-ok",
    "hidden-ticket-refused",
    "hidden-seller-path",
    "hidden-seller-query",
}
"""What peers must have been shown, or the test proves nothing."""


async def pages_of(port: int) -> str:
    """Return every page that the monitor serves."""
    pages = []
    for route in ROUTES:
        found = await request(port, "GET", route.path)
        pages.append(f"{found.headers} {found.body}")
    return "\n".join(pages)


def checked(config: Path) -> tuple[int, str]:
    """Run `ws-monitor check`; return its exit code and all that it wrote."""
    done = subprocess.run(
        [WS_MONITOR, "check", str(config)],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("how", ["json", "console"])
async def test_no_secret_shows_whatever_peers_do(lab: Lab, scene: Scene, how: str) -> None:
    """Not in the log at its most talkative, not on a page, not in a metric, not in a check."""
    (port,) = free_ports(1)
    config = lab.write(
        {
            "web": {"listen": f"127.0.0.1:{port}"},
            "log": {"level": "debug", "format": how},
            "ticket_budget": {"per_minute": 100_000},
            "connect": {"max_concurrent": 1000, "per_second": 1000},
            "probes": scene.probes,
        }
    )
    names = [section["name"] for section in scene.probes]
    monitor = lab.program(WS_MONITOR, "run", "--config", str(config), env=ENVIRONMENT)

    async def told() -> bool:
        assert monitor.exit_code is None, monitor.err
        try:
            page = await request(port, "GET", "/metrics")
        except ConnectionError:
            return False
        return all_is_told(Scrape(page.body, 0.0, 0.0), names)

    await wait_until(told, what="every probe has met its fate", every=0.3)
    pages = await pages_of(port)
    monitor.signal(15)
    assert await monitor.wait() == 0
    assert hidden(" ".join(scene.witness.seen)) >= REACHED
    code, output = checked(config)
    assert code == 0
    for what, text in (("log", monitor.err + monitor.out), ("page", pages), ("check", output)):
        assert len(text) > 20, f"no {what} to look at"
        assert "hidden-" not in text, f"{what}: {hidden(text)}"
    assert "Traceback" not in monitor.err


BAD = {
    "user and password": "url: 'ws://hidden-user:hidden-password@h.example/', protocol: ping",
    "fragment": "url: 'ws://h.example/hidden-path#hidden-fragment', protocol: ping",
    "space": "url: 'ws://h.example/hidden path hidden-x', protocol: ping",
    "scheme": "url: 'https://h.example/hidden-path', protocol: ping",
    "port": "url: 'ws://h.example:hidden-port/hidden-path', protocol: ping",
    "key as text": "url: 'ws://h.example/', protocol: talo, ticket: {api_key: hidden-key}",
    "key misspelt": "url: 'ws://h.example/', protocol: talo, ticket: {apikey: hidden-key}",
    "ticket in the URL": "url: 'ws://h.example/?ticket=hidden-ticket', protocol: talo, "
    "ticket: {api_key: {env: X}}",
    "header as text": "url: 'ws://h.example/', protocol: ping, "
    "headers: {Authorization: hidden-header}",
    "header with a newline": 'url: "ws://h.example/", protocol: ping, '
    'headers: {X-Team: "hidden-a\\nhidden-b"}',
    "secret of the wrong kind": "url: 'ws://h.example/', protocol: talo, "
    "ticket: {api_key: {value: hidden-key}}",
    "duration": "url: 'ws://h.example/hidden-path', protocol: ping, ping: {interval: hidden-x}",
    "no YAML": "url: 'ws://h.example/hidden-path', protocol: ping, headers: {X: 'hidden-x",
    "twice": "url: 'ws://h.example/hidden-path', url: 'ws://h.example/hidden-other'",
    "key in braces": "url: 'ws://h.example/', protocol: talo, ticket: {api_key: {hidden-key}}",
}


@pytest.mark.parametrize("probe_text", BAD.values(), ids=BAD.keys())
def test_no_secret_shows_in_what_is_wrong_with_a_config(lab: Lab, probe_text: str) -> None:
    """A mislaid one is the likeliest of all."""
    config = lab.write(f"probes:\n  - {{name: p, {probe_text}}}\n")
    code, output = checked(config)
    assert code == 2
    assert output.count("\n") >= 1
    assert "hidden" not in output
    assert "Traceback" not in output


async def test_no_secret_shows_when_a_bad_config_is_reloaded(lab: Lab) -> None:
    """The log tells what is wrong, by line and key."""
    monitor = await lab.monitor([], log={"level": "debug", "format": "json"})
    for probe_text in BAD.values():
        await monitor.reload(f"probes:\n  - {{name: p, {probe_text}}}\n", accepted=False)
    assert "hidden" not in monitor.err + monitor.out
