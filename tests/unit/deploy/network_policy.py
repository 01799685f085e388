"""What a NetworkPolicy of Kubernetes lets through, as far as those of this project go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """A connection: to or from whom, and where to.

    Attributes:
        address: the other side's.
        port: a number, or the name that the pod gives it.
        protocol: TCP or UDP.
        labels: those of the other side's pod; none of somebody outside the cluster.
    """

    address: str
    port: int | str
    protocol: str = "TCP"
    labels: Mapping[str, str] = field(default_factory=dict)


def admits(policy: Mapping[str, Any], direction: str, traffic: Traffic) -> bool:
    """Return whether a policy's specification lets traffic in (`ingress`) or out (`egress`)."""
    side = "from" if direction == "ingress" else "to"
    return any(
        _fits_ports(rule.get("ports"), traffic) and _fits_peers(rule.get(side), traffic)
        for rule in policy[direction]
    )


def _fits_ports(ports: list[Mapping[str, Any]] | None, traffic: Traffic) -> bool:
    if ports is None:
        return True
    return any(
        port.get("protocol", "TCP") == traffic.protocol
        and port.get("port", traffic.port) == traffic.port
        for port in ports
    )


def _fits_peers(peers: list[Mapping[str, Any]] | None, traffic: Traffic) -> bool:
    return peers is None or any(_fits_peer(peer, traffic) for peer in peers)


def _fits_peer(peer: Mapping[str, Any], traffic: Traffic) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return _in(block["cidr"], traffic.address) and not any(
            _in(hole, traffic.address) for hole in block.get("except", ())
        )
    # A selector without conditions is any namespace; another one is more than is read here.
    assert peer.get("namespaceSelector") == {}
    return bool(peer["podSelector"]["matchLabels"].items() <= traffic.labels.items())


def _in(network: str, address: str) -> bool:
    return ip_address(address) in ip_network(network)
