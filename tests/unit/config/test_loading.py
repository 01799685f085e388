"""Loading gives a config or every problem with its line, and nothing else, whatever the input."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.config import Config, ConfigError, Problem, load_config, parse_config
from tests.unit.config.configs import FULL

DATA = Path(__file__).parents[2] / "data" / "config"
CANARY = "hunter2-canary"
FILE_KEYS = {"ca_file", "cert_file", "key_file"}
SCALAR_LINE = re.compile(r"( *(?:- )*)([\w-]+): (\S.*)")


def found_in(text: str) -> tuple[Problem, ...]:
    """The problems with a config; none if it is accepted."""
    try:
        assert isinstance(parse_config(text, "c.yaml"), Config)
    except ConfigError as error:
        return error.problems
    return ()


def problems_of(text: str) -> list[tuple[int | None, str]]:
    """Line and path of each problem with a config."""
    return [(problem.line, problem.path) for problem in found_in(text)]


def lines_for(text: str) -> list[str]:
    """What a user sees of the problems, a line for each."""
    problems = found_in(text)
    lines = "\n".join(map(str, problems)).splitlines()
    assert len(lines) == len(problems)
    assert not any("cannot be used here" in line for line in lines), "no words for an error"
    return lines


class Entry(NamedTuple):
    """A line of FULL that holds a key and a scalar."""

    line: int
    indent: str
    key: str
    value: str

    def written(self, *, key: str = "", value: str = "") -> str:
        """FULL, with another key or value in this line."""
        lines = FULL.splitlines()
        lines[self.line - 1] = f"{self.indent}{key or self.key}: {value or self.value}"
        return "\n".join(lines)


ENTRIES = [
    Entry(number, *found.groups())
    for number, line in enumerate(FULL.splitlines(), 1)
    if (found := SCALAR_LINE.fullmatch(line))
]
WHOLE_KEYS = {"env", "file", "hex", "base64"}  # a secret or a payload is wrong as a whole
OPEN_KEYS = {"vantage", "team", "X-Team", "plain", "room", "region"}  # any name may stand here


def test_the_full_config_is_accepted() -> None:
    """Else the tests that break it would show nothing."""
    config = parse_config(FULL, "c.yaml")
    assert [probe.name for probe in config.probes] == ["talo", "text", "binary", "frames"]
    assert {probe.missed_threshold for probe in config.probes} == {5}
    assert {probe.labels["vantage"] for probe in config.probes} == {"eu-west"}


@pytest.mark.parametrize("text", ["{}", "probes:", "probes: []", "labels:\n  # none yet\n"])
def test_a_monitor_may_watch_nothing_yet(text: str) -> None:
    """Then it is as if every section was left out."""
    config = parse_config(text, "c.yaml")
    assert config == Config()
    assert config.embedded_target is None


def test_the_presence_of_its_key_switches_the_embedded_target_on() -> None:
    """And a null control leaves that out."""
    embedded = parse_config("embedded_target: {control: null}", "c.yaml").embedded_target
    assert embedded is not None
    assert (str(embedded.listen), embedded.control) == ("127.0.0.1:10441", None)
    assert str(embedded.api_key) == "<env WS_MONITOR_EMBEDDED_API_KEY>"


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.key not in WHOLE_KEYS])
def test_a_wrong_value_is_reported_on_its_own_line_and_under_its_own_key(entry: Entry) -> None:
    """For every key that there is."""
    problems = problems_of(entry.written(value="[[1]]"))
    assert any(
        line == entry.line and re.search(rf"(^|\.){entry.key}(\[0\])?$", path)
        for line, path in problems
    )


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.key in WHOLE_KEYS])
def test_a_wrong_secret_or_payload_is_reported_as_a_whole(entry: Entry) -> None:
    """Its one key is no place of its own."""
    problems = problems_of(entry.written(value="[[1]]"))
    assert [line for line, _ in problems] == [entry.line - 1]
    assert FULL.splitlines()[entry.line - 2].strip(" -:") == problems[0][1].rpartition(".")[2]


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if entry.key not in WHOLE_KEYS | OPEN_KEYS]
)
def test_a_misspelt_key_is_reported_on_its_line(entry: Entry) -> None:
    """For every key of a mapping whose keys are fixed."""
    problems = problems_of(entry.written(key=f"{entry.key}_"))
    assert any(
        line == entry.line and path.split(".")[-1] == f"{entry.key}_" for line, path in problems
    )


MISLAID = [
    (entry, shape)
    for entry in ENTRIES
    for shape in (
        f"{CANARY}",
        f"[{CANARY}]",
        f"'{CANARY}\\n'",
        f"ws://{CANARY}@h/?{CANARY}#{CANARY}",
    )
    if entry.key not in FILE_KEYS  # a file's path is no secret
] + [(entry, f"{{{CANARY}: 1}}") for entry in ENTRIES if entry.key in WHOLE_KEYS]


@pytest.mark.parametrize(("entry", "shape"), MISLAID)
def test_no_error_repeats_a_value_wherever_it_was_mislaid(entry: Entry, shape: str) -> None:
    """A value may be a secret in the wrong place."""
    lines = lines_for(entry.written(value=shape))
    assert CANARY not in "\n".join(lines)


def test_problems_of_all_kinds_come_together_in_the_order_of_their_lines() -> None:
    """YAML's, the schema's and those between keys."""
    text = (DATA / "bad-everything-at-once.yaml").read_text()
    lines = [line for line, _ in problems_of(text)]
    assert len(lines) == 7
    assert lines == sorted(lines, key=lambda line: line or 0)


def test_a_missing_or_unreadable_file_is_one_line(tmp_path: Path) -> None:
    """It names the file as the user did."""
    for path, reason in (
        (tmp_path / "none.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (Path("nul\0.yaml"), "not a usable path"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert str(caught.value) == f"{path}: cannot read the config: {reason}"


def test_labels_that_come_from_elsewhere_win_over_the_top_level_ones_alone(tmp_path: Path) -> None:
    """A pod knows its vantage; a probe that names one for itself keeps it."""
    file = tmp_path / "c.yaml"
    file.write_text(
        "labels: {vantage: here, team: a}\n"
        "probes:\n"
        "- {name: a, url: 'ws://h', protocol: ping}\n"
        "- {name: b, url: 'ws://h', protocol: ping, labels: {vantage: own}}\n"
    )
    config = load_config(file, {"vantage": "there"})
    assert config.labels == {"vantage": "there", "team": "a"}
    assert [probe.merged_labels["vantage"] for probe in config.probes] == ["there", "own"]
    file.write_text("probes: [{name: a, url: 'ws://h', protocol: ping}]")
    assert load_config(file, {"vantage": "x"}).probes[0].merged_labels == {"vantage": "x"}


def test_a_section_of_labels_that_is_wrong_is_told_of_all_the_same(tmp_path: Path) -> None:
    """It is not hidden by what comes from elsewhere."""
    file = tmp_path / "c.yaml"
    file.write_text("labels: [a]\n")
    with pytest.raises(ConfigError, match=r"c\.yaml:1: labels: "):
        load_config(file, {"vantage": "there"})


def test_an_endless_file_is_refused() -> None:
    """Without reading it to the end."""
    with pytest.raises(ConfigError, match="at most 16 MiB"):
        load_config(Path("/dev/zero"))


def test_tls_files_are_looked_for_beside_the_config(tmp_path: Path) -> None:
    """Wherever the monitor was started."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "probes: [{name: a, url: 'wss://h', protocol: ping, tls: {ca_file: certs/ca.pem}}]"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    (problem,) = caught.value.problems
    assert problem.message == f"there is no file {tmp_path}/certs/ca.pem"
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").touch()
    assert load_config(path).probes[0].tls.ca_file == tmp_path / "certs" / "ca.pem"


