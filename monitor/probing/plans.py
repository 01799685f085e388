"""From a probe's config to what carries it out: its dialect, its heartbeats, its dial plan."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from monitor.config import ProbeConfig, SecretUnavailable, endpoint_of
from monitor.core.backoff import BackoffPolicy
from monitor.core.events import Mode
from monitor.core.failures import Phase
from monitor.core.heartbeats import Heartbeats
from monitor.core.matching import Matching
from monitor.core.numbered import Numbered
from monitor.core.schedule import Schedule, stable_phase
from monitor.core.unnumbered import Unnumbered
from monitor.dialects.control import Control
from monitor.dialects.dialect import Dialect
from monitor.dialects.talo import Talo
from monitor.dialects.text import Template, Text
from monitor.net.dial import DialPlan
from monitor.net.ticket import TicketPlan
from monitor.net.tls import TlsPlan
from monitor.probing.beats import slots_in

FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}
AGE_SPREAD = 0.2
"""The share of `max_connection_age` over which renewals are spread."""

DEFAULT_PORTS = {"ws": 80, "wss": 443}


def make_dialect(config: ProbeConfig) -> Dialect:
    """A fresh dialect for one connection."""
    return _DIALECTS[config.protocol](config)


def make_schedule(config: ProbeConfig, mode: Mode) -> Schedule:
    """When a probe's beats are due: always the same phase for the same name, mode and interval."""
    interval = config.modes[mode.value].interval
    digest = hashlib.sha256(f"{config.name}/{mode}".encode()).digest()
    return Schedule(interval, stable_phase(digest, interval, slots_in(interval)))


def make_beat(config: ProbeConfig, mode: Mode) -> tuple[Schedule, float, Matching]:
    """One mode's schedule, its time-out in seconds, and a fresh matching for its echoes."""
    beat = config.modes[mode.value]
    matching = Numbered() if config.carries_id(mode.value) else Unnumbered(beat.interval)
    return make_schedule(config, mode), beat.timeout, matching


def make_heartbeats(config: ProbeConfig, now: float) -> dict[Mode, Heartbeats]:
    """Empty books for each mode in which a probe beats."""
    modes = [Mode(mode) for mode in config.modes]
    return {mode: Heartbeats(mode, *make_beat(config, mode), now) for mode in modes}


def make_backoff_policy(config: ProbeConfig) -> BackoffPolicy:
    """How long a probe waits between connects."""
    return BackoffPolicy(config.reconnect.base, config.reconnect.max, config.reconnect.stable_after)


def renewal_age(config: ProbeConfig) -> float | None:
    """Seconds after which a connection is renewed; None for never.

    Between four fifths of the limit and the limit, always the same for the same name, so that
    connections that were made together are not renewed together.
    """
    if config.max_connection_age is None:
        return None
    digest = hashlib.sha256(f"{config.name}/max_connection_age".encode()).digest()
    share = int.from_bytes(digest[:8]) / 2**64
    return config.max_connection_age * (1 - AGE_SPREAD * share)


def ticket_seller(config: ProbeConfig) -> str | None:
    """The endpoint that a probe gets tickets from.

    None where it needs none, or where its URL is a secret that cannot be read: then the attempt
    is going to fail for that.
    """
    if config.ticket is None:
        return None
    try:
        return endpoint_of(config.read_ticket_url())
    except SecretUnavailable:
        return None


def make_dial_plan(config: ProbeConfig) -> DialPlan:
    """Everything one attempt needs, with every secret read anew.

    Raises:
        SecretUnavailable: a secret cannot be read.
    """
    url = urlsplit(config.read_url())
    resource = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return DialPlan(
        host=url.hostname or "",
        port=url.port or DEFAULT_PORTS[url.scheme],
        secure=url.scheme == "wss",
        resource=resource,
        timeouts=_timeouts(config),
        close_timeout=config.timeouts.close,
        ticket=_ticket(config),
        tls=_tls(config),
        server_name=config.tls.server_name,
        headers=list(config.read_headers().items()),
        subprotocols=config.subprotocols,
        origin=config.origin,
        user_agent=config.user_agent,
        family=FAMILIES[config.ip_version],
        deflate=config.compression == "deflate",
        max_message_size=config.max_message_size,
        max_message_rate=config.max_message_rate,
        deny_list=config.deny_list,
    )


def _timeouts(config: ProbeConfig) -> dict[Phase, float]:
    return {
        phase: getattr(config.timeouts, phase.value) for phase in Phase if phase is not Phase.PROXY
    }


def _ticket(config: ProbeConfig) -> TicketPlan | None:
    if config.ticket is None:
        return None
    return TicketPlan(config.read_ticket_url(), config.read_api_key())


def _tls(config: ProbeConfig) -> TlsPlan:
    tls = config.tls
    return TlsPlan(tls.ca_file, tls.cert_file, tls.key_file, tls.verify, tls.min_version)


def _template(payload: str | bytes) -> Template:
    if isinstance(payload, str):
        return Template(payload.encode(), text=True)
    return Template(payload, text=False)


def _text(config: ProbeConfig) -> Dialect:
    text = config.text
    if text is None:
        raise ValueError("protocol text without its text section")
    return Text(_template(text.send), _template(text.expect))


_DIALECTS: dict[str, Callable[[ProbeConfig], Dialect]] = {
    "talo": lambda _: Talo(),
    "ping": lambda _: Control(),
    "text": _text,
}
