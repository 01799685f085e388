"""The target speaks Talo's protocol: HTTP, the upgrade, the heartbeat, errors and liveness."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from monitor.target import Faults
from tests.component.target.clients import (
    API_KEY,
    BINARY,
    CLOSE,
    CONNECTED,
    PING,
    PONG,
    TEXT,
    Client,
    StartClient,
    upgrade_request,
)

pytestmark = pytest.mark.timeout(20)

AUTHENTICATION_ERROR = {"message": "Authentication Error"}
BAD_TOKEN = {"message": "Please provide a valid token in the Authorization header"}


async def ask(
    client: Client, method: str, path: str, key: str | None = None, **headers: str
) -> tuple[int, Any, Any]:
    """Return the status, the JSON and the headers of an answer of the target."""
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    url = f"http://{client.address}{path}"
    async with client.http.request(method, url, headers=headers) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else None, response.headers


async def closing(client: Client, ticket: str) -> tuple[int, str]:
    """Return how a connection with that ticket is closed."""
    socket = await client.dial(ticket)
    with pytest.raises(ConnectionClosed) as caught:
        await socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


class TestHttp:
    """Plain HTTP on the port of the sockets."""

    async def test_public_health_needs_no_key(self, client: Client) -> None:
        assert (await ask(client, "GET", "/public/health"))[:2] == (204, None)

    async def test_health_check_needs_a_key(self, client: Client) -> None:
        assert (await ask(client, "GET", "/v1/health-check", API_KEY))[:2] == (204, None)
        assert (await ask(client, "GET", "/v1/health-check"))[:2] == (401, AUTHENTICATION_ERROR)

    async def test_a_ticket_is_a_uuid_in_compact_json(self, client: Client) -> None:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        url = f"http://{client.address}/v1/socket-tickets"
        async with client.http.post(url, headers=headers) as response:
            text = await response.text()
        assert text == json.dumps(json.loads(text), separators=(",", ":"))
        assert len(json.loads(text)["ticket"]) == 36
        assert client.target.counters.tickets_issued == 1

    async def test_a_ticket_needs_a_good_key(self, client: Client) -> None:
        path = "/v1/socket-tickets"
        assert (await ask(client, "POST", path))[:2] == (401, AUTHENTICATION_ERROR)
        assert (await ask(client, "POST", path, "nonsense"))[:2] == (401, BAD_TOKEN)
        assert client.target.counters.tickets_issued == 0

    async def test_only_the_configured_key_is_good(self, start: StartClient) -> None:
        client = await start(api_key="the-key")
        path = "/v1/socket-tickets"
        assert (await ask(client, "POST", path, "the-key"))[0] == 200
        assert (await ask(client, "POST", path, API_KEY))[:2] == (401, AUTHENTICATION_ERROR)

    async def test_the_21st_ticket_in_a_minute_is_429_for_any_key(self, start: StartClient) -> None:
        client = await start(ticket_points=20)
        path = "/v1/socket-tickets"
        answers = [(await ask(client, "POST", path, API_KEY))[0] for _ in range(20)]
        assert answers == [200] * 20
        for key in (API_KEY, "nonsense"):
            status, body, headers = await ask(client, "POST", path, key)
            assert (status, body) == (429, {"message": "Too Many Requests"})
            assert headers["Retry-After"] == "60"

    async def test_each_client_address_has_its_own_ticket_limit(self, start: StartClient) -> None:
        client = await start(ticket_points=1)
        ask_from = {"X-Forwarded-For": "192.0.2.7, 10.0.0.1"}
        path = "/v1/socket-tickets"
        assert (await ask(client, "POST", path, API_KEY))[0] == 200
        assert (await ask(client, "POST", path, API_KEY, **ask_from))[0] == 200
        assert (await ask(client, "POST", path, API_KEY, **ask_from))[0] == 429

    @pytest.mark.parametrize("path", ["/", "/socket?ticket=x", "/v1/nothing"])
    async def test_any_other_request_is_401(self, client: Client, path: str) -> None:
        """So a proxy that takes the Upgrade header away turns the 101 into a 401."""
        assert (await ask(client, "GET", path))[:2] == (401, AUTHENTICATION_ERROR)


class TestUpgrade:
    """What gets a 101."""

    @pytest.mark.parametrize("path", ["/", "/socket", "/any/where"])
    async def test_any_path_upgrades(self, client: Client, path: str) -> None:
        response, _ = await client.request(upgrade_request(path))
        assert response.startswith("HTTP/1.1 101 ")

    async def test_only_version_13_and_8_upgrade(self, client: Client) -> None:
        response, _ = await client.request(upgrade_request("/", version="7"))
        assert response.startswith("HTTP/1.1 400 ")
        assert "Sec-WebSocket-Version: 13, 8\r\n" in response

    async def test_only_get_upgrades(self, client: Client) -> None:
        response, _ = await client.request(upgrade_request("/").replace("GET", "POST"))
        assert response.startswith("HTTP/1.1 405 ")

    async def test_the_first_offered_subprotocol_is_chosen(self, client: Client) -> None:
        offer = "Sec-WebSocket-Protocol: chat, superchat\n"
        response, _ = await client.request(upgrade_request("/", offer))
        assert "Sec-WebSocket-Protocol: chat\r\n" in response

    async def test_compression_is_never_negotiated(self, client: Client) -> None:
        offer = "Sec-WebSocket-Extensions: permessage-deflate\n"
        response, _ = await client.request(upgrade_request("/", offer))
        assert response.startswith("HTTP/1.1 101 ")
        assert "Sec-WebSocket-Extensions" not in response


class TestAdmission:
    """From the 101 to `v1.connected`."""

    async def test_a_ticket_brings_v1_connected(self, client: Client) -> None:
        socket = await client.dial(await client.ticket())
        assert await socket.recv() == CONNECTED
        assert client.target.counters.connections_open == 1

    async def test_a_ticket_is_good_once(self, client: Client) -> None:
        ticket = await client.ticket()
        assert await (await client.dial(ticket)).recv() == CONNECTED
        assert await closing(client, ticket) == (3000, "")

    @pytest.mark.parametrize("ticket", ["", "5f0c6d2e-6a0c-4c58-9f5a-0d3c6b7a8e9f"])
    async def test_without_a_known_ticket_the_101_is_followed_by_3000(
        self, client: Client, ticket: str
    ) -> None:
        assert await closing(client, ticket) == (3000, "")

    async def test_an_expired_ticket_is_unknown(self, start: StartClient) -> None:
        client = await start(ticket_ttl=0.0)
        assert await closing(client, await client.ticket()) == (3000, "")

    async def test_a_heartbeat_in_the_segment_of_the_handshake_is_lost(
        self, client: Client
    ) -> None:
        heartbeat = b"\x81\x8c" + bytes(4) + b"v1.heartbeat"
        raw = await client.raw_dial(await client.ticket(), then=heartbeat)
        assert await raw.receive() == (TEXT, CONNECTED.encode())
        await raw.sync()
        assert client.target.counters.heartbeats_received == 0

    async def test_a_heartbeat_before_v1_connected_is_lost_and_a_ping_is_not(
        self, start: StartClient
    ) -> None:
        client = await start(connect_time=0.2)
        raw = await client.raw_dial(await client.ticket())
        raw.send(TEXT, b"v1.heartbeat")
        raw.send(PING, b"are you there")
        assert await raw.receive() == (PONG, b"are you there")
        assert await raw.receive() == (TEXT, CONNECTED.encode())
        raw.send(TEXT, b"v1.heartbeat")
        assert await raw.receive() == (TEXT, b"v1.heartbeat")
        await raw.sync()
        assert client.target.counters.heartbeats_received == 1


class TestHeartbeat:
    """Echoes, errors and the rate limit."""

    async def test_each_heartbeat_has_its_echo(self, client: Client) -> None:
        socket = await client.connect()
        for _ in range(3):
            await socket.send("v1.heartbeat")
        assert [await socket.recv() for _ in range(3)] == ["v1.heartbeat"] * 3
        counters = client.target.counters
        assert (counters.heartbeats_received, counters.echoes_sent) == (3, 3)

    async def test_a_binary_heartbeat_has_a_text_echo(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.send(BINARY, b"v1.heartbeat")
        assert await raw.receive() == (TEXT, b"v1.heartbeat")

    async def test_a_fragmented_heartbeat_has_one_echo(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.send(TEXT, b"v1.", final=False)
        raw.send(0, b"heartbeat")
        assert await raw.receive() == (TEXT, b"v1.heartbeat")
        await raw.sync()

    async def test_a_control_ping_is_answered_with_its_payload(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.send(PING, b"1234")
        assert await raw.receive() == (PONG, b"1234")
        assert client.target.counters.pings_received == 1

    @pytest.mark.parametrize(
        ("message", "code"),
        [("v1.heartbeat\n", "ROUTING_ERROR"), ('"v1.heartbeat"', "INVALID_MESSAGE")],
    )
    async def test_what_is_not_exactly_a_heartbeat_is_an_error(
        self, client: Client, message: str, code: str
    ) -> None:
        socket = await client.connect()
        await socket.send(message)
        assert json.loads(await socket.recv())["data"]["errorCode"] == code

    async def test_after_300_messages_come_three_errors_and_then_1008(self, client: Client) -> None:
        socket = await client.connect()
        for _ in range(304):
            await socket.send("v1.heartbeat")
        assert {await socket.recv() for _ in range(300)} == {"v1.heartbeat"}
        errors = [json.loads(await socket.recv())["data"] for _ in range(3)]
        assert [error["errorCode"] for error in errors] == ["RATE_LIMIT_EXCEEDED"] * 3
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "RATE_LIMIT_EXCEEDED")

    async def test_a_new_connection_has_a_fresh_limit(self, start: StartClient) -> None:
        client = await start(message_points=1)
        for _ in range(2):
            socket = await client.connect()
            await socket.send("v1.heartbeat")
            assert await socket.recv() == "v1.heartbeat"


class TestClose:
    """How a connection is closed."""

    async def test_a_close_frame_is_echoed_before_the_fin(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.send(CLOSE, b"\x03\xe8bye")
        assert await raw.receive() == (CLOSE, b"\x03\xe8bye")
        assert await raw.rest() == b""
        assert client.target.counters.close_codes_received == {1000: 1}

    async def test_a_close_frame_without_a_code_counts_as_1005(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.send(CLOSE)
        assert await raw.receive() == (CLOSE, b"")
        assert await raw.rest() == b""
        assert client.target.counters.close_codes_received == {1005: 1}

    async def test_after_its_own_close_frame_the_target_waits_for_the_peers(
        self, client: Client
    ) -> None:
        raw = await client.raw_dial("")
        assert await raw.receive() == (CLOSE, b"\x0b\xb8")
        await client.a_while()
        assert not raw.reader.at_eof()
        raw.send(CLOSE, b"\x0b\xb8")
        assert await raw.rest() == b""
        assert client.target.counters.close_codes_received == {3000: 1}

    async def test_the_wait_for_the_peers_close_frame_has_an_end(self, start: StartClient) -> None:
        client = await start(close_timeout=0.05)
        raw = await client.raw_dial("")
        assert await raw.receive() == (CLOSE, b"\x0b\xb8")
        assert await raw.rest() == b""

    async def test_text_that_is_no_utf8_closes_with_1007(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.send(TEXT, b"\xff")
        assert await raw.receive() == (CLOSE, b"\x03\xef")

    async def test_a_message_beyond_100_mib_closes_with_1009_at_its_header(
        self, client: Client
    ) -> None:
        raw = await client.raw_connect()
        raw.writer.write(b"\x82\xff" + (100 * 1024 * 1024 + 1).to_bytes(8, "big"))
        assert await raw.receive() == (CLOSE, b"\x03\xf1")

    async def test_connections_that_have_ended_are_no_longer_open(self, client: Client) -> None:
        raw = await client.raw_connect()
        raw.writer.transport.abort()
        while client.target.counters.connections_open:
            await client.a_while()
        assert client.target.counters.connections_total == 1


class TestLiveness:
    """The process-wide tick."""

    async def test_a_silent_client_is_cut_at_the_second_tick_without_a_close_frame(
        self, start: StartClient
    ) -> None:
        client = await start(tick_period=0.05)
        raw = await client.raw_connect()
        assert await raw.receive() == (PING, b"")
        assert await raw.rest() == b""

    async def test_a_pong_is_a_sign_of_life(self, client: Client) -> None:
        raw = await client.raw_connect()
        for _ in range(3):
            client.target.tick()
            assert await raw.receive() == (PING, b"")
            raw.send(PONG)
            await raw.sync()
        assert client.target.counters.pongs_received == 3

    async def test_a_heartbeat_is_a_sign_of_life(self, client: Client) -> None:
        raw = await client.raw_connect()
        for _ in range(3):
            client.target.tick()
            assert await raw.receive() == (PING, b"")
            raw.send(TEXT, b"v1.heartbeat")
            assert await raw.receive() == (TEXT, b"v1.heartbeat")

    async def test_a_ping_of_the_clients_is_no_sign_of_life(self, client: Client) -> None:
        raw = await client.raw_connect()
        client.target.tick()
        assert await raw.receive() == (PING, b"")
        await raw.sync()
        client.target.tick()
        assert await raw.rest() == b""

    async def test_a_socket_without_v1_connected_is_neither_pinged_nor_cut(
        self, start: StartClient
    ) -> None:
        client = await start(connect_time=3600.0)
        raw = await client.raw_dial("")
        for _ in range(3):
            client.target.tick()
        await raw.sync()


class TestStop:
    """A graceful stop."""

    async def test_connections_end_without_a_close_frame(self, client: Client) -> None:
        raw = await client.raw_connect()
        await client.target.stop()
        assert await raw.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await client.open_tcp()

    async def test_an_idle_http_connection_does_not_delay_the_stop(self, client: Client) -> None:
        reader, writer = await client.open_tcp()
        writer.write(b"GET /public/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(4):
            await client.target.stop()
        assert await reader.read() == b""

    async def test_a_frozen_target_stops_as_well(self, client: Client) -> None:
        raw = await client.raw_connect()
        client.target.faults = Faults(freeze=True)
        raw.send(TEXT, b"v1.heartbeat")
        async with asyncio.timeout(4):
            await client.target.stop()
        # Closing a socket that holds unread bytes resets it, as the end of a process does.
        with contextlib.suppress(ConnectionResetError):
            assert await raw.rest() == b""
        assert client.target.counters.connections_open == 0

    async def test_stopping_twice_is_harmless(self, client: Client) -> None:
        await client.target.stop()
        await client.target.stop()
