"""Which probes this monitor runs: those of the config and those discovered, if they are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.config import Config, ProbeConfig


def every_probe(_: ProbeConfig) -> bool:
    """Run every probe: there is one monitor."""
    return True


def wanted_probes(
    config: Config,
    discovered: Iterable[ProbeConfig] = (),
    is_ours: Callable[[ProbeConfig], bool] = every_probe,
) -> list[ProbeConfig]:
    """Return the probes to run, each name once; the config's come first and win.

    Args:
        config: what is in force.
        discovered: what the sources of discovery have found.
        is_ours: whether a probe belongs to this monitor's shard.
    """
    by_name: dict[str, ProbeConfig] = {}
    for probe in (*config.probes, *discovered):
        by_name.setdefault(probe.name, probe)
    return [probe for probe in by_name.values() if is_ours(probe)]
