"""A probe is complete: defaults are merged, every key has a value, and callers just read."""

import pytest

from monitor.config import (
    Beat,
    ConfigError,
    Heartbeat,
    Ping,
    SecretUnavailable,
    endpoint_of,
    parse_config,
)
from tests.unit.config.configs import FULL, only_probe

TALO = "name: a, url: 'wss://h.example/s', protocol: talo, ticket: {api_key: {env: WS_TEST_KEY}}"
TEXT = "name: a, url: 'ws://h.example/s', protocol: text, text: {send: ping}"
PING = "name: a, url: 'ws://h.example/s', protocol: ping"


def beats(text: str, before: str = "") -> dict[str, tuple[float, float]]:
    """The intervals and timeouts of a probe's modes."""
    modes = only_probe(text, before).modes
    return {mode: (beat.interval, beat.timeout) for mode, beat in modes.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TALO, {"message": (25, 10)}),
        (TEXT, {"message": (25, 10)}),
        (PING, {"ping": (10, 5)}),
        (TALO + ", ping: {}", {"message": (25, 10), "ping": (10, 5)}),
        (TALO + ", heartbeat: {interval: 4s}", {"message": (4, 4)}),
        (PING + ", ping: {interval: 1s}", {"ping": (1, 1)}),
        (PING + ", ping: {timeout: 20s}", {"ping": (10, 20)}),
        (TALO + ", heartbeat: null, ping: ~", {"message": (25, 10)}),
    ],
)
def test_each_protocol_has_its_heartbeats(
    text: str, expected: dict[str, tuple[float, float]]
) -> None:
    """A time-out that is not given is never longer than the interval."""
    assert beats(text) == expected


@pytest.mark.parametrize(
    ("protocol", "interval", "accepted"),
    [
        ("talo", "29.999s", True),
        ("talo", "30s", False),
        ("talo", "250ms", True),
        ("talo", "249ms", False),
        ("text", "50ms", True),
        ("text", "49ms", False),
        ("text", "1h", True),
    ],
)
def test_bounds_of_the_interval_are_exact(protocol: str, interval: str, accepted: bool) -> None:
    """Talo's are 250ms, included, and 30s, excluded."""
    text = f"{TALO if protocol == 'talo' else TEXT}, heartbeat: {{interval: {interval}}}"
    if accepted:
        assert only_probe(text).heartbeat is not None
    else:
        with pytest.raises(ConfigError):
            only_probe(text)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (TEXT + ", heartbeat: {interval: 1s, timeout: 1s}", True),
        (TEXT + ", heartbeat: {interval: 1s, timeout: 1.001s}", False),
        (TEXT.replace("ping}", "'{id}'}") + ", heartbeat: {interval: 1s, timeout: 100s}", True),
        (TEXT.replace("ping}", "'{id}'}") + ", heartbeat: {interval: 1s, timeout: 101s}", False),
        (PING + ", ping: {interval: 1s, timeout: 100s}", True),
        (PING + ", ping: {interval: 1s, timeout: 101s}", False),
    ],
)
def test_only_echoes_with_an_id_may_take_longer_than_the_interval(
    text: str, accepted: bool
) -> None:
    """And then 100 intervals at most."""
    if accepted:
        assert only_probe(text).modes
    else:
        with pytest.raises(ConfigError, match="timeout"):
            only_probe(text)


def test_defaults_are_merged_key_by_key_under_the_probes_own() -> None:
    """A header is the same in any case."""
    defaults = (
        "defaults: {heartbeat: {interval: 20s, timeout: 5s}, headers: {X-A: a, X-B: b}, "
        "missed_threshold: 7, subprotocols: [x], timeouts: {dns: 1s, tcp: 1s}}"
    )
    probe = only_probe(
        TALO + ", heartbeat: {interval: 8s}, headers: {x-b: own}, timeouts: {tcp: 2s}", defaults
    )
    assert probe.heartbeat == Heartbeat.model_validate({"interval": "8s", "timeout": "5s"})
    assert probe.read_headers() == {"X-A": "a", "x-b": "own"}
    assert (probe.timeouts.dns, probe.timeouts.tcp, probe.timeouts.tls) == (1, 2, 5)
    assert (probe.missed_threshold, probe.subprotocols) == (7, ("x",))


