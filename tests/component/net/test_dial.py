"""Dialling: each phase fails with its own reason, in its own words, and leaves nothing open."""

import asyncio
import socket
import ssl
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from monitor.core.failures import FailureReason, Phase
from monitor.core.traffic import Traffic
from monitor.net import resolver
from monitor.net.dial_errors import DialError
from monitor.net.stamped_socket import StampedSocket
from tests.component.net.clients import SHORT, Client
from tests.component.net.conftest import Serve, ServeAs
from tests.component.net.peers import PATIENCE, Peer, Script

SECRET = "hidden"
"""Is in whatever a peer says here, and must be in nothing that we say."""


def accepts(*headers: str) -> Script:
    """Accept the upgrade and stay."""

    def script(peer: Peer) -> None:
        peer.upgrade(*headers)
        peer.wait_end()

    return script


def answers(*lines: str, body: bytes = b"") -> Script:
    """Answer the request with something else and stay."""

    def script(peer: Peer) -> None:
        peer.answer(*lines, body=body)
        peer.wait_end()

    return script


def told(error: DialError) -> tuple[FailureReason, Phase, str]:
    """Say what an error says, having seen that nothing in it is secret."""
    assert SECRET not in f"{error} {error!r} {error.detail}"
    return error.reason, error.phase, error.detail


