"""What a source says is put into a probe as text at one place, and can be nothing else there."""

import json
from ipaddress import ip_network
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.config import (
    Config,
    DiscoveredProbe,
    DiscoveredTarget,
    Template,
    Unfit,
    make_probe,
    parse_config,
    target_with,
)
from monitor.core.deny_list import NOTHING_DENIED, DenyList


def made(**keys: object) -> Template:
    """Return a template of these keys, over those that it must have."""
    raw = {"name": "n-{host}", "url": "ws://{address}", "protocol": "ping", **keys}
    text = json.dumps(
        {"discovery": [{"name": "s", "file_sd": {"files": ["a.json"]}, "probe": raw}]}
    )
    return parse_config(text, "c").discovery[0].probe


def probe_of(target: DiscoveredTarget, **keys: object) -> DiscoveredProbe:
    """Make a probe of a target, with a template of these keys."""
    return make_probe(made(**keys), target, NOTHING_DENIED)


def refusal(target: DiscoveredTarget, **keys: object) -> str:
    """Return why a target makes no probe."""
    with pytest.raises(Unfit) as caught:
        probe_of(target, **keys)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or isinstance(caught.value.__context__, Unfit)
    return str(caught.value)


@pytest.mark.parametrize(
    ("address", "url", "host", "port"),
    [
        ("10.0.0.1:8080", "ws://10.0.0.1:8080", "10.0.0.1", "8080"),
        ("game.example:443", "ws://game.example:443", "game.example", "443"),
        ("[2001:db8::1]:80", "ws://[2001:db8::1]:80", "2001:db8::1", "80"),
        ("_srv.example:1", "ws://_srv.example:1", "_srv.example", "1"),
    ],
)
def test_an_address_has_a_host_and_a_port(address: str, url: str, host: str, port: str) -> None:
    """As a URL has them, and as a label has them."""
    probe = probe_of(
        target_with(address, {}),
        name="n-{port}",
        labels={"host": "{host}", "port": "{port}"},
    )
    assert probe.read_url() == url
    assert probe.labels == {"host": host, "port": port}


def test_the_host_of_an_ipv6_address_gets_its_brackets_in_a_url() -> None:
    """And only there."""
    probe = probe_of(target_with("[2001:db8::1]:80", {}), url="ws://{host}:{port}/{host}")
    assert probe.read_url() == "ws://[2001:db8::1]:80/2001%3Adb8%3A%3A1"
    assert probe.name == "n-2001:db8::1"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a b",
        "ws://h",
        "h/path",
        "h:80/x",
        "user@h:80",
        "h:0",
        "h:123456",
        "h:",
        "h:80:90",
        "::1",
        "[::1",
        "[::g]:80",
        "[1.2.3.4]:80",
        "h\n:80",
        "h?x",
        "h#x",
        "{host}",
    ],
)
def test_what_is_no_address_makes_no_probe(address: str) -> None:
    """It is not repeated."""
    assert refusal(target_with(address, {})) == "its address is not HOST or HOST:PORT"


def test_a_port_beyond_the_last_is_found_by_the_checks_of_every_probe() -> None:
    """The same sentence as for a configured one."""
    reason = refusal(target_with("h:65536", {}))
    assert reason == "url: this URL's host or port is malformed"


def test_what_a_target_does_not_have_is_named() -> None:
    """The label's name stands in the config."""
    assert refusal(target_with("h", {}), url="ws://h:{port}") == "it has no port"
    assert refusal(target_with("h", {}), url="ws://h/{label.room}") == "it has no label room"


