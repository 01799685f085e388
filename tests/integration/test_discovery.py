"""The real program follows real sources: probes come and go with them, and stay when one fails."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
from aiohttp import web

from tests.component.discovery.name_server import name_server
from tests.integration.harness import Lab, Scrape, TargetHandle, config_of, wait_until
from tests.integration.harness.monitor import KEY_VARIABLE

LOOPBACK = ["127.0.0.1"]
UP = "ws_monitor_discovery_up"
LEFT_OUT = "ws_monitor_discovery_left_out_targets"
SRV = "_ws._tcp.game.example"


def source(name: str, template: Mapping[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """Return the section of a source of Talo-speaking targets on loopback; `keys` go on top."""
    return {
        "name": name,
        "refresh": "1s",
        "allow": LOOPBACK,
        "probe": {
            "name": "{label.room}",
            "url": "ws://{address}",
            "protocol": "talo",
            "ticket": {"api_key": {"env": KEY_VARIABLE}},
            "heartbeat": {"interval": "300ms", "timeout": "250ms"},
            "reconnect": {"base": "50ms", "max": "200ms"},
            **(template or {}),
        },
        **keys,
    }


def group(target: TargetHandle, room: str, host: str = "127.0.0.1") -> dict[str, Any]:
    """Return a target group of one target."""
    return {"targets": [f"{host}:{target.port}"], "labels": {"room": room}}


def write(path: Path, *groups: dict[str, Any]) -> None:
    """Put another file in the place of one, in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(groups))
    fresh.rename(path)


def are_up(*names: str) -> Any:
    """Return a check that exactly these probes exist, and that they are up."""

    def check(scrape: Scrape) -> bool:
        return scrape.probes == sorted(names) and all(scrape.probe(name).up for name in names)

    return check


async def test_a_file_that_changes_adds_and_removes_probes_and_touches_no_other(lab: Lab) -> None:
    """The connection of a target that stays is the one it was, and its counters go on."""
    target = await lab.target()
    path = lab.directory / "targets.json"
    write(path, group(target, "stays"), group(target, "goes"))
    files = source("files", {"labels": {"room": "{label.room}"}}, file_sd={"files": ["*gets.json"]})
    monitor = await lab.monitor([], discovery=[files])
    before = await monitor.until(are_up("goes", "stays"))
    assert before.value("ws_probe_up", room="stays") == 1
    write(path, group(target, "stays"), group(target, "comes"), {"targets": ["no address"]})
    after = await monitor.until(are_up("comes", "stays"))
    assert "goes" not in after.text
    assert after.probe("stays").started == before.probe("stays").started
    assert after.probe("stays").message.sent >= before.probe("stays").message.sent
    assert after.probe("stays").attempts == 1
    assert after.value(LEFT_OUT, source="files", reason="invalid") == 1
    (left_out,) = monitor.lines("discovered target left out")
    assert left_out["reason"] == "its address is not HOST or HOST:PORT"
    path.write_text("[{")
    broken = await monitor.until(lambda scrape: scrape.value(UP, source="files") == 0)
    assert are_up("comes", "stays")(broken)
    write(path)
    gone = await monitor.until(lambda scrape: not scrape.probes)
    assert gone.value(UP, source="files") == 1
    (removed, *_) = monitor.lines("disconnected", probe="stays")
    assert (removed["initiator"], removed["code"]) == ("local", 1000)


async def test_a_name_that_moves_to_another_address_moves_without_an_outage(lab: Lab) -> None:
    """The probe is renewed, and its books go on."""
    first, second = await lab.targets(2)
    path = lab.directory / "targets.json"
    write(path, group(first, "a"))
    monitor = await lab.monitor([], discovery=[source("files", file_sd={"files": [path.name]})])
    before = await monitor.until(are_up("a"))
    write(path, group(second, "a"))
    moved = f"127.0.0.1:{second.port}"
    after = await monitor.until(
        lambda scrape: (
            [
                labels["endpoint"] == f"ws://{moved}"
                for labels, _ in scrape.samples("ws_probe_info")
                if scrape.probe("a").up and scrape.probe("a").attempts == 2
            ]
            == [True]
        )
    )
    assert after.probe("a").message.sent >= before.probe("a").message.sent
    assert after.probe("a").downtime == before.probe("a").downtime

    async def left() -> bool:
        return (await first.counters())["close_codes_received"] == {"1000": 1}

    await wait_until(left, what="the old connection is closed")


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody else gets, and that refuses connections while no endpoint is there."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@asynccontextmanager
async def endpoint(port: int, groups: list[dict[str, Any]]) -> AsyncIterator[None]:
    """Serve target groups to whoever shows the token."""

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer hidden-token":
            return web.Response(status=401)
        return web.json_response(groups)

    app = web.Application()
    app.router.add_get("/hidden-path", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, reuse_port=True).start()
        yield
    finally:
        await runner.cleanup()


