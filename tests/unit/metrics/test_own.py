"""The families about the monitor itself."""

import platform

import pytest
from prometheus_client.samples import Sample

from monitor.core.sharding import ALONE, Shard
from monitor.metrics import families
from monitor.metrics.families import Family
from monitor.metrics.own import MonitorMetrics
from monitor.metrics.sources import LeftOut
from monitor.metrics.view import metric_of


class Clock:
    """A wall clock that stands still."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.1234

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def samples(monitor: MonitorMetrics, family: Family) -> list[Sample]:
    """Return a family's samples."""
    name = metric_of(family).name
    (found,) = (metric.samples for metric in monitor.collect() if metric.name == name)
    return found


def values(monitor: MonitorMetrics, family: Family) -> dict[str, float]:
    """Return a family's samples by what comes after its name."""
    found = samples(monitor, family)
    return {sample.name.removeprefix(family.name): sample.value for sample in found}


@pytest.fixture
def monitor() -> MonitorMetrics:
    """Metrics that nothing has happened to."""
    return MonitorMetrics("1.2.3", Clock(), ALONE, "")


def test_the_build_is_described(monitor: MonitorMetrics) -> None:
    """By its version and Python's."""
    (sample,) = samples(monitor, families.BUILD_INFO)
    assert sample.value == 1
    assert sample.labels == {"version": "1.2.3", "python_version": platform.python_version()}


def test_before_the_first_load_there_is_no_time_of_success(monitor: MonitorMetrics) -> None:
    """A 0 would be 1970."""
    assert values(monitor, families.RELOAD_SUCCESSFUL) == {"": 0}
    assert values(monitor, families.RELOAD_SUCCESS_TIMESTAMP) == {}


def test_a_failed_reload_keeps_the_time_of_the_last_good_one() -> None:
    """So that one can see for how long the config has been old."""
    clock = Clock()
    monitor = MonitorMetrics("1.2.3", clock, ALONE, "")
    monitor.reloaded(ok=True)
    clock.now += 60
    monitor.reloaded(ok=False)
    assert values(monitor, families.RELOAD_SUCCESSFUL) == {"": 0}
    assert values(monitor, families.RELOAD_SUCCESS_TIMESTAMP) == {"": 1_700_000_000.123}
    monitor.reloaded(ok=True)
    assert values(monitor, families.RELOAD_SUCCESSFUL) == {"": 1}
    assert values(monitor, families.RELOAD_SUCCESS_TIMESTAMP) == {"": 1_700_000_060.123}


def test_lateness_is_observed(monitor: MonitorMetrics) -> None:
    """The loop's and the beats'."""
    monitor.loop_lag.observe(0.003)
    monitor.beat_slip.observe(0.5)
    monitor.beat_slip.observe(0.25)
    assert values(monitor, families.LOOP_LAG)["_sum"] == 0.003
    assert values(monitor, families.BEAT_SLIP)["_count"] == 2
    assert values(monitor, families.BEAT_SLIP)["_sum"] == 0.75


def test_stalls_and_crashes_add_up(monitor: MonitorMetrics) -> None:
    """Seconds of one, a number of the other."""
    monitor.stalled(1.5)
    monitor.stalled(60.0)
    monitor.crashed()
    assert values(monitor, families.STALLED) == {"": 61.5}
    assert values(monitor, families.CRASHES) == {"": 1}


def test_the_number_of_probes_is_what_it_was_set_to(monitor: MonitorMetrics) -> None:
    """It can fall as well."""
    monitor.probes.set(3)
    monitor.probes.set(2)
    assert values(monitor, families.PROBES) == {"": 2}


def test_it_says_which_shard_it_is() -> None:
    """So that rules see when one is missing, for each vantage by itself."""
    monitor = MonitorMetrics("1.2.3", Clock(), Shard(1, 3, 2), "eu")
    assert values(monitor, families.SHARD_INDEX) == {"": 1}
    assert values(monitor, families.SHARDS) == {"": 3}
    assert values(monitor, families.SHARD_REPLICATION) == {"": 2}
    (sample,) = samples(monitor, families.SHARDS)
    assert sample.labels == {"vantage": "eu"}


def sources(monitor: MonitorMetrics, family: Family) -> dict[tuple[str, ...], float]:
    """Return a family's samples by the values of their labels."""
    return {tuple(s.labels.values()): s.value for s in samples(monitor, family)}


def test_a_source_has_its_figures_at_once_and_none_once_it_is_gone(
    monitor: MonitorMetrics,
) -> None:
    """All 0, but for the time of its last success."""
    monitor.add_source("a")
    monitor.add_source("b")
    for family in families.DISCOVERY_FAMILIES:
        found = sources(monitor, family)
        if family is families.DISCOVERY_LAST_SUCCESS:
            assert found == {}
        else:
            assert {labels[0] for labels in found} == {"a", "b"}
            assert set(found.values()) == {0}
    monitor.remove_source("a")
    assert sources(monitor, families.DISCOVERY_UP) == {("b",): 0}
    assert set(sources(monitor, families.DISCOVERY_LEFT_OUT)) == {
        ("b", reason.value) for reason in LeftOut
    }
    monitor.remove_source("b")
    assert all(not sources(monitor, family) for family in families.DISCOVERY_FAMILIES)


def test_a_source_that_fails_keeps_the_time_of_its_last_success() -> None:
    """So that one can see how old its answer is."""
    clock = Clock()
    monitor = MonitorMetrics("1.2.3", clock, ALONE, "")
    source = monitor.add_source("a")
    source.asked(ok=True)
    clock.now += 60
    source.asked(ok=False)
    assert sources(monitor, families.DISCOVERY_UP) == {("a",): 0}
    assert sources(monitor, families.DISCOVERY_LAST_SUCCESS) == {("a",): 1_700_000_000.123}
    assert sources(monitor, families.DISCOVERY_REFRESHES) == {("a",): 2}
    assert sources(monitor, families.DISCOVERY_REFRESH_FAILURES) == {("a",): 1}
    source.asked(ok=True)
    assert sources(monitor, families.DISCOVERY_UP) == {("a",): 1}
    assert sources(monitor, families.DISCOVERY_REFRESH_FAILURES) == {("a",): 1}


def test_what_utf8_cannot_carry_is_replaced() -> None:
    """Half a surrogate pair in one label would spoil every scrape."""
    monitor = MonitorMetrics("1.2.3", Clock(), ALONE, "eu\ud800")
    (sample,) = samples(monitor, families.SHARDS)
    assert sample.labels == {"vantage": "eu?"}