def test_labels_reach_every_place_where_a_placeholder_may_stand() -> None:
    """Each in its own way."""
    probe = probe_of(
        target_with("h:80", {"a": "x y", "h": "sub", "__meta_x": "m-1"}),
        name="{label.__meta_x}",
        url="wss://{label.h}.example:{port}/{label.a}?q={label.a}",
        protocol="text",
        query={"k": "{label.a}&z=1"},
        text={"send": "{id} {label.h}", "expect": "{label.__meta_x} {id}"},
        tls={"server_name": "{label.h}.example"},
        headers={"X-A": "{label.a}"},
        subprotocols=["v1.{label.h}"],
        origin="https://{label.h}.example",
        user_agent="me/{label.a}",
        labels={"a": "{label.a}"},
    )
    assert probe.name == "m-1"
    assert probe.read_url() == "wss://sub.example:80/x%20y?q=x%20y&k=x%20y%26z%3D1"
    assert probe.text is not None
    assert (probe.text.send, probe.text.expect) == ("{id} sub", "m-1 {id}")
    assert probe.tls.server_name == "sub.example"
    assert probe.read_headers() == {"X-A": "x y"}
    assert probe.subprotocols == ("v1.sub",)
    assert probe.origin == "https://sub.example"
    assert probe.user_agent == "me/x y"
    assert probe.labels == {"a": "x y"}


def test_a_value_is_never_looked_at_for_placeholders() -> None:
    """It could ask for another label that way."""
    target = target_with("h:80", {"a": "{label.secret}", "secret": "s"})
    assert probe_of(target, labels={"a": "{label.a}"}).labels == {"a": "{label.secret}"}


def test_braces_that_are_no_placeholder_stay() -> None:
    """JSON is full of them."""
    send = '{"type": "ping", "n": {id}, "x": {}}'
    probe = probe_of(target_with("h", {}), protocol="text", text={"send": send})
    assert probe.text is not None
    assert probe.text.send == send


@pytest.mark.parametrize("room", ["..", ".", "%2e", "a"])
def test_a_value_is_no_way_up(room: str) -> None:
    """What is left of a path's dots is what the template itself has."""
    target = target_with("h", {"room": room, "dot": "."})
    reason = "a value would make . or .. of a part of the URL's path"
    if room.startswith("."):
        assert refusal(target, url="ws://h/rooms/{label.room}/x?y") == reason
    assert refusal(target, url="ws://h/rooms/{label.dot}{label.dot}") == reason
    assert probe_of(target, url="ws://h/a.{label.room}?..").read_url().startswith("ws://h/a.")


@pytest.mark.parametrize("value", ["evil.example/x", "e@x", "e:80", "a b", "", "#", "[::1]", "ü"])
def test_a_value_cannot_leave_the_host(value: str) -> None:
    """Nor bring a user, a port or a path along."""
    reason = refusal(target_with("h", {"x": value}), url="ws://{label.x}.example/")
    assert reason == "a value cannot stand in a URL's host and port"


@pytest.mark.parametrize("value", ['","admin":true,"x":"', "{id}", "a b", ""])
def test_a_value_cannot_change_the_shape_of_a_message(value: str) -> None:
    """A heartbeat is often JSON, and we do not know which."""
    text = {"send": '{"room":"{label.x}","n":{id}}', "expect": "{id}"}
    reason = refusal(target_with("h", {"x": value}), protocol="text", text=text)
    assert reason == "a value in a heartbeat has only letters, digits and _ . : -"


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("name", "{label.x}", "name: a name has 1 to 100 letters"),
        ("headers", {"X-A": "{label.x}"}, "headers.X-A: a header's value is visible ASCII"),
        ("labels", {"x": "{label.x}"}, "labels.x: a label's value has 1 to 200 characters"),
        ("user_agent", "{label.x}", "user_agent: a user agent is visible ASCII"),
    ],
)
def test_a_value_goes_through_the_checks_of_its_key(key: str, value: object, reason: str) -> None:
    """And is not repeated when it fails them."""
    target = target_with("h", {"x": "hunter2\r\nX-Evil: 1"})
    found = refusal(target, **{key: value})
    assert found.startswith(reason)
    assert "hunter2" not in found


def test_what_holds_between_keys_holds_for_discovered_probes_too() -> None:
    """With the same words."""
    template = made(url="ws://{address}/?{label.x}=1", query={"k": "v"})
    with pytest.raises(Unfit, match=r"query\.k: the URL's own query already has this parameter"):
        make_probe(template, target_with("h", {"x": "k"}), NOTHING_DENIED)


