"""Peers that behave badly, all at once, beside a healthy one: it must not notice them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.component.net.conftest import Serve
from tests.component.net.peers import PATIENCE, PING, TEXT, Peer, frame, serving
from tests.integration.harness import Lab, Scrape, probe, talo_probe

HEALTHY = "healthy"

BUCKETS = ["1ms", "5ms", "25ms", "50ms", "100ms", "250ms"]

SOON = {"ticket": "1s", "dns": "1s", "tcp": "1s", "tls": "1s", "upgrade": "1s", "ready": "1s"}

FLOOD_RATE = 5000
"""Messages in a second."""

FLOOD_SECONDS = 4.0

OBSERVED = 10
"""How many beats of the healthy probe are looked at, before and during the trouble."""


OVER = threading.Event()
"""Ends the scripts that wait for nothing."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers with scripts."""
    OVER.clear()
    with serving() as serve:
        yield serve
        OVER.set()


def silent(peer: Peer) -> None:
    """Accept, and never answer."""
    peer.wait_end()


def drips_http(peer: Peer) -> None:
    """Answer the upgrade at one byte a second."""
    for byte in b"HTTP/1.1 101 Switching Protocols\r\n":
        peer.send(bytes([byte]))
        if OVER.wait(1):
            return


def drips_frames(peer: Peer) -> None:
    """Accept the upgrade, then send a long message at one byte a second."""
    peer.upgrade()
    for byte in frame(TEXT, b"x" * 120):
        peer.send(bytes([byte]))
        if OVER.wait(1):
            return


def never_reads(peer: Peer) -> None:
    """Accept the upgrade, and read nothing after it."""
    peer.upgrade()
    assert OVER.wait(PATIENCE)


def floods(peer: Peer) -> None:
    """Send thousands of small messages a second for a few seconds, then echo as it should."""
    peer.upgrade()
    message = frame(TEXT, b'{"res":"v1.live-config.updated"}')
    began = time.monotonic()
    sent = 0
    while (elapsed := time.monotonic() - began) < FLOOD_SECONDS:
        due = int(elapsed * FLOOD_RATE) - sent
        peer.send(message * due)
        sent += due
        time.sleep(0.005)
    peer.echo()


def pings(peer: Peer) -> None:
    """Ping as fast as one can for a few seconds, and read no answer meanwhile."""
    peer.upgrade()
    end = time.monotonic() + FLOOD_SECONDS
    while time.monotonic() < end:
        peer.send(frame(PING, b"?") * 50)
        time.sleep(0.01)
    peer.echo()


def bad(name: str, port: int, scheme: str = "ws", **keys: Any) -> dict[str, Any]:
    """The section of a probe of a peer that behaves badly."""
    defaults = {
        "text": {"send": "x {id}"},
        "heartbeat": {"interval": "200ms", "timeout": "1s"},
        "timeouts": SOON,
    }
    return probe(name, f"{scheme}://127.0.0.1:{port}/", "text", **(defaults | keys))


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """Give a port that refuses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def median(scrape: Scrape, since: Scrape | None = None) -> float:
    """The bucket of the healthy probe's median RTT: its upper bound in seconds."""
    rtt = scrape.probe(HEALTHY).message.rtt
    if since is not None:
        rtt = rtt - since.probe(HEALTHY).message.rtt
    return min(bound for bound, count in rtt.buckets.items() if count * 2 >= rtt.count)