class TestSuccess:
    """What a connection that came about says of itself."""

    async def test_the_request_is_a_plain_upgrade(self, serve: Serve, client: Client) -> None:
        requests: list[str] = []

        def script(peer: Peer) -> None:
            requests.append(peer.read_request())
            peer.upgrade()

        server = serve(script)
        await client.dial(server.port, resource="/a/b?c=d%20e")
        (request,) = requests
        lines = request.split("\r\n")
        assert lines[0] == "GET /a/b?c=d%20e HTTP/1.1"
        names = sorted(line.partition(":")[0].lower() for line in lines[1:])
        assert names == [
            "connection",
            "host",
            "sec-websocket-key",
            "sec-websocket-version",
            "upgrade",
        ]
        assert f"Host: 127.0.0.1:{server.port}" in lines

    async def test_the_request_has_what_the_plan_asks_for(
        self, serve: Serve, client: Client
    ) -> None:
        seen: dict[str, str | None] = {}
        names = "Cookie X-Team Origin User-Agent Sec-WebSocket-Protocol Sec-WebSocket-Extensions"

        def script(peer: Peer) -> None:
            peer.read_request()
            seen.update({name: peer.header(name) for name in names.split()})
            peer.upgrade("Sec-WebSocket-Protocol: v1")

        dialled = await client.dial(
            serve(script).port,
            headers=[("Cookie", "a=b"), ("X-Team", "payments")],
            origin="https://o.example",
            user_agent="me/1",
            subprotocols=["v2", "v1"],
            deflate=True,
        )
        assert dialled.subprotocol == "v1"
        assert (seen.pop("Sec-WebSocket-Extensions") or "").startswith("permessage-deflate")
        assert seen == {
            "Cookie": "a=b",
            "X-Team": "payments",
            "Origin": "https://o.example",
            "User-Agent": "me/1",
            "Sec-WebSocket-Protocol": "v2, v1",
        }

    async def test_every_phase_that_there_was_is_timed(
        self, serve: Serve, client: Client, server_tls: ssl.SSLContext
    ) -> None:
        dialled = await client.dial(
            serve(accepts(), tls=server_tls).port, secure=True, host="localhost"
        )
        assert list(dialled.phases) == [Phase.DNS, Phase.TCP, Phase.TLS, Phase.UPGRADE]
        assert all(0 <= seconds < PATIENCE for seconds in dialled.phases.values())
        plain = await client.dial(serve(accepts()).port)
        assert list(plain.phases) == [Phase.DNS, Phase.TCP, Phase.UPGRADE]

    async def test_an_ipv6_address_is_dialled_and_written_as_one(
        self, serve: Serve, client: Client
    ) -> None:
        hosts: list[str | None] = []

        def script(peer: Peer) -> None:
            peer.read_request()
            hosts.append(peer.header("Host"))
            peer.upgrade()

        server = serve(script, family=socket.AF_INET6)
        dialled = await client.dial(server.port, host="::1")
        assert dialled.address == "::1"
        assert hosts == [f"[::1]:{server.port}"]

    async def test_the_address_of_the_wanted_kind_is_taken(
        self, serve: Serve, client: Client
    ) -> None:
        dialled = await client.dial(serve(accepts()).port, host="localhost", family=socket.AF_INET)
        assert dialled.address == "127.0.0.1"

    async def test_where_one_address_refuses_the_next_one_is_tried(
        self, serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = serve(accepts())
        refusing = resolver.Address(socket.AF_INET, ("127.0.0.2", server.port))
        accepting = resolver.Address(socket.AF_INET, ("127.0.0.1", server.port))
        monkeypatch.setattr(resolver, "_look_up", lambda *_: [refusing, accepting])
        assert (await client.dial(server.port)).address == "127.0.0.1"

    async def test_no_proxy_is_taken_from_the_environment(
        self, serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        dialled = await client.dial(serve(accepts()).port)
        assert dialled.connection.usable


class TestName:
    """The phase `dns`."""

    async def test_a_name_that_does_not_exist(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def look_up(*_: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(resolver, "_look_up", look_up)
        assert told(await client.fail(1, host="hidden.example")) == (
            FailureReason.DNS,
            Phase.DNS,
            "the name cannot be resolved (name or service not known)",
        )

    async def test_a_name_that_cannot_be_one(self, client: Client) -> None:
        error = await client.fail(1, host="a..example")
        assert told(error)[:2] == (FailureReason.DNS, Phase.DNS)

    async def test_a_name_without_an_address_of_the_wanted_kind(self, client: Client) -> None:
        error = await client.fail(1, host="127.0.0.1", family=socket.AF_INET6)
        assert told(error)[:2] == (FailureReason.DNS, Phase.DNS)

    async def test_a_resolver_that_hangs_costs_its_deadline_and_nobody_else_anything(
        self, serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        released = threading.Event()
        monkeypatch.setattr(resolver, "_look_up", hanging_for("slow.example", released))
        try:
            server = serve(accepts())
            slow = asyncio.create_task(client.fail(1, host="slow.example", short=Phase.DNS))
            assert (await client.dial(server.port, host="localhost")).connection.usable
            assert told(await slow) == (FailureReason.DNS, Phase.DNS, "no answer within 0.2 s")
        finally:
            released.set()


def hanging_for(name: str, released: threading.Event) -> Any:
    """A look-up that hangs for one name."""
    really = resolver._look_up

    def look_up(host: str, port: int, family: int) -> list[resolver.Address]:
        if host == name:
            assert released.wait(PATIENCE)
        return really(host, port, family)

    return look_up


class TestTcp:
    """The phase `tcp`."""

    async def test_a_port_where_nobody_listens(self, client: Client) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            error = await client.fail(nobody.getsockname()[1])
        assert told(error) == (FailureReason.TCP_REFUSED, Phase.TCP, "connection refused")
        assert list(error.phases) == [Phase.DNS]

    async def test_a_host_that_does_not_answer(self, client: Client) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            # What the backlog does not take is dropped without a word, as by a firewall.
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            error = await client.fail(full.getsockname()[1], short=Phase.TCP)
            for filler in fillers:
                filler.close()
        assert told(error) == (FailureReason.TCP_TIMEOUT, Phase.TCP, "no answer within 0.2 s")

    async def test_no_descriptors_left(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(24, "hidden")

        monkeypatch.setattr(StampedSocket, "__init__", refuse)
        error = await client.fail(1)
        assert told(error) == (FailureReason.LOCAL, Phase.TCP, "too many open files")


class TestTls:
    """The phase `tls`; certificates have tests of their own."""

    async def test_a_server_that_speaks_no_tls(self, serve: Serve, client: Client) -> None:
        def script(peer: Peer) -> None:
            peer.sock.recv(1)
            peer.send(b"HTTP/1.1 400 hidden\r\n\r\n")
            peer.wait_end()

        reason, phase, detail = told(await client.fail(serve(script).port, secure=True))
        assert (reason, phase) == (FailureReason.TLS_OTHER, Phase.TLS)
        assert detail.startswith("TLS handshake failed (")

    async def test_a_server_that_says_nothing(self, serve: Serve, client: Client) -> None:
        error = await client.fail(
            serve(lambda peer: peer.wait_end()).port, secure=True, short=Phase.TLS
        )
        assert told(error) == (FailureReason.TLS_OTHER, Phase.TLS, "no answer within 0.2 s")
        assert list(error.phases) == [Phase.DNS, Phase.TCP]

    @pytest.mark.parametrize("how", ["end", "reset"])
    async def test_a_server_that_hangs_up(self, serve: Serve, client: Client, how: str) -> None:
        def script(peer: Peer) -> None:
            peer.sock.recv(10_000)
            if how == "reset":
                peer.reset()

        reason, phase, detail = told(await client.fail(serve(script).port, secure=True))
        assert (reason, phase) == (FailureReason.TLS_OTHER, Phase.TLS)
        assert detail.startswith("the stream ended in the handshake (")

    async def test_a_server_name_that_cannot_be_one(
        self, serve: Serve, client: Client, server_tls: ssl.SSLContext
    ) -> None:
        error = await client.fail(
            serve(accepts(), tls=server_tls).port, secure=True, server_name="a..b"
        )
        assert told(error) == (
            FailureReason.LOCAL,
            Phase.TLS,
            "the server name is no host's name",
        )


class TestUpgrade:
    """The phase `upgrade`."""

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 426, 500, 502])
    async def test_a_status_instead_of_the_101(
        self, serve: Serve, client: Client, status: int
    ) -> None:
        server = serve(
            answers(f"HTTP/1.1 {status} hidden", "Content-Length: 6", "X: hidden", body=b"hidden")
        )
        error = await client.fail(server.port)
        assert told(error) == (
            FailureReason.HTTP_STATUS,
            Phase.UPGRADE,
            f"the upgrade was answered HTTP {status}",
        )
        assert error.retry_after == 0
        assert list(error.phases) == [Phase.DNS, Phase.TCP]

    @pytest.mark.parametrize(("status", "seconds"), [(429, 60), (503, 7)])
    async def test_a_server_that_asks_for_a_pause(
        self, serve: Serve, client: Client, status: int, seconds: int
    ) -> None:
        server = serve(
            answers(f"HTTP/1.1 {status} x", "Content-Length: 0", f"Retry-After: {seconds}")
        )
        assert (await client.fail(server.port)).retry_after == seconds

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_a_failure_and_not_followed(
        self, serve: Serve, client: Client, status: int
    ) -> None:
        elsewhere = serve(accepts())
        location = f"Location: ws://127.0.0.1:{elsewhere.port}/hidden"
        server = serve(answers(f"HTTP/1.1 {status} x", location, "Content-Length: 0"))
        assert told(await client.fail(server.port)) == (
            FailureReason.REDIRECT,
            Phase.UPGRADE,
            f"the upgrade was answered HTTP {status}",
        )
        assert elsewhere.connections == 0

    @pytest.mark.parametrize(
        "lines",
        [
            (
                "HTTP/1.1 101 x",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Accept: hidden",
            ),
            ("HTTP/1.1 101 x", "Upgrade: websocket", "Connection: Upgrade"),
            ("HTTP/1.1 101 x", "Upgrade: hidden", "Connection: Upgrade"),
            ("HTTP/1.1 101 x", "Upgrade: websocket"),
            ("HTTP/2 101 hidden",),
            ("hidden",),
            ("HTTP/1.1 101 x", "no header: hidden"),
        ],
        ids=["wrong accept", "no accept", "wrong upgrade", "no connection", "HTTP/2", "x", "y"],
    )
    async def test_an_answer_that_is_no_valid_upgrade(
        self, serve: Serve, client: Client, lines: tuple[str, ...]
    ) -> None:
        reason, phase, detail = told(await client.fail(serve(answers(*lines)).port))
        assert (reason, phase) == (FailureReason.BAD_UPGRADE, Phase.UPGRADE)
        assert detail.startswith("the answer is no valid upgrade (")

    async def test_an_extension_that_was_not_offered(self, serve: Serve, client: Client) -> None:
        server = serve(accepts("Sec-WebSocket-Extensions: permessage-hidden"))
        assert told(await client.fail(server.port))[0] is FailureReason.BAD_UPGRADE

    @pytest.mark.parametrize(
        "lines",
        [
            ["HTTP/1.1 " + "x" * 20_000],
            ["HTTP/1.1 101 x", "X: " + "x" * 20_000],
            ["HTTP/1.1 101 x"] + ["X: x"] * 1000,
            ["HTTP/1.1 200 x", "Content-Length: 10000000"],
        ],
        ids=["long status line", "long header", "many headers", "long body"],
    )
    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    async def test_an_answer_that_is_too_large(
        self, serve_as: ServeAs, client: Client, lines: list[str], secure: bool
    ) -> None:
        server = serve_as(secure, answers(*lines))
        error = await client.fail(server.port, secure=secure)
        assert told(error) == (
            FailureReason.LIMIT,
            Phase.UPGRADE,
            "the answer to the upgrade is too large",
        )

    @pytest.mark.parametrize(
        ("line", "reason"),
        [("X: x", FailureReason.LIMIT), ("hidden", FailureReason.BAD_UPGRADE)],
        ids=["headers", "nonsense"],
    )
    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    async def test_an_answer_without_end_is_not_listened_to_until_the_deadline(
        self, serve_as: ServeAs, client: Client, line: str, reason: FailureReason, secure: bool
    ) -> None:
        def script(peer: Peer) -> None:
            peer.read_request()
            peer.send(b"HTTP/1.1 101 x\r\n")
            while True:
                peer.send(f"{line}\r\n".encode() * 1000)

        server = serve_as(secure, script)
        error = await client.fail(server.port, secure=secure)
        assert told(error)[:2] == (reason, Phase.UPGRADE)
        assert "within" not in error.detail

    async def test_a_peer_that_makes_no_sense_and_stays_is_not_waited_for(
        self, serve: Serve, client: Client
    ) -> None:
        over = threading.Event()

        def script(peer: Peer) -> None:
            peer.answer("SSH-2.0-hidden")
            assert over.wait(PATIENCE)

        error = await client.fail(serve(script).port)
        over.set()
        assert told(error)[2] == "the answer is no valid upgrade (InvalidMessage)"

    async def test_a_server_that_says_nothing(self, serve: Serve, client: Client) -> None:
        def script(peer: Peer) -> None:
            peer.read_request()
            peer.wait_end()

        error = await client.fail(serve(script).port, short=Phase.UPGRADE)
        assert told(error) == (FailureReason.BAD_UPGRADE, Phase.UPGRADE, "no answer within 0.2 s")

    async def test_a_server_that_says_it_byte_by_byte(self, serve: Serve, client: Client) -> None:
        def script(peer: Peer) -> None:
            peer.read_request()
            for byte in b"HTTP/1.1 101 Switching Protocols\r\n" * 1000:
                peer.send(bytes([byte]))
                time.sleep(SHORT / 10)

        error = await client.fail(serve(script).port, short=Phase.UPGRADE)
        assert told(error) == (FailureReason.BAD_UPGRADE, Phase.UPGRADE, "no answer within 0.2 s")

    @pytest.mark.parametrize("how", ["end", "reset", "in the middle"])
    @pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
    async def test_a_server_that_hangs_up(
        self, serve_as: ServeAs, client: Client, how: str, secure: bool
    ) -> None:
        def script(peer: Peer) -> None:
            peer.read_request()
            if how == "reset":
                peer.reset()
            elif how == "in the middle":
                peer.send(b"HTTP/1.1 101 hid")

        server = serve_as(secure, script)
        reason, phase, detail = told(await client.fail(server.port, secure=secure))
        assert (reason, phase) == (FailureReason.BAD_UPGRADE, Phase.UPGRADE)
        assert detail.startswith("the stream ended before the upgrade was answered (")

    @pytest.mark.parametrize(
        ("chosen", "detail"),
        [
            ((), "the server chose no subprotocol"),
            (("Sec-WebSocket-Protocol: hidden",), "the server chose a subprotocol not offered"),
        ],
    )
    async def test_a_subprotocol_that_was_not_agreed(
        self, serve: Serve, client: Client, chosen: tuple[str, ...], detail: str
    ) -> None:
        error = await client.fail(serve(accepts(*chosen)).port, subprotocols=["v1"])
        assert told(error) == (FailureReason.SUBPROTOCOL, Phase.UPGRADE, detail)

    async def test_a_subprotocol_that_nobody_offered(self, serve: Serve, client: Client) -> None:
        error = await client.fail(serve(accepts("Sec-WebSocket-Protocol: v1")).port)
        assert told(error)[0] is FailureReason.SUBPROTOCOL


class TestOurselves:
    """What is nobody's fault but ours."""

    async def test_an_attempt_that_is_called_off_leaves_nothing_open(
        self, serve: Serve, client: Client
    ) -> None:
        reached = threading.Semaphore(0)

        def silent(peer: Peer) -> None:
            reached.release()
            peer.wait_end()

        def half(peer: Peer) -> None:
            peer.read_request()
            silent(peer)

        for script, options in ((silent, {"secure": True}), (half, {})):
            server = serve(script)
            task = asyncio.create_task(client.dial(server.port, **options))
            await asyncio.to_thread(reached.acquire)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        # The scripts end when they see our side gone, or fail the test.

    async def test_a_stall_of_ours_is_not_the_peer_s_silence(
        self, serve: Serve, client: Client
    ) -> None:
        loop = asyncio.get_running_loop()

        def away() -> None:
            time.sleep(SHORT * 3)

        def script(peer: Peer) -> None:
            peer.read_request()
            # The answer comes while the loop is held for longer than the deadline.
            loop.call_soon_threadsafe(away)
            time.sleep(SHORT)
            peer.upgrade()
            peer.wait_end()

        dialled = await client.dial(serve(script).port, short=Phase.UPGRADE)
        assert dialled.connection.usable

    async def test_a_bug_of_ours_is_not_called_a_failure_of_the_peer(
        self, serve: Serve, client: Client
    ) -> None:
        plan = replace(client.plan(serve(accepts()).port), headers=None)
        with pytest.raises(TypeError):
            await client.dialer.dial(plan, Traffic())