async def test_an_endpoint_that_dies_keeps_its_probes_and_shows_nothing_secret(
    lab: Lab, port: int
) -> None:
    """They go on beating, a metric says so, and the log has one line; it comes back as it went."""
    target = await lab.target()
    groups = [group(target, "a")]
    http = {
        "url": f"http://127.0.0.1:{port}/hidden-path?hidden-query=1",
        "bearer_token": {"env": "WS_TEST_SD_TOKEN"},
    }
    async with endpoint(port, groups):
        monitor = await lab.monitor(
            [], discovery=[source("http", http_sd=http)], env={"WS_TEST_SD_TOKEN": "hidden-token"}
        )
        before = await monitor.until(are_up("a"))
    failing = await monitor.until(lambda scrape: scrape.value(UP, source="http") == 0)
    sent = failing.probe("a").message.sent
    failures = "ws_monitor_discovery_refresh_failures_total"
    kept = await monitor.until(
        lambda scrape: (
            scrape.value(failures, source="http") >= 3 and scrape.probe("a").message.sent > sent
        )
    )
    assert are_up("a")(kept)
    assert kept.probe("a").started == before.probe("a").started
    assert len(monitor.lines("discovery fails, the last answer stays")) == 1
    groups.append(group(target, "b"))
    async with endpoint(port, groups):
        back = await monitor.until(are_up("a", "b"))
    assert back.probe("a").started == before.probe("a").started
    assert len(monitor.lines("discovery works again")) == 1
    page = await monitor.get("/config")
    assert (page.status, "WS_TEST_SD_TOKEN" in page.body) == (200, True)
    assert "hidden-" not in "".join([monitor.err, monitor.out, back.text, page.body])


async def test_records_that_change_change_the_probes_and_a_broken_server_changes_none(
    lab: Lab,
) -> None:
    """Whether it refuses, knows no such name any more, or says nothing."""
    first, second = await lab.targets(2)
    async with name_server() as server:
        records = server.records
        records[SRV, "SRV"] = [f"0 1 {first.port} localhost."]
        sources = [
            source(
                "dns",
                {"name": "{label.__meta_dns_srv_record_target}-{port}"},
                dns={"names": [SRV], "nameserver": server.address},
                timeout="2s",
            )
        ]
        monitor = await lab.monitor([], discovery=sources)
        one, two = f"localhost-{first.port}", f"localhost-{second.port}"
        before = await monitor.until(are_up(one))
        records[SRV, "SRV"].append(f"0 1 {second.port} localhost.")
        both = await monitor.until(are_up(one, two))
        assert both.probe(one).started == before.probe(one).started
        records[SRV, "SRV"].pop(0)
        await monitor.until(are_up(two))
        for break_it in (
            lambda: setattr(server, "rcode", dns.rcode.SERVFAIL),
            lambda: setattr(server, "rcode", dns.rcode.NXDOMAIN),
            lambda: server.silent.add(SRV),
        ):
            break_it()
            broken = await monitor.until(lambda scrape: scrape.value(UP, source="dns") == 0)
            assert are_up(two)(broken)
            server.rcode = None
            server.silent.clear()
            await monitor.until(lambda scrape: scrape.value(UP, source="dns") == 1)
        records[SRV, "SRV"].clear()
        await monitor.until(lambda scrape: not scrape.probes)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_source_cannot_point_at_this_machine_or_at_a_metadata_service(
    lab: Lab, host: str
) -> None:
    """Neither for the ticket nor for the connection, by address or by name; others are free to."""
    target = await lab.target()
    write(lab.directory / "targets.json", group(target, "ticket", host), group(target, "x", host))
    metadata = {"targets": ["169.254.169.254:80"], "labels": {"room": "metadata"}}
    write(lab.directory / "metadata.json", metadata)
    plain = {"name": "plain-{label.room}", "protocol": "ping", "ticket": None, "heartbeat": None}
    files = {"files": ["*.json"]}
    monitor = await lab.monitor(
        [],
        discovery=[
            source("with-tickets", file_sd=files, allow=[]),
            source("plain", plain, file_sd=files, allow=[]),
        ],
    )
    names = ["metadata", "plain-metadata", "plain-ticket", "plain-x", "ticket", "x"]
    scrape = await monitor.until(
        lambda scrape: (
            scrape.probes == names
            and all(scrape.probe(name).failures.get("local") for name in names)
        )
    )
    assert all(set(scrape.probe(name).failures) == {"local"} for name in names)
    phases = {
        (line["probe"].startswith("plain-"), line["phase"])
        for line in monitor.lines("connect failed")
    }
    assert phases == {(False, "ticket"), (True, "tcp")}
    (line, *_) = monitor.lines("connect failed", probe="plain-metadata")
    assert line["detail"] == "the address is in 169.254.0.0/16, which discovered probes keep off"
    counters = await target.counters()
    assert not any(counters.values()), counters


async def test_a_reload_changes_the_sources_and_a_configured_probe_wins(lab: Lab) -> None:
    """A source that stays is not touched; one that is gone takes its probes along."""
    target = await lab.target()
    write(lab.directory / "a.json", group(target, "a"), group(target, "b"))
    write(lab.directory / "c.json", group(target, "c"))
    stays = source("stays", file_sd={"files": ["a.json"]})
    goes = source("goes", file_sd={"files": ["c.json"]})
    monitor = await lab.monitor([], discovery=[stays, goes])
    before = await monitor.until(are_up("a", "b", "c"))
    own = {**stays["probe"], "name": "b", "url": target.url, "missed_threshold": 7}
    await monitor.reload(config_of([own], discovery=[stays]))
    after = await monitor.until(are_up("a", "b"))
    assert after.probe("a").started == before.probe("a").started
    assert after.value(LEFT_OUT, source="stays", reason="duplicate") == 1
    assert after.find(UP, source="goes") is None
    assert after.value("ws_monitor_probes") == 2
    await monitor.reload(config_of([own], discovery=[{**stays, "probe": {}}]), accepted=False)
    assert are_up("a", "b")(await monitor.scrape())
    other = source("stays", {"missed_threshold": 9}, file_sd={"files": ["a.json"]})
    await monitor.reload(config_of([], discovery=[other]))
    await monitor.until(are_up("a", "b"))
