"""Prometheus' format is read as Prometheus writes it, and nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import target_with
from monitor.discovery.target_groups import FormatError, read_json, read_yaml

GROUPS = [
    {"targets": ["10.0.0.1:80", "10.0.0.2:80"], "labels": {"room": "a", "shard": "1"}},
    {"targets": ["h:443"]},
]
READ = (
    target_with("10.0.0.1:80", {"room": "a", "shard": "1"}),
    target_with("10.0.0.2:80", {"room": "a", "shard": "1"}),
    target_with("h:443", {}),
)


def test_json_is_read() -> None:
    """Every target with the labels of its group."""
    assert read_json(json.dumps(GROUPS).encode()) == READ
    assert read_json(b"[]") == ()
    assert read_json(b'[{"targets": [], "labels": null}]') == ()


def test_yaml_is_read_and_every_value_in_it_is_text() -> None:
    """Prometheus takes `shard: 1` for the text 1, too."""
    text = """\
- targets: [10.0.0.1:80, "10.0.0.2:80"]
  labels:
    room: a
    shard: 1
- targets:
    - h:443
"""
    assert read_yaml(text.encode()) == READ
    assert read_yaml(json.dumps(GROUPS).encode()) == READ
    (target,) = read_yaml(b"[{targets: [h], labels: {a: yes, b: 010, c: 1.10, d: true}}]")
    assert dict(target.labels) == {"a": "yes", "b": "010", "c": "1.10", "d": "true"}


def test_labels_of_the_source_win() -> None:
    """They say where the target is from, and nobody else may."""
    body = b'[{"targets": ["h"], "labels": {"__meta_filepath": "forged", "a": "b"}}]'
    (target,) = read_json(body, {"__meta_filepath": "/real"})
    assert dict(target.labels) == {"__meta_filepath": "/real", "a": "b"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"[{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"null", "expected a list of target groups"),
        (b'{"targets": []}', "expected a list of target groups"),
        (b"[1]", "target group 1: expected a mapping with targets and labels"),
        (b'[{"targets": []}, {"target": []}]', "target group 2: expected a mapping with targets"),
        (b'[{"targets": [], "hunter2": 1}]', "target group 1: expected a mapping with targets"),
        (b"[{}]", "target group 1: targets must be a list of texts"),
        (b'[{"targets": "h"}]', "target group 1: targets must be a list of texts"),
        (b'[{"targets": [1]}]', "target group 1: targets must be a list of texts"),
        (b'[{"targets": [], "labels": []}]', None),
        (b'[{"targets": [], "labels": {"a": 1}}]', "target group 1: labels must be a mapping"),
        (b'[{"targets": [], "labels": {"a": ["b"]}}]', "target group 1: labels must be a mapping"),
        (b'[{"targets": [], "labels": "hunter2"}]', "target group 1: labels must be a mapping"),
    ],
)
def test_what_is_not_of_the_format_is_refused_as_a_whole(body: bytes, reason: str | None) -> None:
    """Half of an answer would make probes vanish."""
    if reason is None:
        assert read_json(body) == ()
        return
    with pytest.raises(FormatError) as caught:
        read_json(body)
    assert str(caught.value).startswith(reason)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"# nothing", "there is nothing in it"),
        (b"- targets: [h\n", "line 1: not valid YAML"),
        (b"\xff", "not UTF-8 text"),
        (b"- &a {targets: [h]}\n- *a\n", "line 1: anchors (&) and aliases (*)"),
        (b"- {targets: [h], targets: [i]}", "line 1: this key is already set on line 1"),
        (b"targets: [h]", "expected a list of target groups"),
        (b"- {targets: [~]}", "target group 1: targets must be a list of texts"),
    ],
)
def test_yaml_is_read_as_strictly_as_the_config(body: bytes, reason: str) -> None:
    """The line helps to find it."""
    with pytest.raises(FormatError) as caught:
        read_yaml(body)
    assert str(caught.value).startswith(reason)


@given(st.binary(max_size=60))
def test_no_bytes_do_any_harm(body: bytes) -> None:
    """They are targets, or an error of ours."""
    for read in (read_json, read_yaml):
        try:
            read(body)
        except FormatError:
            continue


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_json_does_any_harm(value: object) -> None:
    """Whatever stands where a group should."""
    body = json.dumps([{"targets": value, "labels": value}, value]).encode()
    with pytest.raises(FormatError, match="target group"):
        read_json(body)