def test_a_null_takes_a_default_away() -> None:
    """Then the built-in value holds."""
    defaults = "defaults: {ping: {interval: 1s}, headers: {X-A: a}, missed_threshold: 7}"
    probe = only_probe(TALO + ", ping: null, headers: ~, missed_threshold: null", defaults)
    assert (probe.ping, probe.headers, probe.missed_threshold) == (None, {}, 3)


def test_defaults_that_do_not_fit_a_probe_are_left_out() -> None:
    """So that one set of defaults serves a mixed fleet."""
    defaults = (
        "defaults: {protocol: ping, ticket: {api_key: {env: K}}, text: {send: x}, "
        "heartbeat: {interval: 1s}, tls: {verify: false}}"
    )
    frames = only_probe("name: a, url: 'ws://h'", defaults)
    assert (frames.ticket, frames.text, frames.heartbeat, frames.tls.verify) == (
        None,
        None,
        None,
        True,
    )
    talo = only_probe("name: a, url: 'wss://h', protocol: talo", defaults)
    assert talo.ticket is not None
    assert talo.text is None
    assert talo.heartbeat is not None
    assert (talo.heartbeat.interval, talo.heartbeat.timeout, talo.tls.verify) == (1, 1, False)


def test_a_whole_text_section_replaces_the_default_one() -> None:
    """What to send and what to expect belong together."""
    probe = only_probe(
        "name: a, url: 'ws://h', text: {send: hi}",
        "defaults: {protocol: text, text: {send: a, expect: b}}",
    )
    assert probe.text is not None
    assert (probe.text.send, probe.text.expect) == ("hi", "hi")


def test_a_probes_label_wins_over_the_defaults_and_those_over_the_global() -> None:
    """The nearest one counts."""
    before = (
        "labels: {a: global, b: global, c: global}\ndefaults: {labels: {b: default, c: default}}"
    )
    probe = only_probe(PING + ", labels: {c: own, d: own}", before)
    assert probe.merged_labels == {"a": "global", "b": "default", "c": "own", "d": "own"}


def test_probes_are_equal_if_and_only_if_nothing_changed() -> None:
    """A reload leaves equal ones alone."""
    written = only_probe(TALO + ", heartbeat: {interval: 25s, timeout: 10s}, missed_threshold: 3")
    assert written == only_probe(TALO)
    changes = [
        ", missed_threshold: 4",
        ", heartbeat: {timeout: 9s}",
        ", ping: {}",
        ", labels: {a: b}",
        ", query: {a: b}",
        ", headers: {X-A: b}",
        ", tls: {verify: false}",
    ]
    changed = [only_probe(TALO + change) for change in changes]
    changed.append(only_probe(TALO.replace("WS_TEST_KEY", "WS_OTHER_KEY")))
    changed.append(only_probe(TALO.replace("example/s", "example/t")))
    assert all(one != only_probe(TALO) for one in changed)
    assert only_probe(TALO, "labels: {a: b}") != only_probe(TALO)


def test_a_whole_config_is_equal_to_itself_read_twice() -> None:
    """Whatever it was called."""
    assert parse_config(FULL, "a") == parse_config(FULL, "b")


