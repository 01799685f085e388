"""From a config to what carries it out: complete, stable, and with every secret read anew."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.config import ProbeConfig, SecretUnavailable, parse_config
from monitor.core.events import Mode
from monitor.core.failures import Phase
from monitor.core.numbered import Numbered
from monitor.core.unnumbered import Unnumbered
from monitor.dialects.control import Control
from monitor.dialects.dialect import Frame
from monitor.dialects.talo import Talo
from monitor.net.ticket import TicketPlan
from monitor.net.tls import TlsPlan
from monitor.probing import plans

KEY = "WS_TEST_PLANS_KEY"

TALO = f"protocol: talo, ticket: {{api_key: {{env: {KEY}}}}}"


def probe(rest: str, *, name: str = "p", url: str = "ws://h.example/s") -> ProbeConfig:
    """A probe from the inside of its flow mapping."""
    text = f"probes: [{{name: {name}, url: {url}, {rest}}}]"
    (config,) = parse_config(text, "c.yaml").probes
    return config


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what sets the variable that tests use."""
    return lambda value: monkeypatch.setenv(KEY, value)


class TestSchedules:
    """When a probe beats."""

    def test_the_phase_of_a_name_is_the_same_in_every_process_and_version(self) -> None:
        schedule = plans.make_schedule(probe("protocol: ping", name="game-eu"), Mode.PING)
        assert (schedule.interval, schedule.phase) == (10.0, 3.46)

    def test_a_change_of_anything_else_leaves_the_phase_alone(self) -> None:
        before = plans.make_schedule(probe("protocol: ping"), Mode.PING)
        other = probe("protocol: ping, missed_threshold: 7", url="wss://other.example")
        assert plans.make_schedule(other, Mode.PING) == before

    def test_each_mode_has_a_phase_of_its_own(self) -> None:
        config = probe("protocol: text, text: {send: x}, heartbeat: {interval: 10s}, ping: {}")
        message, ping = (plans.make_schedule(config, mode) for mode in (Mode.MESSAGE, Mode.PING))
        assert message.interval == ping.interval
        assert message.phase != ping.phase

    def test_many_probes_are_spread_over_the_interval(self) -> None:
        phases = [
            plans.make_schedule(probe("protocol: ping", name=f"p{number}"), Mode.PING).phase
            for number in range(200)
        ]
        assert all(0 <= phase < 10 for phase in phases)
        tenths = {int(phase) for phase in phases}
        assert tenths == set(range(10))


class TestHeartbeats:
    """The books that a probe begins with."""

    @pytest.mark.parametrize(
        ("rest", "matchings"),
        [
            (TALO, {Mode.MESSAGE: Unnumbered}),
            ("protocol: ping", {Mode.PING: Numbered}),
            ("protocol: text, text: {send: x}", {Mode.MESSAGE: Unnumbered}),
            ("protocol: text, text: {send: 'x{id}'}", {Mode.MESSAGE: Numbered}),
            (f"{TALO}, ping: {{}}", {Mode.MESSAGE: Unnumbered, Mode.PING: Numbered}),
        ],
    )
    def test_each_mode_is_matched_by_what_its_echoes_carry(
        self, rest: str, matchings: dict[Mode, type]
    ) -> None:
        made = plans.make_heartbeats(probe(rest), 100.0)
        assert {mode: type(beats._matching) for mode, beats in made.items()} == matchings

    def test_the_first_beat_is_the_next_slot(self) -> None:
        config = probe("protocol: ping", name="game-eu")
        assert plans.make_heartbeats(config, 105.0)[Mode.PING].next_due == 113.46
        assert plans.make_heartbeats(config, 103.0)[Mode.PING].next_due == 103.46


class TestDialects:
    """What speaks a probe's protocol."""

    def test_each_protocol_has_its_own(self) -> None:
        assert isinstance(plans.make_dialect(probe(TALO)), Talo)
        assert isinstance(plans.make_dialect(probe("protocol: ping")), Control)

    @pytest.mark.parametrize(
        ("text", "frame"),
        [
            ("{send: 'hi {id}'}", Frame(b"hi 7", text=True)),
            ("{send: höher}", Frame("höher".encode(), text=True)),
            ("{send: {hex: 0c00}}", Frame(b"\x0c\x00", text=False)),
        ],
    )
    def test_text_is_sent_as_it_is_configured(self, text: str, frame: Frame) -> None:
        config = probe(f"protocol: text, text: {text}")
        assert plans.make_dialect(config).heartbeat(7) == frame

    def test_every_connection_gets_a_fresh_one(self) -> None:
        config = probe("protocol: ping")
        assert plans.make_dialect(config) is not plans.make_dialect(config)


