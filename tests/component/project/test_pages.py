"""What the project's pages show and name is really there."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from monitor.cli import cli
from monitor.config import json_schema
from tests.unit.project.tree import ROOT, markdown_files, name_of

YAML_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
METRIC = re.compile(r"`(ws_(?:probe|monitor)_[a-z_]+[a-z])(?:\{|`| |$)")
KEYS = set(json_schema()["properties"])
DESCRIBED = set(re.findall(r"^\| `(ws_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
CODE = re.compile(r"^```\w*\n.*?^```|`[^`\n]+`|^    [^\n]+$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?<!-n )\bws-monitor ([a-z]+)\b([^`\n]*)")  # -n names a namespace
OPTION = re.compile(r"(?<!\S)(--[a-z][a-z.-]*)")
COMMANDS = typer.main.get_command(cli).commands
PARTS_OF_HISTOGRAMS = ("_bucket", "_sum", "_count")


def is_probe(value: Any) -> bool:
    """Whether a value from a page is a probe of ours."""
    return isinstance(value, dict) and {"name", "url", "protocol"} <= value.keys()


def is_config(value: Any) -> bool:
    """Whether a value from a page is a config of ours: what Kubernetes reads has `kind`."""
    return isinstance(value, dict) and bool(value) and value.keys() <= KEYS


def configs_in(page: Path) -> list[str]:
    """Every config that a page shows, a list of probes made into a whole one."""
    found = []
    for block in YAML_BLOCK.findall(page.read_text()):
        value = yaml.safe_load(block)
        if is_config(value):
            found.append(block)
        elif isinstance(value, list) and value and all(map(is_probe, value)):
            found.append(f"probes:\n{block}")
    return found


SHOWN = [
    pytest.param(config, id=f"{name_of(page)}-{number}")
    for page in markdown_files()
    for number, config in enumerate(configs_in(page))
]


class TestConfigs:
    """What a reader may copy."""

    def test_the_pages_that_should_show_configs_do(self) -> None:
        pages = {name_of(page) for page in markdown_files() if configs_in(page)}
        assert pages >= {
            "README.md",
            "docs/configuration.md",
            "docs/kubernetes.md",
            "docs/operations.md",
        }

    @pytest.mark.parametrize("config", SHOWN)
    def test_ws_monitor_check_finds_nothing_wrong_with_it(
        self, config: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "config.yaml"
        path.write_text(config)
        done = CliRunner().invoke(cli, ["check", str(path)])
        assert done.exit_code == 0, done.output

    def test_no_probe_of_ours_hides_in_a_block_that_is_not_checked(self) -> None:
        """A key that is misspelt would make a config look like somebody else's."""
        blocks = [
            (name_of(page), block)
            for page in markdown_files()
            for block in YAML_BLOCK.findall(page.read_text())
            if re.search(r"^\s*(- )?protocol: (talo|ping|text)\b", block, re.MULTILINE)
        ]
        checked = {config.removeprefix("probes:\n") for param in SHOWN for config in param.values}
        assert blocks
        unseen = [page for page, block in blocks if block.removeprefix("probes:\n") not in checked]
        assert unseen == []


def commands_in(page: Path) -> list[tuple[str, str]]:
    """Each command of ours that a page shows as code, and the rest of its line."""
    return [found for code in CODE.findall(page.read_text()) for found in COMMAND.findall(code)]


class TestCommands:
    """What a reader may type."""

    @pytest.mark.parametrize("page", markdown_files(), ids=name_of)
    def test_every_command_and_option_that_a_page_shows_exists(self, page: Path) -> None:
        for name, rest in commands_in(page):
            assert name in COMMANDS, f"ws-monitor {name}"
            there = {
                option
                for each in COMMANDS[name].params
                for option in (*each.opts, *each.secondary_opts)
            }
            assert set(OPTION.findall(rest)) <= there, f"ws-monitor {name}{rest}"

    def test_the_pages_show_every_command(self) -> None:
        shown = {name for page in markdown_files() for name, _ in commands_in(page)}
        assert shown == set(COMMANDS)


class TestMetrics:
    """Names that a reader may ask Prometheus for."""

    @pytest.mark.parametrize("page", markdown_files(), ids=name_of)
    def test_every_metric_that_a_page_names_is_described(self, page: Path) -> None:
        named = set(METRIC.findall(page.read_text()))
        plain = {name for name in named if not name.endswith(PARTS_OF_HISTOGRAMS)}
        assert DESCRIBED
        assert plain - DESCRIBED == set()
