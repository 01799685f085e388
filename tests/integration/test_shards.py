"""Several real monitors share the probes of one config, also while their number changes."""

import json
import sys
from collections.abc import Sequence

import pytest

from tests.integration.harness import Lab, TargetHandle, config_of, talo_probe
from tests.integration.harness.lookout import look_out
from tests.integration.harness.program import WS_MONITOR
from tests.integration.harness.stateful_set import StatefulSet, all_up

PROBES = 12

LONGEST = 60.0
"""Seconds that a probe may be unwatched while the number of shards changes."""

# Several processes start one after the other, on a machine that may be busy.
pytestmark = pytest.mark.timeout(400)


def config_for(targets: Sequence[TargetHandle]) -> dict[str, object]:
    """A probe for each target; none gives up a connection because the machine is slow."""
    return config_of(
        [
            talo_probe(f"p{n}", each.url, interval="500ms", timeout="500ms", missed_threshold=1000)
            for n, each in enumerate(targets)
        ]
    )


async def shards(
    lab: Lab, targets: Sequence[TargetHandle], count: int, replication: int = 1
) -> StatefulSet:
    """So many shards, all of their probes up."""
    stateful_set = StatefulSet(lab, lab.write(config_for(targets)), replication)
    for index in range(count):
        await stateful_set.start(index, count)
    return stateful_set


async def assert_all_watched(stateful_set: StatefulSet, at_least: int) -> None:
    """See that, with no pod away, every probe has its watchers."""
    watchers = await stateful_set.watchers()
    assert len(watchers) == PROBES
    assert all(len(each) >= at_least for each in watchers.values()), watchers


class TestAShard:
    """One monitor of several."""

    async def test_together_they_watch_every_probe_once_and_each_says_which_it_is(
        self, lab: Lab
    ) -> None:
        targets = await lab.targets(PROBES)
        stateful_set = await shards(lab, targets, 2)
        watchers = await stateful_set.watchers()
        assert sorted(watchers) == sorted(f"p{n}" for n in range(PROBES))
        assert {len(each) for each in watchers.values()} == {1}
        for index, pod in stateful_set.pods.items():
            scrape = await pod.scrape()
            assert scrape.value("ws_monitor_shard_index") == index
            assert scrape.value("ws_monitor_shards") == 2
            assert scrape.value("ws_monitor_shard_replication") == 1
            assert scrape.value("ws_monitor_probes") == len(scrape.probes) < PROBES
        for target in targets:
            assert (await target.counters())["connections_total"] == 1

    async def test_a_reload_takes_its_part_of_the_new_probes_and_keeps_the_connections(
        self, lab: Lab
    ) -> None:
        targets = await lab.targets(PROBES)
        stateful_set = await shards(lab, targets[: PROBES // 2], 2)
        for pod in stateful_set.pods.values():
            await pod.reload(json.dumps(config_for(targets)))
        watchers = await stateful_set.watchers()
        assert len(watchers) == PROBES
        assert {len(each) for each in watchers.values()} == {1}
        for target in targets[: PROBES // 2]:
            assert (await target.counters())["connections_total"] == 1

    async def test_discovered_probes_are_shared_out_as_well_and_get_the_vantage(
        self, lab: Lab
    ) -> None:
        targets = await lab.targets(PROBES)
        groups = [{"targets": [f"127.0.0.1:{target.port}" for target in targets]}]
        (lab.directory / "targets.json").write_text(json.dumps(groups))
        source = {
            "name": "file",
            "file_sd": {"files": ["targets.json"]},
            "allow": ["127.0.0.0/8"],
            "probe": talo_probe("p{port}", "ws://{address}/"),
        }
        config = lab.write(config_of([], discovery=[source]))
        seen: list[str] = []
        for index in range(2):
            env = {"WS_MONITOR_SHARD": f"{index}/2", "WS_MONITOR_VANTAGE": "eu-west"}
            monitor = await lab.monitor_from(config, env=env)
            scrape = await monitor.until(lambda scrape: scrape.probes and all_up(scrape))
            assert set(scrape.by("ws_probe_up", "vantage")) == {"eu-west"}
            seen += scrape.probes
        assert sorted(seen) == sorted(f"p{target.port}" for target in targets)

    async def test_its_vantage_is_a_label_of_its_probes_and_of_itself(self, lab: Lab) -> None:
        targets = await lab.targets(1)
        config = lab.write(config_for(targets) | {"labels": {"vantage": "file", "team": "a"}})
        monitor = await lab.monitor_from(config, env={"WS_MONITOR_VANTAGE": "eu-west"})
        await monitor.reload(json.dumps(config_for(targets)))
        scrape = await monitor.until(lambda scrape: scrape.probe("p0").up)
        assert set(scrape.by("ws_probe_up", "vantage")) == {"eu-west"}
        assert set(scrape.by("ws_monitor_shards", "vantage")) == {"eu-west"}

    @pytest.mark.parametrize(
        "options", [["--shard", "3/3"], ["--shard", "auto/3"], ["--replication", "none"]]
    )
    async def test_nonsense_is_one_line_and_exit_code_2(self, lab: Lab, options: list[str]) -> None:
        config = lab.write(config_of([]))
        program = lab.program(
            WS_MONITOR, "run", "--config", str(config), *options, env={"WS_MONITOR_POD_INDEX": "x"}
        )
        assert await program.wait() == 2
        assert program.out == ""
        assert len(program.err.splitlines()) == 1, program.err
        assert program.err.startswith(f"{options[0]}: ")


class TestAChangeOfTheirNumber:
    """A rolling update, from the last pod to the first, as docs/scaling.md says."""

    @pytest.mark.parametrize("replication", [1, 2])
    async def test_no_probe_is_unwatched_for_longer_than_a_restart_and_none_with_two_watchers(
        self, lab: Lab, replication: int
    ) -> None:
        targets = await lab.targets(PROBES)
        stateful_set = await shards(lab, targets, 3, replication)
        async with look_out(targets) as silences:
            # From three to two: the count first, the surplus pod last.
            for index in (2, 1, 0):
                await stateful_set.restart(index, 2)
                await assert_all_watched(stateful_set, replication)
            await stateful_set.stop(2)
            await assert_all_watched(stateful_set, replication)
            # From two to three: the new pod comes first.
            await stateful_set.start(2, 3)
            for index in (1, 0):
                await stateful_set.restart(index, 3)
                await assert_all_watched(stateful_set, replication)
        longest = max(silence.longest for silence in silences)
        # Shown by `pytest -rP`.
        sys.stdout.write(f"{replication} watching each: at most {longest:.1f} s unwatched\n")
        assert longest < LONGEST
        assert min(silence.fewest for silence in silences) >= replication - 1
        watchers = await stateful_set.watchers()
        assert {len(each) for each in watchers.values()} == {replication}
