"""The families: names that others rely on, and what all of them have in common."""

from pathlib import Path

import pytest

from monitor.config.labels import RESERVED
from monitor.config.schema import Metrics
from monitor.metrics import families
from monitor.metrics.families import MONITOR_FAMILIES, PROBE_FAMILIES, Family, Kind

GOLDEN = Path(__file__).parents[2] / "data" / "metrics" / "families.txt"

ALL = PROBE_FAMILIES + MONITOR_FAMILIES

each = pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)


def test_families_are_what_others_rely_on() -> None:
    """If this is meant: `python -m monitor.metrics.families > tests/data/metrics/families.txt`."""
    assert families.describe() == GOLDEN.read_text()


def test_every_declared_family_is_exposed_once() -> None:
    """A declaration that nobody lists would be forgotten."""
    declared = [value for value in vars(families).values() if isinstance(value, Family)]
    assert sorted(ALL, key=lambda family: family.name) == sorted(
        declared, key=lambda family: family.name
    )
    assert len({family.name for family in ALL}) == len(ALL)


@each
def test_a_name_says_who_it_is_about(family: Family) -> None:
    """Probes and the monitor itself have a prefix each."""
    assert family.name.startswith("ws_probe_" if family in PROBE_FAMILIES else "ws_monitor_")


@each
def test_counters_and_only_counters_are_totals(family: Family) -> None:
    """As Prometheus has it."""
    assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)


@each
def test_histograms_and_only_histograms_have_buckets(family: Family) -> None:
    """And their bounds ascend."""
    assert bool(family.buckets) == (family.kind is Kind.HISTOGRAM)
    assert list(family.buckets) == sorted(set(family.buckets))


@each
def test_help_is_one_plain_sentence(family: Family) -> None:
    """No escapes are needed, and it ends with a full stop."""
    assert family.help.endswith(".")
    assert family.help.isprintable()
    assert not set(family.help) & set('\\"')


@pytest.mark.parametrize(
    ("family", "unit"),
    [
        (families.RTT, "seconds"),
        (families.DOWNTIME, "seconds"),
        (families.RECEIVED_BYTES, "bytes"),
        (families.UP, ""),
        (families.SENT, ""),
    ],
)
def test_the_unit_is_what_the_name_ends_in(family: Family, unit: str) -> None:
    """OpenMetrics asks for it."""
    assert family.unit == unit


def test_a_timestamp_says_that_it_is_unix_time() -> None:
    """Nobody should have to guess."""
    stamps = [family for family in ALL if "timestamp" in family.name]
    assert stamps
    assert all("in Unix time" in family.help for family in stamps)


def test_the_config_reserves_every_label_of_ours() -> None:
    """A label from the config would hide it."""
    assert families.RESERVED_LABELS <= RESERVED


def test_the_config_has_the_same_default_buckets() -> None:
    """They are declared in two places, since neither layer knows the other."""
    assert Metrics().rtt_buckets == families.RTT.buckets
