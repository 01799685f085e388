"""The config as a whole: what the monitor itself is told, and its probes.

Rules that involve more than one key are in `rules`.  This module does no I/O.
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict

from monitor.config.discovery import DiscoverySource
from monitor.config.labels import Labels
from monitor.config.networks import METADATA_AND_LOCAL, NetworkValue
from monitor.config.probe import ProbeConfig
from monitor.config.secret import Secret
from monitor.config.section import Section
from monitor.config.values import Duration, ListenAddress, refuse
from monitor.core.deny_list import Network


def _strictly_increasing(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if not bounds:
        raise refuse("needs at least one bucket")
    if any(low >= high for low, high in pairwise(bounds)):
        raise refuse("each bucket must be larger than the one before it")
    return bounds


def _unique(codes: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(codes)) < len(codes):
        raise refuse("the same close code is listed twice")
    return codes


def _on_loopback(address: ListenAddress | None) -> ListenAddress | None:
    if address is not None and not address.is_loopback:
        raise refuse("faults are switched on here: only a loopback address, like 127.0.0.1:10442")
    return address


class Web(Section):
    """Where the monitor serves metrics and pages."""

    listen: ListenAddress = ListenAddress("0.0.0.0", 10440)  # noqa: S104 - a pod is scraped from outside
    """Address to serve on: HOST:PORT, [IPv6]:PORT or :PORT."""


class Log(Section):
    """What the monitor writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level to write."""
    format: Literal["auto", "console", "json"] = "auto"
    """How to write it; auto is console on a terminal and json elsewhere."""


class Connect(Section):
    """A budget for connection attempts over all probes."""

    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] = 64
    """So many attempts at once."""
    per_second: Annotated[float, Field(ge=0.01, le=10_000)] = 50.0
    """So many attempts started each second."""


class TicketBudget(Section):
    """A budget for ticket requests, for each API key and ticket host."""

    per_minute: Annotated[int, Field(ge=1, le=100_000)] = 15
    """So many requests a minute. Talo allows 20 in 60 s for each client IP, then blocks 60 s."""


class Metrics(Section):
    """What is counted, and how finely."""

    rtt_buckets: Annotated[
        tuple[Annotated[float, Duration("1us", "1h")], ...],
        Strict(strict=False),
        Field(max_length=40, json_schema_extra={"minItems": 1}),
        AfterValidator(_strictly_increasing),
    ] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
    """Upper bounds of the round-trip histogram, strictly increasing. Each is a series."""
    close_codes: Annotated[
        tuple[Annotated[int, Field(ge=3000, le=4999)], ...],
        Strict(strict=False),
        Field(max_length=50),
        AfterValidator(_unique),
    ] = ()
    """Close codes of your own, 3000 to 4999, to show as numbers instead of 3xxx and 4xxx."""
    detail: Literal["full", "basic"] = "full"
    """basic keeps a probe under 40 series, for very large fleets."""


class EmbeddedTarget(Section):
    """A Talo-speaking target inside the monitor, to try things out; on if the key is present."""

    listen: ListenAddress = ListenAddress("127.0.0.1", 10441)
    """Address to serve on."""
    control: Annotated[ListenAddress | None, AfterValidator(_on_loopback)] = None
    """Loopback address where faults are switched on; by default there is none."""
    api_key: Secret = Secret(env="WS_MONITOR_EMBEDDED_API_KEY")
    """The key that buys tickets from it: {env: NAME} or {file: PATH}."""


class Config(Section):
    """A whole config.  Its probes are complete: nobody needs to look at `defaults`."""

    web: Web = Field(default_factory=Web)
    """Where the monitor serves metrics and pages."""
    log: Log = Field(default_factory=Log)
    """What the monitor writes to standard error."""
    labels: Labels = Field(default_factory=dict)
    """Labels for every probe's series, like where this monitor stands."""
    connect: Connect = Field(default_factory=Connect)
    """A budget for connection attempts over all probes."""
    ticket_budget: TicketBudget = Field(default_factory=TicketBudget)
    """A budget for ticket requests, for each API key and ticket host."""
    metrics: Metrics = Field(default_factory=Metrics)
    """What is counted, and how finely."""
    embedded_target: EmbeddedTarget | None = None
    """A Talo-speaking target inside the monitor, to try things out; on if the key is present."""
    discovery: Annotated[
        tuple[DiscoverySource, ...], Strict(strict=False), Field(max_length=100)
    ] = ()
    """Sources that name further targets, and the probes to make of them."""
    discovery_deny: Annotated[
        tuple[Annotated[Network, NetworkValue()], ...], Strict(strict=False), Field(max_length=1000)
    ] = METADATA_AND_LOCAL
    """Networks that no discovered probe may dial."""
    probes: tuple[ProbeConfig, ...] = ()
    """The connections to keep open."""