def test_the_url_gets_its_parameters_from_text_and_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Percent-encoded; what stood in the query stays."""
    monkeypatch.setenv("WS_TEST_KEY", "k&y=1\n")
    probe = parse_config(FULL, "c").probes[0]
    assert probe.read_url() == "wss://Game.example/socket?room=1&key=k%26y%3D1&plain=a%20b"
    assert probe.endpoint == "wss://game.example:443"


def test_a_secret_url_is_checked_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same rules as one in the config."""
    probe = parse_config(FULL, "c").probes[1]
    assert probe.endpoint == "<env WS_TEST_URL>"
    monkeypatch.setenv("WS_TEST_URL", "wss://h.example/?key=hunter2")
    assert probe.read_url() == "wss://h.example/?key=hunter2"
    monkeypatch.setenv("WS_TEST_URL", "wss://user:hunter2@h.example/")
    with pytest.raises(SecretUnavailable) as caught:
        probe.read_url()
    assert str(caught.value).startswith("<env WS_TEST_URL> holds no usable URL: no user")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "ticket_url"),
    [
        ("wss://h.example/socket?x=1", "https://h.example/v1/socket-tickets"),
        ("ws://[::1]:8080/", "http://[::1]:8080/v1/socket-tickets"),
    ],
)
def test_tickets_are_sold_on_the_same_host_unless_told_otherwise(url: str, ticket_url: str) -> None:
    """Over https for wss, over http for ws."""
    probe = only_probe(TALO.replace("wss://h.example/s", url))
    assert probe.read_ticket_url() == ticket_url
    assert parse_config(FULL, "c").probes[0].read_ticket_url() == (
        "https://tickets.example/v1/socket-tickets"
    )


def test_a_probe_without_tickets_says_so() -> None:
    """Asking is a mistake in the program."""
    with pytest.raises(ValueError, match="no tickets"):
        only_probe(PING).read_ticket_url()
    with pytest.raises(ValueError, match="no tickets"):
        only_probe(PING).read_api_key()


def test_a_secret_with_a_line_break_never_reaches_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would add a header of its own."""
    probe = only_probe(TALO + ", headers: {Authorization: {env: WS_TEST_KEY}}")
    monkeypatch.setenv("WS_TEST_KEY", "Bearer hunter2\n")
    assert probe.read_headers() == {"Authorization": "Bearer hunter2"}
    assert probe.read_api_key() == "Bearer hunter2"
    monkeypatch.setenv("WS_TEST_KEY", "hunter2\r\nX-Evil: 1")
    for read in (probe.read_headers, probe.read_api_key):
        with pytest.raises(SecretUnavailable, match=r"^<env WS_TEST_KEY> cannot stand in a header"):
            read()


def test_messages_are_text_or_bytes() -> None:
    """Which of the two decides the frame's type."""
    _, text, binary, _ = parse_config(FULL, "c").probes
    assert text.text is not None
    assert (text.text.send, text.text.expect) == ("ping {id}", "pong {id}")
    assert text.carries_id("message")
    assert binary.text is not None
    assert (binary.text.send, binary.text.expect) == (b"\x0c\x00", b"\x0c")
    assert not binary.carries_id("message")
    assert binary.carries_id("ping")


def test_a_mode_is_a_beat() -> None:
    """Message mode comes first."""
    modes = parse_config(FULL, "c").probes[0].modes
    assert list(modes) == ["message", "ping"]
    assert all(isinstance(beat, Beat) for beat in modes.values())
    assert isinstance(modes["ping"], Ping)


def test_equal_tls_sections_share_a_hash_so_that_contexts_can_be_cached() -> None:
    """A context costs a megabyte."""
    one = only_probe(TALO + ", tls: {min_version: 1.3}")
    other = only_probe(TALO.replace("name: a", "name: b") + ", tls: {min_version: '1.3'}")
    assert one.tls == other.tls
    assert hash(one.tls) == hash(other.tls)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("wss://h/p?key=hunter2", "wss://h:443"),
        ("WS://H.Example:8080", "ws://h.example:8080"),
        ("http://h/", "http://h:80"),
        ("https://[2001:DB8::1]/x", "https://[2001:db8::1]:443"),
    ],
)
def test_an_endpoint_is_scheme_host_and_port(url: str, endpoint: str) -> None:
    """The port is always written out."""
    assert endpoint_of(url) == endpoint


@pytest.mark.parametrize(
    "url", ["", "hunter2", "ftp://hunter2/", "ws://", "ws://[hunter2]/", "wss://u:hunter2@h/"]
)
def test_what_has_no_endpoint_is_refused_without_being_repeated(url: str) -> None:
    """The text may be a secret."""
    with pytest.raises(ValueError, match=r"^(a|the|this|no) ") as caught:
        endpoint_of(url)
    assert "hunter2" not in str(caught.value)
