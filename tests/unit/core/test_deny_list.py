"""Which addresses a deny-list matches, however they are written."""

from ipaddress import ip_network

import pytest

from monitor.core.deny_list import NOTHING_DENIED, DenyList

METADATA = DenyList((ip_network("169.254.0.0/16"), ip_network("fe80::/10")))


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("169.254.169.254", "169.254.0.0/16"),
        ("169.254.0.0", "169.254.0.0/16"),
        ("::ffff:169.254.169.254", "169.254.0.0/16"),
        ("::ffff:a9fe:a9fe", "169.254.0.0/16"),
        ("64:ff9b::169.254.169.254", "169.254.0.0/16"),
        ("fe80::1", "fe80::/10"),
        ("fe80::1%eth0", "fe80::/10"),
        ("febf:ffff::", "fe80::/10"),
    ],
)
def test_what_is_denied(host: str, network: str) -> None:
    """Also an IPv4 address inside an IPv6 one, and one with a scope."""
    assert METADATA.match(host) == ip_network(network)


@pytest.mark.parametrize(
    "host", ["169.253.255.255", "169.255.0.0", "10.0.0.1", "fec0::1", "::ffff:10.0.0.1", "::1"]
)
def test_what_is_not_denied(host: str) -> None:
    """The neighbours of the networks."""
    assert METADATA.match(host) is None
    assert NOTHING_DENIED.match(host) is None


def test_what_is_allowed_as_well_may_be_dialled() -> None:
    """And only that."""
    some = DenyList(METADATA.denied, (ip_network("169.254.7.0/24"),))
    assert some.match("169.254.7.1") is None
    assert some.match("::ffff:169.254.7.1") is None
    assert some.match("169.254.8.1") is not None


def test_a_way_that_is_allowed_does_not_allow_what_lies_behind_it() -> None:
    """An IPv6 network that carries all of IPv4 says nothing about the addresses that it carries."""
    some = DenyList(METADATA.denied, (ip_network("64:ff9b::/96"), ip_network("::ffff:0:0/96")))
    assert some.match("64:ff9b::169.254.169.254") is not None
    assert some.match("::ffff:169.254.169.254") is not None


def test_a_name_is_no_address() -> None:
    """It has to be resolved first."""
    with pytest.raises(ValueError, match="localhost"):
        METADATA.match("localhost")
