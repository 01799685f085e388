"""docs/discovery.md keeps up with the code."""

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from monitor.config import Config, parse_config
from monitor.config.networks import METADATA_AND_LOCAL
from monitor.discovery.file_sd import MOST_BYTES
from monitor.discovery.target_groups import read_json

TEXT = (Path(__file__).parents[3] / "docs" / "discovery.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
CONFIGS = [
    text for kind, text in BLOCKS if kind == "yaml" and "discovery" in text.partition(":")[0]
]


def test_there_are_examples() -> None:
    """Or the next test would test nothing."""
    assert len(CONFIGS) >= 7


@pytest.mark.parametrize("text", CONFIGS)
def test_every_example_is_good(text: str) -> None:
    """As it stands."""
    assert isinstance(parse_config(text, "docs"), Config)


def test_the_example_of_a_file_is_good() -> None:
    """Two targets in one group."""
    (text,) = (text for kind, text in BLOCKS if kind == "json")
    assert len(read_json(text.encode())) == 2


def test_every_address_that_is_never_dialled_is_named() -> None:
    """And no other."""
    section = TEXT.partition("## Addresses that are never dialled")[2].partition("\n## ")[0]
    table = "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert set(map(ip_network, re.findall(r"`(.+?)`", table))) == set(METADATA_AND_LOCAL)


def test_the_figures_are_those_of_the_code() -> None:
    """Bounds and defaults."""
    source = parse_config(CONFIGS[0], "docs").discovery[0]
    assert (source.refresh, source.timeout, source.limit) == (60, 10, 1000)
    assert "every `refresh`, one minute by default, and given `timeout`, ten seconds" in TEXT
    assert "1000 probes unless you say otherwise" in TEXT
    assert TEXT.count("at most 16 MiB") == 2
    assert MOST_BYTES == 16 << 20