def test_a_tls_file_that_may_not_be_read_is_told_from_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, who may read everything: the answer is made up."""
    (tmp_path / "ca.pem").touch()
    path = tmp_path / "config.yaml"
    path.write_text("probes: [{name: a, url: 'wss://h', protocol: ping, tls: {ca_file: ca.pem}}]")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ConfigError, match="no permission to read"):
        load_config(path)


def test_parsing_alone_does_not_touch_the_disk() -> None:
    """The files it names need not be there."""
    assert parse_config(FULL, "nowhere/c.yaml").probes[0].tls.ca_file == Path("ca.pem")


@given(st.text())
@example("\x85: \u2028")
@example("a: !!python/object:os.system x")
@example("? ")
@example("{" * 500)
@example("%YAML 9.9\n---\na: 1")
@example("--- >\n\ud800")
def test_any_text_gives_a_config_or_a_config_error(text: str) -> None:
    """And every line that it names is there."""
    for line, _ in problems_of(text):
        assert line is None or 1 <= line <= max(1, len(text.splitlines()))


KEYS = st.sampled_from(sorted(set(re.findall(r"([\w-]+):", FULL)))) | st.text(max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(sorted(set(re.findall(r": (\S+)$", FULL, re.MULTILINE))))
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_mapping_gives_a_config_or_problems_in_our_own_words(value: object) -> None:
    """One line each."""
    lines = lines_for(json.dumps(value, ensure_ascii=False))
    assert all(line.startswith("c.yaml:") for line in lines)


PROBE = {"name": "a", "url": "ws://h", "protocol": "ping"}


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_defaults_and_probe_give_a_config_or_problems(
    defaults: dict[str, object], probe: dict[str, object]
) -> None:
    """The two are merged before either is checked."""
    whole = {"defaults": defaults, "probes": [PROBE | probe, PROBE | {"name": "b"}]}
    lines = lines_for(json.dumps(whole, ensure_ascii=False))
    assert all(line.startswith("c.yaml:") for line in lines)


def test_alike_sections_are_one_object_and_others_are_not() -> None:
    """Ten thousand probes that differ in their names differ in nothing else."""
    text = """
probes:
  - {name: a, url: "ws://h", protocol: ping, ping: {interval: 5s}}
  - {name: b, url: "ws://h", protocol: ping, ping: {interval: 5s}}
  - {name: c, url: "ws://h", protocol: ping, ping: {interval: 6s}}
"""
    a, b, c = parse_config(text, "c.yaml").probes
    assert a.ping is b.ping
    assert a.timeouts is b.timeouts is c.timeouts
    assert (a.ping, c.ping) == (b.ping, c.ping)
    assert a.ping != c.ping