class TestDialPlan:
    """What one attempt needs."""

    @pytest.mark.parametrize(
        ("url", "host", "port", "secure", "resource"),
        [
            ("ws://h.example", "h.example", 80, False, "/"),
            ("wss://h.example", "h.example", 443, True, "/"),
            ("WSS://H.example:8443/A/b", "h.example", 8443, True, "/A/b"),
            ("ws://h.example/s?x=1&y=%20", "h.example", 80, False, "/s?x=1&y=%20"),
            ("ws://h.example?x=1", "h.example", 80, False, "/?x=1"),
            ("'ws://[::1]:9000/s'", "::1", 9000, False, "/s"),
        ],
    )
    def test_the_url_is_taken_apart(
        self, url: str, host: str, port: int, secure: bool, resource: str
    ) -> None:
        plan = plans.make_dial_plan(probe("protocol: ping", url=url))
        assert (plan.host, plan.port, plan.secure, plan.resource) == (host, port, secure, resource)

    def test_what_the_config_leaves_open_is_nothing_at_all(self) -> None:
        plan = plans.make_dial_plan(probe("protocol: ping"))
        assert plan.ticket is None
        assert plan.tls == TlsPlan()
        assert (plan.server_name, plan.origin) == (None, None)
        assert (list(plan.headers), list(plan.subprotocols)) == ([], [])
        assert plan.family == socket.AF_UNSPEC
        assert plan.deflate is False
        assert not plan.needs_tls

    def test_what_the_config_asks_for_is_in_the_plan(
        self, environment: Callable[[str], None]
    ) -> None:
        environment("a b&c")
        config = probe(
            f"protocol: ping, query: {{k: {{env: {KEY}}}}}, "
            f"headers: {{X-Team: a, Cookie: {{env: {KEY}}}}}, "
            "subprotocols: [v2, v1], origin: 'https://o.example', user_agent: me/1, ip_version: 6, "
            "compression: deflate, max_message_size: 64KiB, "
            "tls: {server_name: n.example, verify: false, min_version: 1.3}",
            url="wss://h.example/s?x=1",
        )
        plan = plans.make_dial_plan(config)
        assert plan.resource == "/s?x=1&k=a%20b%26c"
        assert list(plan.headers) == [("X-Team", "a"), ("Cookie", "a b&c")]
        assert list(plan.subprotocols) == ["v2", "v1"]
        assert (plan.origin, plan.user_agent) == ("https://o.example", "me/1")
        assert plan.family == socket.AF_INET6
        assert plan.deflate is True
        assert plan.max_message_size == 65536
        assert plan.tls == TlsPlan(verify=False, min_version="1.3")
        assert plan.server_name == "n.example"
        assert plan.needs_tls

    def test_every_phase_has_its_deadline(self) -> None:
        config = probe(
            "protocol: ping, timeouts: "
            "{ticket: 1s, dns: 2s, tcp: 3s, tls: 4s, upgrade: 5s, ready: 6s, close: 7s}"
        )
        plan = plans.make_dial_plan(config)
        assert plan.timeouts == {
            Phase.TICKET: 1.0,
            Phase.DNS: 2.0,
            Phase.TCP: 3.0,
            Phase.TLS: 4.0,
            Phase.UPGRADE: 5.0,
            Phase.READY: 6.0,
        }
        assert plan.close_timeout == 7.0

    def test_a_secret_in_the_environment_is_read_for_every_attempt(
        self, environment: Callable[[str], None]
    ) -> None:
        config = probe(TALO)
        environment("first")
        assert plans.make_dial_plan(config).ticket == TicketPlan(
            "http://h.example/v1/socket-tickets", "first"
        )
        environment("second")
        assert plans.make_dial_plan(config).ticket == TicketPlan(
            "http://h.example/v1/socket-tickets", "second"
        )

    @pytest.mark.parametrize("change", [{"text": "b"}, {"text": "b\n"}])
    def test_a_secret_in_a_file_is_read_for_every_attempt(
        self, tmp_path: Path, change: dict[str, Any]
    ) -> None:
        file = tmp_path / "header"
        config = probe(f"protocol: ping, headers: {{Cookie: {{file: '{file}'}}}}")
        file.write_text("a")
        assert list(plans.make_dial_plan(config).headers) == [("Cookie", "a")]
        file.write_text(change["text"])
        assert list(plans.make_dial_plan(config).headers) == [("Cookie", "b")]

    def test_a_url_in_the_environment_is_read_for_every_attempt(
        self, environment: Callable[[str], None]
    ) -> None:
        config = probe("protocol: ping", url=f"{{env: {KEY}}}")
        environment("ws://a.example/x")
        assert plans.make_dial_plan(config).host == "a.example"
        environment("wss://b.example/x")
        plan = plans.make_dial_plan(config)
        assert (plan.host, plan.secure) == ("b.example", True)

    def test_a_secret_that_is_not_there_is_told_by_its_name_alone(self) -> None:
        with pytest.raises(SecretUnavailable, match=f"^environment variable {KEY} is not set$"):
            plans.make_dial_plan(probe(TALO))

    def test_a_ticket_over_https_needs_tls_though_the_socket_does_not(
        self, environment: Callable[[str], None]
    ) -> None:
        environment("key")
        url = "url: 'https://tickets.example/t'"
        plan = plans.make_dial_plan(
            probe(f"protocol: talo, ticket: {{{url}, api_key: {{env: {KEY}}}}}")
        )
        assert plan.needs_tls
        assert not plan.secure


class TestTicketSeller:
    """Whose budget a probe's tickets come from."""

    def test_who_needs_no_ticket_has_no_seller(self) -> None:
        assert plans.ticket_seller(probe("protocol: ping")) is None

    def test_it_is_the_host_of_the_url(self) -> None:
        assert plans.ticket_seller(probe(TALO, url="wss://h.example/s")) == "https://h.example:443"

    def test_or_that_of_the_ticket_s_own_url(self) -> None:
        config = probe(
            f"protocol: talo, ticket: {{url: 'http://t.example/x?key=hidden', "
            f"api_key: {{env: {KEY}}}}}"
        )
        assert plans.ticket_seller(config) == "http://t.example:80"

    def test_where_the_url_cannot_be_read_there_is_none(self) -> None:
        assert plans.ticket_seller(probe(TALO, url=f"{{env: {KEY}_URL}}")) is None