def test_defaults_and_global_labels_stand_beneath_a_template() -> None:
    """As they do beneath a probe."""
    config = parse_config(
        """
labels: {vantage: eu, team: a}
defaults: {missed_threshold: 7, labels: {team: b}, heartbeat: {interval: 2s}, tls: {verify: false}}
discovery:
  - name: s
    dns: {names: [x]}
    probe: {name: "{host}", url: "ws://{address}", protocol: ping, labels: {room: "{label.room}"}}
""",
        "c",
    )
    template = config.discovery[0].probe
    probe = make_probe(template, target_with("h:1", {"room": "r"}), NOTHING_DENIED)
    assert probe.missed_threshold == 7
    assert probe.labels == {"vantage": "eu", "team": "b", "room": "r"}
    assert probe.tls.verify is True


def test_a_discovered_probe_has_its_deny_list_and_a_configured_one_has_none() -> None:
    """And another list makes another probe."""
    target = target_with("h:1", {})
    some = DenyList((ip_network("10.0.0.0/8"),))
    probe = make_probe(made(), target, some)
    assert probe.deny_list == some
    assert probe == make_probe(made(), target, some)
    assert probe != make_probe(made(), target, NOTHING_DENIED)
    configured = parse_config("probes: [{name: n-h, url: 'ws://h:1', protocol: ping}]", "c")
    assert configured.probes[0].deny_list == NOTHING_DENIED
    assert probe != configured.probes[0]


def test_sources_are_equal_while_they_make_the_same_probes() -> None:
    """What stands beneath belongs to them."""

    def source(before: str) -> Config:
        return parse_config(
            f"{before}\ndiscovery: [{{name: s, dns: {{names: [x]}}, "
            "probe: {name: '{host}', url: 'ws://{address}', protocol: ping}}]",
            "c",
        )

    assert source("").discovery == source("log: {level: debug}").discovery
    assert source("").discovery != source("labels: {a: b}").discovery
    assert source("").discovery != source("defaults: {missed_threshold: 9}").discovery


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
TEMPLATES = made(
    name="p-{label.name}",
    url="wss://{label.sub}.example:{port}/rooms/{label.room}/ws?k={label.key}&fixed=1",
    headers={"X-Room": "{label.room}"},
    query={"q": "{label.key}"},
    labels={"room": "{label.room}"},
)


@given(name=ANY_TEXT, sub=ANY_TEXT, room=ANY_TEXT, key=ANY_TEXT)
def test_whatever_a_source_says_a_url_keeps_its_parts(
    name: str, sub: str, room: str, key: str
) -> None:
    """Either there is no probe, or every value is where it was put, whole."""
    target = target_with("h:80", {"name": name, "sub": sub, "room": room, "key": key})
    try:
        probe = make_probe(TEMPLATES, target, NOTHING_DENIED)
    except Unfit:
        return
    url = urlsplit(probe.read_url())
    assert (url.scheme, url.netloc.lower()) == ("wss", f"{sub}.example:80".lower())
    assert [unquote(part) for part in url.path.split("/")] == ["", "rooms", room, "ws"]
    assert parse_qsl(url.query, keep_blank_values=True) == [("k", key), ("fixed", "1"), ("q", key)]
    assert probe.name == f"p-{name}"
    assert dict(probe.labels) == {"room": room}
    assert set(probe.model_fields_set) <= {*TEMPLATES.raw, "labels"}


@given(room=st.text("abc.%/?#&{}: \"'", max_size=12))
def test_likely_mischief_stays_in_its_segment(room: str) -> None:
    """Fewer letters find more."""
    assume(room)
    target = target_with("h:80", {"room": room})
    try:
        probe = probe_of(target, url="ws://{address}/a/{label.room}/b")
    except Unfit:
        assert room in {".", ".."}
        return
    assert urlsplit(probe.read_url()).path.split("/") == ["", "a", *[probe_segment(probe)], "b"]
    assert unquote(probe_segment(probe)) == room


def probe_segment(probe: DiscoveredProbe) -> str:
    """Return the middle part of the path."""
    return urlsplit(probe.read_url()).path.split("/")[2]
