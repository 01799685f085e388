"""The control endpoint: faults, counters and one-shot acts over HTTP, on loopback only."""

import asyncio
import errno
import socket
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed

from monitor.target import Faults, Target, TargetSettings, serve_until
from tests.component.target.clients import (
    CLOSE,
    PING,
    TEXT,
    Client,
    StartClient,
)

pytestmark = pytest.mark.timeout(20)


class TestFaults:
    """`/faults`."""

    async def test_get_shows_every_fault_and_every_counter(self, client: Client) -> None:
        status, state = await client.control("GET", "/faults")
        assert status == 200
        assert state["faults"] == Faults().to_json()
        assert state["counters"] == {
            "connections_open": 0,
            "connections_total": 0,
            "tickets_issued": 0,
            "heartbeats_received": 0,
            "heartbeats_swallowed": 0,
            "echoes_sent": 0,
            "pings_received": 0,
            "pongs_received": 0,
            "close_codes_received": {},
        }

    async def test_close_codes_are_counted_by_code(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.send(CLOSE, b"\x03\xe9")
        await raw.rest()
        _, state = await client.control("GET", "/faults")
        assert state["counters"]["close_codes_received"] == {"1001": 1}

    async def test_put_replaces_the_whole_set(self, client: Client) -> None:
        await client.control("PUT", "/faults", {"silent": True})
        status, state = await client.control("PUT", "/faults", {"delay": 2})
        assert (status, state["faults"]) == (200, Faults(delay=2.0).to_json())
        assert client.target.faults == Faults(delay=2.0)

    async def test_what_get_shows_can_be_put(self, client: Client) -> None:
        faults = {
            "accept_then_close": {"code": 4000, "reason": "no"},
            "reject_upgrade": {"status": 503, "retry_after": 7},
            "rate_points": 3,
        }
        _, state = await client.control("PUT", "/faults", faults)
        assert await client.control("PUT", "/faults", state["faults"]) == (200, state)

    @pytest.mark.parametrize(
        ("body", "line"),
        [
            ({"slient": True}, 'unknown fault "slient", did you mean "silent"?\n'),
            ({"silent": 1}, "silent: must be true or false, not 1\n"),
            ([], "the body must be a JSON object\n"),
        ],
    )
    async def test_a_mistake_is_one_line_and_changes_nothing(
        self, client: Client, body: Any, line: str
    ) -> None:
        client.target.faults = Faults(corrupt=True)
        assert await client.control("PUT", "/faults", body) == (400, line)
        assert client.target.faults == Faults(corrupt=True)

    async def test_a_body_that_is_no_json_is_one_line(self, client: Client) -> None:
        url = f"http://127.0.0.1:{client.target.control_port}/faults"
        for body in (b"silent", b"\xff", b"[" * 100_000):
            async with client.http.put(url, data=body) as response:
                assert response.status == 400
                assert await response.text() == "the body is not JSON\n"

    async def test_delete_turns_everything_off(self, client: Client) -> None:
        client.target.faults = Faults(refuse=True, freeze=True)
        status, state = await client.control("DELETE", "/faults")
        assert (status, state["faults"]) == (200, Faults().to_json())
        await client.connect()

    async def test_a_port_that_was_taken_meanwhile_is_one_line(self, client: Client) -> None:
        client.target.faults = Faults(refuse=True)
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(("127.0.0.1", client.target.port))
            thief.listen()
            status, line = await client.control("DELETE", "/faults")
            assert (status, line.count("\n")) == (409, 1)
            assert client.target.faults == Faults(refuse=True)
        assert (await client.control("DELETE", "/faults"))[0] == 200
        await client.connect()


class TestActions:
    """`/actions/NAME`."""

    async def test_close_sends_a_close_frame(self, client: Client) -> None:
        raw = await client.raw_connect()
        body = {"code": 1012, "reason": "restart"}
        answer = await client.control("POST", "/actions/close", body)
        assert answer == (200, {"connections": 1})
        assert await raw.receive() == (CLOSE, b"\x03\xf4restart")

    async def test_a_connection_is_closed_once(self, client: Client) -> None:
        raw = await client.raw_connect()
        for code in (1012, 4000):
            await client.control("POST", "/actions/close", {"code": code})
        assert await raw.receive() == (CLOSE, b"\x03\xf4")
        raw.send(CLOSE, b"\x03\xf4")
        assert await raw.rest() == b""

    async def test_reset_ends_with_a_rst(self, client: Client) -> None:
        raw = await client.raw_connect()
        assert await client.control("POST", "/actions/reset") == (200, {"connections": 1})
        with pytest.raises(ConnectionResetError):
            await raw.rest()

    async def test_abort_ends_with_a_fin_and_no_close_frame(self, client: Client) -> None:
        raw = await client.raw_connect()
        assert await client.control("POST", "/actions/abort") == (200, {"connections": 1})
        assert await raw.rest() == b""

    async def test_revoke_closes_with_3000_and_refuses_the_key(self, client: Client) -> None:
        raw, ticket = await client.raw_connect(), await client.ticket()
        assert (await client.control("POST", "/actions/revoke"))[0] == 200
        assert await raw.receive() == (CLOSE, b"\x0b\xb8")
        socket = await client.dial(ticket)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        url = f"http://{client.address}/v1/socket-tickets"
        async with client.http.post(
            url, headers={"Authorization": "Bearer aGVhZA.Ym9keQ.c2ln"}
        ) as response:
            assert response.status == 401
        await client.control("DELETE", "/faults")
        await client.connect()

    async def test_tick_pings_and_then_cuts(self, client: Client) -> None:
        raw = await client.raw_connect()
        await client.control("POST", "/actions/tick")
        assert await raw.receive() == (PING, b"")
        await client.control("POST", "/actions/tick")
        assert await raw.rest() == b""

    async def test_push_sends_a_text_of_any_length(self, client: Client) -> None:
        raw = await client.raw_connect()
        for text in ("hello", "x" * 125, "x" * 126, "ä" * 30_000):
            answer = await client.control("POST", "/actions/push", {"text": text})
            assert answer == (200, {"connections": 1})
            assert await raw.receive() == (TEXT, text.encode())

    @pytest.mark.parametrize(
        ("name", "body", "status", "line"),
        [
            ("close", {}, 400, "needs a code\n"),
            ("push", {}, 400, "needs a text\n"),
            ("tick", {"now": 1}, 400, "this action takes no parameters\n"),
            (
                "restart",
                {},
                404,
                "unknown action; known: close, reset, abort, revoke, tick, push\n",
            ),
        ],
    )
    async def test_a_mistake_is_one_line(
        self, client: Client, name: str, body: Any, status: int, line: str
    ) -> None:
        assert await client.control("POST", f"/actions/{name}", body) == (status, line)

    async def test_actions_without_connections_reach_none(self, client: Client) -> None:
        assert await client.control("POST", "/actions/abort") == (200, {"connections": 0})


class TestLife:
    """Starting and stopping."""

    async def test_without_a_control_port_there_is_no_control_endpoint(
        self, start: StartClient
    ) -> None:
        client = await start(control_port=None)
        assert client.target.control_port is None
        await client.connect()

    async def test_a_socket_port_that_is_taken_is_an_os_error_that_names_it(
        self, client: Client
    ) -> None:
        port = client.target.port
        second = Target(TargetSettings(port=port, control_port=0))
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
            await second.start()

    async def test_an_address_of_another_machine_is_an_os_error_that_names_it(self) -> None:
        target = Target(TargetSettings(host="192.0.2.1", port=7, control_port=None))
        with pytest.raises(OSError, match=r"^\[Errno 99\] cannot listen on 192\.0\.2\.1:7: Cannot"):
            await target.start()

    async def test_a_host_that_cannot_be_resolved_is_an_os_error_with_an_errno(self) -> None:
        target = Target(TargetSettings(host="no such host", port=0, control_port=None))
        with pytest.raises(OSError, match="cannot listen on no such host:0: ") as caught:
            await target.start()
        assert caught.value.errno == errno.EADDRNOTAVAIL

    async def test_a_control_port_that_is_taken_gives_the_socket_port_back(
        self, client: Client
    ) -> None:
        taken = client.target.control_port
        second = Target(TargetSettings(port=0, control_port=taken))
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{taken}: Address already"):
            await second.start()
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", second.port)) != 0

    async def test_faults_set_before_the_start_are_on_from_the_start(self) -> None:
        target = Target(TargetSettings(port=0, control_port=None))
        target.faults = Faults(refuse=True)
        await target.start()
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", target.port)) != 0
        await target.stop()

    async def test_serve_until_serves_until_it_is_told_to_stop(self) -> None:
        stopped = asyncio.Event()
        seen: list[int] = []

        def ready(target: Target) -> None:
            with socket.create_connection(("127.0.0.1", target.port)):
                seen.append(target.port)
            stopped.set()

        await serve_until(TargetSettings(port=0, control_port=0), stopped, ready)
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", seen[0])) != 0

    async def test_localhost_listens_on_every_address_of_it(self, start: StartClient) -> None:
        client = await start(host="localhost", control_host="localhost")
        for *_, address in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM):
            with socket.create_connection((str(address[0]), client.target.port)):
                pass
        await client.connect()


