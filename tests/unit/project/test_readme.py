"""What the README shows is true."""

import re

import pytest

from monitor.cli import cli
from monitor.config import parse_config
from tests.unit.project.tree import ROOT

README = (ROOT / "README.md").read_text()
YAML_BLOCKS = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
CONFIGS = [block for block in YAML_BLOCKS if "probes:" in block]


class TestTheReadme:
    """The first page that anybody reads."""

    def test_it_can_be_read_in_one_sitting(self) -> None:
        assert len(README.splitlines()) < 120

    def test_it_shows_a_config(self) -> None:
        assert CONFIGS

    @pytest.mark.parametrize("config", CONFIGS)
    def test_a_config_that_it_shows_is_accepted(self, config: str) -> None:
        assert parse_config(config, "README.md").probes

    def test_it_names_the_commands_that_there_are(self) -> None:
        named = re.findall(r"^\| `ws-monitor (\w+)", README, re.MULTILINE)
        there = [
            command.callback.__name__ for command in cli.registered_commands if command.callback
        ]
        assert sorted(named) == sorted(there)
