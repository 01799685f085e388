"""The text of every error is an interface: one bad config each, with the exact lines."""

from pathlib import Path

import pytest
import yaml

from monitor.config import ConfigError, document, load_config

DATA = Path(__file__).parents[2] / "data" / "config"
BAD = sorted(path.name for path in DATA.glob("bad-*.yaml"))


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers are put to every test here: they word their errors differently."""
    chosen = yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader
    monkeypatch.setattr(document, "_PARSER", chosen)
    monkeypatch.chdir(DATA)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_config_is_refused_with_exactly_these_lines(name: str) -> None:
    """The lines that `ws-monitor check` prints."""
    expected = Path(name).with_suffix(".txt").read_text()
    with pytest.raises(ConfigError) as caught:
        load_config(Path(name))
    assert f"{caught.value}\n" == expected


@pytest.mark.parametrize("name", BAD)
def test_no_error_repeats_a_planted_secret(name: str) -> None:
    """Whatever is wrong with the place where it was put."""
    with pytest.raises(ConfigError) as caught:
        load_config(Path(name))
    assert "hunter" not in str(caught.value).lower()


def test_every_bad_config_has_its_text_and_every_text_its_config() -> None:
    """A forgotten one would never be looked at."""
    assert {path.stem for path in DATA.glob("*.yaml")} == {p.stem for p in DATA.glob("*.txt")}
    assert len(BAD) >= 30


def test_secrets_are_planted_in_many_of_them() -> None:
    """Else the test above would show nothing."""
    planted = [name for name in BAD if b"hunter" in Path(name).read_bytes().lower()]
    assert len(planted) >= 8