class TestPages:
    """What the page of another site can do, in a browser on this machine: nothing."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Host": "evil.example:10442"},
            {"Host": "evil.example:10442", "Origin": "http://evil.example:10442"},
            {"Host": "127.0.0.1.evil.example"},
            {"Host": ""},
        ],
    )
    async def test_it_switches_nothing_on(self, client: Client, headers: dict[str, str]) -> None:
        url = f"http://127.0.0.1:{client.target.control_port}/faults"
        async with aiohttp.ClientSession() as http:
            # A page may send this without asking first: it is a simple request.
            async with http.post(
                url.replace("faults", "actions/tick"), data="{}", headers=headers
            ) as answer:
                assert answer.status == 403
            async with http.get(url, headers=headers) as answer:
                assert await answer.text() == "no page of a browser may ask here\n"
            async with http.put(url, json={"silent": True}, headers=headers) as answer:
                assert answer.status == 403
        assert client.target.faults == Faults()

    @pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:10442", "LOCALHOST"])
    async def test_names_of_this_machine_are_answered(self, client: Client, host: str) -> None:
        url = f"http://127.0.0.1:{client.target.control_port}/faults"
        async with (
            aiohttp.ClientSession() as http,
            http.get(url, headers={"Host": host}) as answer,
        ):
            assert answer.status == 200

    async def test_exposed_on_purpose_it_has_any_name(self) -> None:
        """In a cluster it is that of a Service. Pages of elsewhere stay out."""
        target = Target(
            TargetSettings(port=0, control_host="0.0.0.0", control_port=0, expose_control=True)
        )
        await target.start()
        url = f"http://127.0.0.1:{target.control_port}/faults"
        host = {"Host": "target.test.svc:10442"}
        async with aiohttp.ClientSession() as http:
            async with http.get(url, headers=host) as answer:
                assert answer.status == 200
            async with http.get(url, headers=host | {"Origin": "http://a.example"}) as answer:
                assert answer.status == 403
        await target.stop()
