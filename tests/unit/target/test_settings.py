"""The settings keep the control endpoint away from other machines."""

import pytest

from monitor.target import TargetSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_the_control_endpoint_may_listen_on_loopback(host: str) -> None:
    """Whatever the loopback address is called."""
    assert TargetSettings(control_host=host).control_host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "example.org"])
def test_the_control_endpoint_may_not_listen_elsewhere(host: str) -> None:
    """A name that could be anything counts as elsewhere."""
    with pytest.raises(ValueError, match="must listen on loopback"):
        TargetSettings(control_host=host)


def test_the_control_endpoint_may_be_exposed_on_purpose() -> None:
    """In a container, say, whose port is published to the host alone."""
    assert TargetSettings(control_host="0.0.0.0", expose_control=True).expose_control


def test_the_control_host_does_not_matter_without_a_control_endpoint() -> None:
    """Nothing listens there."""
    assert TargetSettings(control_host="0.0.0.0", control_port=None).control_port is None