async def test_bad_peers_are_told_of_and_cost_a_healthy_one_nothing(lab: Lab, serve: Serve) -> None:
    """Silent, dripping, unreading, flooding, refusing and stalling ones, side by side."""
    target = await lab.target()
    healthy = talo_probe(HEALTHY, target.url, interval="500ms", timeout="500ms")
    metrics = {"rtt_buckets": BUCKETS}
    monitor = await lab.monitor([healthy], metrics=metrics)
    alone = await monitor.until(lambda scrape: scrape.probe(HEALTHY).message.echoed >= OBSERVED)
    with nobody() as refused:
        probes = [
            bad("silent", serve(silent).port),
            bad("drips-http", serve(drips_http).port),
            bad("drips-frames", serve(drips_frames).port),
            bad(
                "never-reads",
                serve(never_reads, receive_buffer=4096).port,
                text={"send": "x" * 3000 + "{id}"},
                heartbeat={"interval": "50ms", "timeout": "5s"},
                missed_threshold=1000,
            ),
            bad(
                "floods",
                serve(floods).port,
                missed_threshold=1000,
                max_message_rate=10 * FLOOD_RATE,
            ),
            bad("floods-too-much", serve(floods).port, max_message_rate=FLOOD_RATE // 5),
            bad("pings", serve(pings).port, missed_threshold=1000),
            bad("refused", refused),
            bad("stalls", serve(silent).port, scheme="wss", tls={"verify": False}),
        ]
        config = {
            "web": {"listen": "127.0.0.1:0"},
            "log": {"level": "info", "format": "json"},
            "ticket_budget": {"per_minute": 100_000},
            "connect": {"max_concurrent": 1000, "per_second": 1000},
            "metrics": metrics,
            "probes": [healthy, *probes],
        }
        await monitor.reload(config)
        began = await monitor.scrape()

        def all_is_told(scrape: Scrape) -> bool:
            views = {section["name"]: scrape.probe(section["name"]) for section in probes}
            echoed = scrape.probe(HEALTHY).message.echoed - began.probe(HEALTHY).message.echoed
            return (
                echoed >= OBSERVED
                and views["silent"].failures.get("bad_upgrade", 0) > 0
                and views["drips-http"].failures.get("bad_upgrade", 0) > 0
                and views["stalls"].failures.get("tls_other", 0) > 0
                and views["refused"].failures.get("tcp_refused", 0) > 3
                and ("local", "1006") in views["drips-frames"].disconnects
                and views["floods"].message.echoed > 0
                and ("local", "1008") in views["floods-too-much"].disconnects
                and views["pings"].message.echoed > 0
            )

        ended = await monitor.until(all_is_told, what="the bad peers are told of")
    for view in (ended.probe(section["name"]) for section in probes):
        assert len(view.failures) <= 1, view
    flooded = ended.value("ws_probe_messages_received_total", probe="floods")
    assert flooded >= FLOOD_RATE * FLOOD_SECONDS * 0.9
    assert ended.value("ws_probe_server_pings_total", probe="pings") > 1000
    healthy_view = ended.probe(HEALTHY)
    assert healthy_view.attempts == 1
    assert healthy_view.message.missed == 0
    assert healthy_view.message.skipped.get("overrun", 0) == 0
    assert healthy_view.downtime == alone.probe(HEALTHY).downtime
    assert median(ended, began) <= max(10 * median(alone), 0.025)


async def test_a_peer_that_never_reads_is_given_up_for_that(lab: Lab, serve: Serve) -> None:
    """As soon as what it leaves unread fills its buffers and ours."""
    monitor = await lab.monitor(
        [
            bad(
                "p",
                serve(never_reads, receive_buffer=4096).port,
                text={"send": "x" * 100_000 + "{id}"},
                heartbeat={"interval": "50ms", "timeout": "5s"},
                missed_threshold=1000,
            )
        ]
    )
    (line, *_) = await monitor.until_logged("disconnected", initiator="local")
    assert (line["code"], line["detail"]) == (1006, "the peer reads nothing")


async def test_a_stop_does_not_wait_for_bad_peers(lab: Lab, serve: Serve) -> None:
    """Those that never answered, and one that does not let go."""

    def clings(peer: Peer) -> None:
        peer.upgrade()
        peer.wait_end()

    monitor = await lab.monitor(
        [
            bad("silent", serve(silent).port, timeouts={}),
            bad("stalls", serve(silent).port, scheme="wss", timeouts={}, tls={"verify": False}),
            bad("clings", serve(clings).port, timeouts={"close": "1s"}, missed_threshold=1000),
        ]
    )
    await monitor.until(
        lambda scrape: (
            scrape.probe("clings").message.sent
            and scrape.probe("silent").attempts
            and scrape.probe("stalls").attempts
        )
    )
    began = time.monotonic()
    monitor.signal(15)
    assert await monitor.wait() == 0
    assert time.monotonic() - began < 8
