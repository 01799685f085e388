"""`ws-monitor target`: where it lets others switch faults on."""

import pytest
from typer.testing import CliRunner

from monitor import cli
from monitor.target import TargetSettings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[TargetSettings]:
    """What targets were started with; none is."""
    settings: list[TargetSettings] = []

    def serve(given: TargetSettings) -> int:
        settings.append(given)
        return 0

    monkeypatch.setattr(cli, "_serve_target", serve)
    return settings


def test_by_default_only_this_machine_can(started: list[TargetSettings]) -> None:
    """Whoever reaches the control endpoint can break the target."""
    assert CliRunner().invoke(cli.cli, ["target"]).exit_code == 0
    assert [settings.control_host for settings in started] == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "[::]", "example.com", ""])
def test_beyond_loopback_it_does_not_start(started: list[TargetSettings], host: str) -> None:
    """It is a mistake in the arguments, told in one sentence."""
    result = CliRunner().invoke(cli.cli, ["target", "--control", f"{host}:10442"])
    assert result.exit_code == 2
    assert "must listen on loopback" in " ".join(result.output.replace("│", " ").split())
    assert started == []


def test_unless_it_is_told_to(started: list[TargetSettings]) -> None:
    """On a network of tests."""
    arguments = ["target", "--control", "0.0.0.0:10442", "--expose-control"]
    assert CliRunner().invoke(cli.cli, arguments).exit_code == 0
    assert [settings.control_host for settings in started] == ["0.0.0.0"]
