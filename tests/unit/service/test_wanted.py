"""Which probes a monitor runs, out of those it knows of."""

from monitor.config import ProbeConfig, parse_config
from monitor.wanted import wanted_probes

CONFIG = """
probes:
  - {name: a, url: ws://a.example, protocol: ping}
  - {name: b, url: ws://b.example, protocol: ping}
"""


def probe(name: str, host: str) -> ProbeConfig:
    """A probe as discovery may find it."""
    text = f"probes: [{{name: {name}, url: 'ws://{host}', protocol: ping}}]"
    return parse_config(text, "discovered").probes[0]


class TestWantedProbes:
    """Configured and discovered, each name once."""

    def test_they_are_those_of_the_config(self) -> None:
        config = parse_config(CONFIG, "c.yaml")
        assert wanted_probes(config) == list(config.probes)

    def test_discovered_ones_follow_and_do_not_replace_those_of_the_config(self) -> None:
        config = parse_config(CONFIG, "c.yaml")
        found = [probe("b", "other.example"), probe("c", "c.example"), probe("c", "d.example")]
        wanted = wanted_probes(config, found)
        assert [(one.name, one.endpoint) for one in wanted] == [
            ("a", "ws://a.example:80"),
            ("b", "ws://b.example:80"),
            ("c", "ws://c.example:80"),
        ]

    def test_only_those_of_the_shard_are_run(self) -> None:
        config = parse_config(CONFIG, "c.yaml")
        wanted = wanted_probes(
            config, [probe("c", "c.example")], lambda one: one.name in {"b", "c"}
        )
        assert [one.name for one in wanted] == ["b", "c"]
