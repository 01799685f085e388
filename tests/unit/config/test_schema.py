"""The JSON Schema, the example and the documentation agree with the loader."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor import __version__
from monitor.config import Config, format_duration, json_schema, load_config, parse_config
from monitor.config.document import read_document
from monitor.config.labels import RESERVED
from tests.unit.config.configs import FULL
from tests.unit.config.json_schemas import resolved, violations

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config.yaml"
DOCS = (ROOT / "docs" / "configuration.md").read_text()
SCHEMA = json_schema()
ROWS = {
    key: (default, meaning)
    for key, default, meaning in re.findall(
        r"^\| `([\w.]+)` \| (.+?) \| (.+) \|$", DOCS, re.MULTILINE
    )
}


def schema_violations(text: str) -> list[str]:
    """What the JSON Schema has against a config."""
    return list(violations(read_document(text).root, SCHEMA, SCHEMA))


def keys_below(schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key with a fixed name, dotted, as the documentation writes it."""
    schema = resolved(next(iter(o for o in schema.get("anyOf", []) if "$ref" in o), schema), SCHEMA)
    if set(schema.get("properties", {})) == {"env", "file"}:
        return
    for key, inner in schema.get("properties", {}).items():
        yield f"{prefix}{key}", inner
        if key not in {"defaults", "probes", "probe"}:
            yield from keys_below(inner, f"{prefix}{key}.")


ALL_KEYS = (
    dict(keys_below(SCHEMA, ""))
    | dict(keys_below(SCHEMA["$defs"]["ProbeConfig"], ""))
    | dict(keys_below(SCHEMA["$defs"]["DiscoverySource"], "discovery."))
)


@pytest.mark.parametrize("text", [EXAMPLE.read_text(), FULL], ids=["config.yaml", "full"])
def test_the_schema_accepts_what_the_loader_accepts(text: str) -> None:
    """An editor must not mark a good config."""
    assert isinstance(parse_config(text, "c"), Config)
    assert schema_violations(text) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("webb: {}", "additionalProperties"),
        ("web: {listen: 10440}", "$ref"),
        ("probes: [{name: a}]", "$ref"),
        ("probes: [{name: a, url: 'ws://h', missed_threshold: 0}]", "$ref"),
        ("defaults: {heartbeat: {interval: 25}}", "$ref"),
        ("labels: {1st: x}", "propertyNames"),
        ("labels: {a: 1}", "type"),
    ],
)
def test_the_schema_marks_what_an_editor_can_know(text: str, word: str) -> None:
    """Misspelt keys, wrong types and missing units."""
    assert word in schema_violations(text)


def test_a_probe_may_leave_to_defaults_what_it_needs() -> None:
    """Neither the protocol nor the key has to stand in the probe."""
    text = (
        "defaults: {protocol: talo, ticket: {api_key: {env: K}}}\n"
        "probes: [{name: a, url: 'wss://h', ticket: {url: 'https://t'}}]"
    )
    assert parse_config(text, "c").probes[0].protocol == "talo"
    assert schema_violations(text) == []


@pytest.mark.parametrize("key", sorted(ALL_KEYS))
def test_every_key_has_a_description(key: str) -> None:
    """An editor shows it."""
    schema = ALL_KEYS[key]
    description = schema.get("description") or resolved(schema, SCHEMA).get("description", "")
    assert description.endswith(".")


def test_the_schema_is_json_and_made_anew_each_time() -> None:
    """Who changes one does not change the next."""
    first = json_schema()
    assert json.loads(json.dumps(first)) == first
    first["properties"].clear()
    assert json_schema() == SCHEMA


def test_the_documentation_has_every_key_and_no_other() -> None:
    """In the first column of a table."""
    sections = {"web", "log", "connect", "ticket_budget", "metrics"}
    as_of_a_probe = {key for key in ALL_KEYS if key.startswith("discovery.http_sd.tls.")}
    assert set(ROWS) == set(ALL_KEYS) - sections - as_of_a_probe


def documented_default(text: str) -> Any:
    """The default that a table's cell gives, in the notation of the JSON Schema."""
    words = re.findall(r"`([^`]+)`", text)
    if not words:
        return None
    values = [read_document(f"v: {word}").root for word in words]
    plain = [value["v"] for value in values if isinstance(value, dict)]
    return plain if len(plain) > 1 else plain[0]


@pytest.mark.parametrize(
    "key", sorted(key for key, schema in ALL_KEYS.items() if schema.get("default") and key in ROWS)
)
def test_the_documentation_tells_the_default_that_holds(key: str) -> None:
    """Word for word."""
    default = ALL_KEYS[key]["default"]
    cell = ROWS[key][0].replace("VERSION", __version__)
    if isinstance(default, str):
        assert cell == f"`{default}`"
    else:
        assert documented_default(cell) == default


@pytest.mark.parametrize("name", ["heartbeat", "ping"])
def test_the_documentation_tells_the_heartbeats_defaults(name: str) -> None:
    """Time-outs depend on the interval, so the schema does not have them."""
    protocol = {"heartbeat": "text, text: {send: x}", "ping": "ping"}[name]
    (probe,) = parse_config(
        f"probes: [{{name: a, url: 'ws://h', protocol: {protocol}}}]", "c"
    ).probes
    beat = getattr(probe, name)
    assert ROWS[f"{name}.interval"][0] == f"`{format_duration(beat.interval)}`"
    assert ROWS[f"{name}.timeout"][0] == f"`{format_duration(beat.timeout)}`"


def test_the_documentation_names_every_reserved_label() -> None:
    """Nobody should have to find out one at a time."""
    sentence = DOCS[DOCS.index("Reserved:") :].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == RESERVED | {"__"}


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL))
def test_every_example_in_the_documentation_is_good(block: str) -> None:
    """A fragment is put where it belongs."""
    ticket = "protocol: talo, ticket: {api_key: {env: K}}"
    if block.startswith("- name"):
        block = f"probes:\n{block}"
    elif block.startswith("headers"):
        block = f"probes: [{{name: a, url: 'wss://h', {ticket}}}]\ndefaults:\n  " + "  ".join(
            block.splitlines(keepends=True)
        )
    elif block.startswith("api_key"):
        block = "".join(
            f"{'embedded_target' if n else 'defaults'}: {'' if n else '{ticket: '}{{{line}}}"
            f"{'' if n else '}'}\n"
            for n, line in enumerate(block.splitlines())
        )
    assert isinstance(parse_config(f"log: {{}}\n{block}", "docs"), Config)


def test_the_example_watches_the_embedded_target_in_both_modes_every_second() -> None:
    """So that there is something to see within ten seconds of the first start."""
    config = load_config(EXAMPLE)
    assert config.embedded_target is not None
    (probe,) = config.probes
    assert probe.endpoint == f"ws://{config.embedded_target.listen}"
    assert probe.ticket is not None
    assert probe.ticket.api_key == config.embedded_target.api_key
    assert {mode: (beat.interval, beat.timeout) for mode, beat in probe.modes.items()} == {
        "message": (1, 0.5),
        "ping": (1, 0.5),
    }


def test_the_examples_own_example_is_good() -> None:
    """The block that is commented out has to work once it is not."""
    text = EXAMPLE.read_text()
    block = text[text.index("  # - name: talo") :].replace("  # ", "  ")
    (probe,) = parse_config(f"probes:\n{block}", "c").probes
    assert (probe.name, probe.endpoint) == ("talo", "wss://api.trytalo.com:443")
    assert {mode: (beat.interval, beat.timeout) for mode, beat in probe.modes.items()} == {
        "message": (25, 10)
    }
