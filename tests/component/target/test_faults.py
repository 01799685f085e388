"""Each fault, switched on in a running target, does what it says and ends when released."""

import asyncio
import json
import ssl
from typing import Any

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus

from monitor.target import CloseFrame, Faults, Rejection
from tests.component.target.clients import (
    API_KEY,
    CLOSE,
    CONNECTED,
    PING,
    PONG,
    TEXT,
    Client,
    RawSocket,
    StartClient,
    upgrade_request,
)

pytestmark = pytest.mark.timeout(20)

HEARTBEAT = "v1.heartbeat"


async def marker(socket: Any) -> str:
    """Provoke an error answer: what was to be answered before it has come before it."""
    await socket.send("?")
    message = await socket.recv()
    assert json.loads(message)["data"]["errorCode"] == "ROUTING_ERROR", message
    return str(message)


async def heartbeat(raw: RawSocket) -> None:
    """Send a heartbeat and wait for its echo."""
    raw.send(TEXT, HEARTBEAT.encode())
    assert await raw.receive() == (TEXT, HEARTBEAT.encode())


class TestEcho:
    """Faults of the echo."""

    async def test_silent_leaves_every_heartbeat_without_an_echo(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(silent=True)
        await socket.send(HEARTBEAT)
        await marker(socket)
        client.target.faults = Faults()
        await socket.send(HEARTBEAT)
        assert await socket.recv() == HEARTBEAT
        counters = client.target.counters
        assert (counters.heartbeats_received, counters.heartbeats_swallowed) == (2, 1)

    async def test_swallow_every_leaves_each_nth_without_an_echo(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(swallow_every=3)
        for number in range(1, 8):
            await socket.send(HEARTBEAT)
            if number % 3 == 0:
                await marker(socket)
            else:
                assert await socket.recv() == HEARTBEAT
        assert client.target.counters.heartbeats_swallowed == 2

    async def test_duplicate_adds_echoes(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(duplicate=2)
        await socket.send(HEARTBEAT)
        assert [await socket.recv() for _ in range(3)] == [HEARTBEAT] * 3
        await marker(socket)
        assert client.target.counters.echoes_sent == 3

    async def test_corrupt_alters_the_echo(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(corrupt=True)
        await socket.send(HEARTBEAT)
        echo = await socket.recv()
        assert isinstance(echo, str)
        assert len(echo) == len(HEARTBEAT)
        assert echo != HEARTBEAT

    async def test_delay_is_counted_from_each_arrival_even_if_beats_come_faster(
        self, client: Client
    ) -> None:
        socket = await client.connect()
        client.target.faults = Faults(delay=0.4)
        loop = asyncio.get_running_loop()
        sent, received = [], []
        for _ in range(5):
            sent.append(loop.time())
            await socket.send(HEARTBEAT)
            await asyncio.sleep(0.05)
        for _ in range(5):
            assert await socket.recv() == HEARTBEAT
            received.append(loop.time())
        assert all(came - went >= 0.399 for went, came in zip(sent, received, strict=True))
        # One after the other they would need 5 x 0.4 s.
        assert received[-1] - sent[0] < 1.9

    async def test_a_shorter_delay_does_not_let_an_echo_overtake(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(delay=0.2)
        await socket.send(HEARTBEAT)
        await marker(socket)
        client.target.faults = Faults(corrupt=True)
        await socket.send(HEARTBEAT)
        await marker(socket)
        assert await socket.recv() == HEARTBEAT
        assert await socket.recv() != HEARTBEAT

    async def test_faults_of_the_echo_compose(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(delay=0.05, duplicate=1, swallow_every=2)
        for _ in range(3):
            await socket.send(HEARTBEAT)
        assert [await socket.recv() for _ in range(4)] == [HEARTBEAT] * 4
        await marker(socket)

    async def test_without_heartbeat_support_the_answer_is_a_routing_error(
        self, client: Client
    ) -> None:
        socket = await client.connect()
        client.target.faults = Faults(no_heartbeat_support=True)
        await socket.send(HEARTBEAT)
        assert json.loads(await socket.recv())["data"]["errorCode"] == "ROUTING_ERROR"
        assert client.target.counters.heartbeats_received == 1

    async def test_rate_points_lower_the_limit_of_open_connections(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(rate_points=1)
        await socket.send(HEARTBEAT)
        assert await socket.recv() == HEARTBEAT
        await socket.send(HEARTBEAT)
        assert json.loads(await socket.recv())["data"]["errorCode"] == "RATE_LIMIT_EXCEEDED"
        client.target.faults = Faults()
        await socket.send(HEARTBEAT)
        assert await socket.recv() == HEARTBEAT

    async def test_mute_pongs_leaves_control_pings_alone_without_answer(
        self, client: Client
    ) -> None:
        raw = await client.raw_connect()
        client.target.faults = Faults(mute_pongs=True)
        raw.send(PING, b"lost")
        await heartbeat(raw)
        client.target.faults = Faults()
        raw.send(PING, b"found")
        assert await raw.receive() == (PONG, b"found")
        assert client.target.counters.pings_received == 2

    async def test_noise_pushes_live_config_messages(self, client: Client) -> None:
        socket = await client.connect()
        client.target.faults = Faults(noise=200)
        for _ in range(5):
            assert json.loads(await socket.recv())["res"] == "v1.live-config.updated"
        client.target.faults = Faults()
        socket = await client.connect()
        await marker(socket)


class TestStall:
    """Faults that hold things up, and let them go on release."""

    async def test_a_frozen_target_answers_nothing_until_its_release(self, client: Client) -> None:
        raw = await client.raw_connect()
        ticket = await client.ticket()
        client.target.faults = Faults(freeze=True)
        raw.send(PING, b"1")
        raw.send(TEXT, HEARTBEAT.encode())
        raw.send(TEXT, HEARTBEAT.encode())
        health = asyncio.create_task(client.http.get(f"http://{client.address}/public/health"))
        dial = asyncio.create_task(client.raw_dial(ticket))
        frame = asyncio.create_task(raw.receive())
        await client.a_while()
        assert not any(task.done() for task in (health, dial, frame))
        assert client.target.counters.heartbeats_received == 0

        client.target.faults = Faults()
        assert await frame == (PONG, b"1")
        assert await raw.receive() == (TEXT, HEARTBEAT.encode())
        assert await raw.receive() == (TEXT, HEARTBEAT.encode())
        assert (await health).status == 204
        assert await (await dial).receive() == (TEXT, CONNECTED.encode())

    async def test_a_frozen_target_sends_nothing_that_falls_due(self, client: Client) -> None:
        raw, ticket = await client.raw_connect(), await client.ticket()
        client.target.faults = Faults(delay=0.3, connect_delay=0.3)
        raw.send(TEXT, HEARTBEAT.encode())
        await raw.sync()
        fresh = await client.raw_dial(ticket)
        client.target.faults = Faults(freeze=True, noise=100)
        frames = [asyncio.create_task(socket.receive()) for socket in (raw, fresh)]
        due = asyncio.get_running_loop().time() + 0.4
        while asyncio.get_running_loop().time() < due:
            await client.a_while()
        assert not any(frame.done() for frame in frames)

        client.target.faults = Faults()
        assert await frames[0] == (TEXT, HEARTBEAT.encode())
        assert await frames[1] == (TEXT, CONNECTED.encode())

    async def test_stalled_messages_stall_neither_pongs_nor_server_pings(
        self, client: Client
    ) -> None:
        raw = await client.raw_connect()
        client.target.faults = Faults(stall_messages=True)
        raw.send(TEXT, HEARTBEAT.encode())
        raw.send(TEXT, b"?")
        raw.send(TEXT, HEARTBEAT.encode())
        await raw.sync()
        client.target.tick()
        assert await raw.receive() == (PING, b"")

        client.target.faults = Faults()
        opcode, payload = TEXT, HEARTBEAT.encode()
        assert await raw.receive() == (opcode, payload)
        assert b"ROUTING_ERROR" in (await raw.receive())[1]
        assert await raw.receive() == (opcode, payload)

    async def test_a_stalled_heartbeat_is_no_sign_of_life(self, client: Client) -> None:
        """Talo compares a message with the heartbeat only after its Redis has answered."""
        raw = await client.raw_connect()
        client.target.faults = Faults(stall_messages=True)
        client.target.tick()
        assert await raw.receive() == (PING, b"")
        raw.send(TEXT, HEARTBEAT.encode())
        await raw.sync()
        client.target.tick()
        assert await raw.rest() == b""

    async def test_stalled_messages_keep_new_sockets_at_their_101(self, client: Client) -> None:
        ticket = await client.ticket()
        client.target.faults = Faults(stall_messages=True)
        raw = await client.raw_dial(ticket)
        raw.send(TEXT, HEARTBEAT.encode())
        await raw.sync()
        client.target.faults = Faults()
        assert await raw.receive() == (TEXT, CONNECTED.encode())
        await raw.sync()
        assert client.target.counters.heartbeats_received == 0

    async def test_freeze_passes_into_stalled_messages(self, client: Client) -> None:
        raw = await client.raw_connect()
        client.target.faults = Faults(stall_messages=True)
        raw.send(TEXT, b"?")
        raw.send(TEXT, HEARTBEAT.encode())
        await raw.sync()
        client.target.faults = Faults(freeze=True)
        frame = asyncio.create_task(raw.receive())
        await client.a_while()
        assert not frame.done()
        client.target.faults = Faults()
        assert b"ROUTING_ERROR" in (await frame)[1]
        assert await raw.receive() == (TEXT, HEARTBEAT.encode())

    async def test_a_frozen_target_does_not_notice_that_a_client_leaves(
        self, client: Client
    ) -> None:
        raw = await client.raw_connect()
        client.target.faults = Faults(freeze=True)
        raw.writer.write_eof()
        await client.a_while()
        assert not raw.reader.at_eof()
        client.target.faults = Faults()
        assert await raw.rest() == b""

    async def test_a_tick_that_fell_into_a_freeze_comes_once_and_before_anything_is_read(
        self, start: StartClient
    ) -> None:
        client = await start(tick_period=1.0)
        due = asyncio.get_running_loop().time() + 1.05
        raw = await client.raw_connect()
        client.target.faults = Faults(freeze=True)
        raw.send(PING, b"queued")
        while asyncio.get_running_loop().time() < due:
            await client.a_while()
        client.target.faults = Faults()
        assert await raw.receive() == (PING, b"")
        assert await raw.receive() == (PONG, b"queued")
        client.target.faults = Faults(corrupt=True)
        await raw.sync()

    async def test_freeze_works_over_tls(self, start: StartClient) -> None:
        authority = trustme.CA()
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(serving)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        client = await start(ssl_context=serving)
        host = f"localhost:{client.target.port}"
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with client.http.post(
            f"https://{host}/v1/socket-tickets", headers=headers, ssl=trusting
        ) as response:
            ticket = (await response.json())["ticket"]
        async with client.http.ws_connect(f"wss://{host}/?ticket={ticket}", ssl=trusting) as socket:
            assert await socket.receive_str() == CONNECTED
            client.target.faults = Faults(freeze=True)
            await socket.send_str(HEARTBEAT)
            await client.a_while()
            assert client.target.counters.heartbeats_received == 0
            handshake = asyncio.create_task(
                asyncio.open_connection("localhost", client.target.port, ssl=trusting)
            )
            await client.a_while()
            assert not handshake.done()
            client.target.faults = Faults()
            assert await socket.receive_str() == HEARTBEAT
            _, writer = await handshake
            writer.transport.abort()
            client.target.abort_connections()


class TestConnecting:
    """Faults of a new connection."""

    async def closing(self, client: Client, ticket: str) -> tuple[int, str]:
        socket = await client.dial(ticket)
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code, caught.value.rcvd.reason

    async def test_database_down_closes_with_3000_and_uses_the_ticket_up(
        self, client: Client
    ) -> None:
        socket, ticket = await client.connect(), await client.ticket()
        client.target.faults = Faults(database_down=True)
        assert await self.closing(client, ticket) == (3000, "")
        await socket.send(HEARTBEAT)
        assert await socket.recv() == HEARTBEAT
        client.target.faults = Faults()
        assert await self.closing(client, ticket) == (3000, "")

    async def test_database_stalled_holds_v1_connected_back_and_no_echo(
        self, client: Client
    ) -> None:
        socket = await client.connect()
        client.target.faults = Faults(database_stalled=True)
        raw = await client.raw_dial(await client.ticket())
        await client.a_while()
        await raw.sync()
        await socket.send(HEARTBEAT)
        assert await socket.recv() == HEARTBEAT
        client.target.faults = Faults()
        assert await raw.receive() == (TEXT, CONNECTED.encode())

    async def test_never_connected_outlives_its_release(self, client: Client) -> None:
        client.target.faults = Faults(never_connected=True)
        raw = await client.raw_dial(await client.ticket())
        client.target.faults = Faults()
        await client.connect()
        await raw.sync()

    async def test_accept_then_close_closes_right_after_the_101(self, client: Client) -> None:
        ticket = await client.ticket()
        client.target.faults = Faults(accept_then_close=CloseFrame(1013, "busy"))
        raw = await client.raw_dial(ticket)
        assert await raw.receive() == (CLOSE, b"\x03\xf5busy")

    async def test_refuse_gives_the_listening_up_and_keeps_open_connections(
        self, client: Client
    ) -> None:
        socket = await client.connect()
        client.target.faults = Faults(refuse=True)
        with pytest.raises(ConnectionRefusedError):
            await client.open_tcp()
        await socket.send(HEARTBEAT)
        assert await socket.recv() == HEARTBEAT
        client.target.faults = Faults()
        await client.connect()

    async def test_reject_upgrade_answers_a_status(self, client: Client) -> None:
        client.target.faults = Faults(reject_upgrade=Rejection(503, retry_after=7))
        with pytest.raises(InvalidStatus) as caught:
            await client.dial("")
        assert caught.value.response.status_code == 503
        assert caught.value.response.headers["Retry-After"] == "7"

    async def test_reject_upgrade_with_401_looks_like_a_stripped_upgrade_header(
        self, client: Client
    ) -> None:
        client.target.faults = Faults(reject_upgrade=Rejection(401))
        with pytest.raises(InvalidStatus) as caught:
            await client.dial("")
        assert caught.value.response.status_code == 401
        assert caught.value.response.body == b'{"message":"Authentication Error"}'

    async def test_redirect_answers_302(self, client: Client) -> None:
        client.target.faults = Faults(redirect="ws://127.0.0.1:1/")
        response, _ = await client.request(upgrade_request("/"))
        assert response.startswith("HTTP/1.1 302 ")
        assert "Location: ws://127.0.0.1:1/\r\n" in response

    async def test_connect_delay_comes_before_v1_connected(self, client: Client) -> None:
        ticket = await client.ticket()
        client.target.faults = Faults(connect_delay=0.1)
        loop = asyncio.get_running_loop()
        dialled = loop.time()
        raw = await client.raw_dial(ticket)
        assert await raw.receive() == (TEXT, CONNECTED.encode())
        assert loop.time() - dialled >= 0.1

    async def test_another_change_of_the_faults_does_not_shorten_the_connect_delay(
        self, client: Client
    ) -> None:
        ticket = await client.ticket()
        client.target.faults = Faults(connect_delay=3600)
        raw = await client.raw_dial(ticket)
        client.target.faults = Faults(corrupt=True)
        await client.a_while()
        await raw.sync()

    async def test_ticket_status_takes_the_place_of_a_ticket(self, client: Client) -> None:
        client.target.faults = Faults(ticket_status=Rejection(429, retry_after=11))
        url = f"http://{client.address}/v1/socket-tickets"
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with client.http.post(url, headers=headers) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "11")
            assert await response.json() == {"message": "Too Many Requests"}
        assert client.target.counters.tickets_issued == 0
