"""Targets become probes: those that fit, up to the limit, and none is made twice."""

from ipaddress import ip_network

import pytest

from monitor.config import DiscoveredTarget, Template, parse_config, target_with
from monitor.core.deny_list import DenyList
from monitor.discovery.intake import Batch, Intake

DENY = DenyList((ip_network("10.0.0.0/8"),))


@pytest.fixture
def template() -> Template:
    """A template that needs a label."""
    config = parse_config(
        "discovery: [{name: s, dns: {names: [x]}, probe: {name: '{host}', "
        "url: 'ws://{address}/{label.room}', protocol: ping}}]",
        "c",
    )
    return config.discovery[0].probe


def targets(*hosts: str) -> tuple[DiscoveredTarget, ...]:
    """Return a target in room 1 on each host."""
    return tuple(target_with(host, {"room": "1"}) for host in hosts)


def names(batch: Batch) -> list[str]:
    """Return the names of the probes."""
    return [probe.name for probe in batch.probes]


def test_one_target_that_does_not_fit_does_not_touch_the_others(template: Template) -> None:
    """It is left out, with the reason."""
    lacking = target_with("b", {})
    batch = Intake(template, DENY, 10).take((*targets("a"), lacking, *targets("c")))
    assert names(batch) == ["a", "c"]
    assert batch.refused == ((lacking, "it has no label room"),)
    assert batch.over_limit == 0
    assert all(probe.deny_list == DENY for probe in batch.probes)


def test_beyond_the_limit_no_probe_is_made(template: Template) -> None:
    """What does not fit takes no place."""
    batch = Intake(template, DENY, 2).take(
        (*targets("a"), target_with("b", {}), *targets("c", "d", "e"))
    )
    assert names(batch) == ["a", "c"]
    assert (len(batch.refused), batch.over_limit) == (1, 2)


def test_a_target_that_stays_keeps_its_very_probe(template: Template) -> None:
    """Nothing is checked twice, and the fleet sees at once that nothing changed."""
    intake = Intake(template, DENY, 10)
    first = intake.take(targets("a", "b"))
    second = intake.take(targets("b", "c"))
    assert second.probes[0] is first.probes[1]
    third = intake.take(targets("a"))
    assert third.probes[0] is not first.probes[0]
    assert third.probes[0] == first.probes[0]
