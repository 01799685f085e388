"""What a page shows of a config is complete and gives nothing away."""

import json

import yaml

from monitor.config import parse_config, redacted, redacted_text
from tests.unit.config.configs import FULL

SECRETS = """\
probes:
  - name: a
    url: wss://h.example/hunter2?key=hunter2
    protocol: talo
    query: {token: hunter2}
    ticket: {url: "https://t.example/hunter2?x=hunter2", api_key: {env: WS_TEST_KEY}}
    headers: {X-Team: hunter2, Authorization: {file: /run/auth}}
  - name: b
    url: {env: WS_TEST_URL}
    protocol: ping
  - name: c
    url: wss://h.example/
    protocol: text
    text: {send: '{"token":"hunter2","id":{id}}', expect: 'hunter2{id}'}
"""


def test_secrets_urls_and_inline_text_are_not_shown() -> None:
    """They are named, cut after the port, or hidden."""
    config = parse_config(SECRETS, "c")
    first, second, third = redacted(config)["probes"]
    assert "hunter2" not in json.dumps([first, second, third])
    assert "hunter2" not in "".join(redacted_text(config))
    assert third["text"] == {"send": "<hidden>", "expect": "<hidden>"}
    assert first["url"] == "wss://h.example:443"
    assert first["query"] == {"token": "<hidden>"}
    assert first["ticket"] == {"url": "https://t.example:443", "api_key": "<env WS_TEST_KEY>"}
    assert first["headers"] == {"X-Team": "<hidden>", "Authorization": "<file /run/auth>"}
    assert second["url"] == "<env WS_TEST_URL>"


def test_the_config_itself_does_not_show_them_either() -> None:
    """It may be logged by mistake."""
    config = parse_config(SECRETS.partition("  - name: c")[0], "c")
    assert "hunter2" not in f"{config} {config!r} {config.probes[0]} {config.model_dump()}"


def test_values_are_written_as_in_a_config() -> None:
    """Durations, sizes and addresses too."""
    shown = redacted(parse_config(FULL, "c"))
    assert shown["web"] == {"listen": "127.0.0.1:10440"}
    assert shown["metrics"]["rtt_buckets"] == ["1ms", "1s"]
    assert shown["embedded_target"]["listen"] == "[::1]:10441"
    probes = {probe["name"]: probe for probe in shown["probes"]}
    assert probes["talo"]["heartbeat"] == {"interval": "20s", "timeout": "8s"}
    assert probes["talo"]["max_message_size"] == "64KiB"
    assert probes["frames"]["missed_threshold"] == 5


def test_every_section_is_there_and_a_probe_begins_with_its_name() -> None:
    """The reader sees what holds, also where nothing was written."""
    shown = redacted(parse_config(FULL, "c"))
    assert set(shown) == {
        "web",
        "log",
        "labels",
        "connect",
        "ticket_budget",
        "metrics",
        "embedded_target",
        "discovery",
        "discovery_deny",
        "probes",
    }
    assert [list(probe)[:2] for probe in shown["probes"]] == [["name", "url"]] * 4


def test_as_text_it_is_the_same() -> None:
    """In pieces: one for what is common, and one for each probe."""
    config = parse_config(FULL, "c")
    pieces = list(redacted_text(config))
    assert yaml.safe_load("".join(pieces)) == redacted(config)
    assert len(pieces) == 2 + len(config.probes)
    assert yaml.safe_load("".join(redacted_text(parse_config("probes: []", "c"))))["probes"] == []
