"""What must hold between the keys of a config that are each right on their own.

Each rule is a function from a checked probe to what is wrong with it.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from monitor.config import urls
from monitor.config.discovery import DiscoverySource, HttpSd
from monitor.config.headers import Headers, needs_secret
from monitor.config.merge import FITS_PROTOCOLS
from monitor.config.probe import TICKET_PARAMETER, Mode, ProbeConfig, Tls
from monitor.config.problems import KeyPath
from monitor.config.schema import Config
from monitor.config.secret import Inline
from monitor.config.text import ID_PLACEHOLDER, placeholders
from monitor.config.values import format_duration

_MAX_IN_FLIGHT = 100
# Talo ends a connection without a sign of life between two of its 30 s ticks, and answers 300
# messages in 60 s on an unidentified one.  250 ms makes 240, so a beat or two early does no harm.
_TALO_PATIENCE = 30.0
_TALO_SHORTEST = 0.25


class Finding(NamedTuple):
    """Something wrong, and where in the probe or config."""

    path: KeyPath
    message: str


Rule: TypeAlias = Callable[[ProbeConfig], Iterator[Finding]]


def probe_findings(probe: ProbeConfig) -> Iterator[Finding]:
    """Everything that the rules find in one probe, without I/O."""
    for rule in _RULES:
        yield from rule(probe)


def config_findings(config: Config) -> Iterator[Finding]:
    """Everything that the rules find outside the probes, without I/O."""
    yield from _embedded_target(config)
    yield from _sources(config)


def source_file_findings(config: Config) -> Iterator[Finding]:
    """TLS files of the sources of discovery that cannot be read.  Touches the disk."""
    for index, source in enumerate(config.discovery):
        if source.http_sd is not None:
            for path, message in _tls_files(source.http_sd.tls):
                yield Finding(("discovery", index, "http_sd", *path), message)


def _embedded_target(config: Config) -> Iterator[Finding]:
    embedded = config.embedded_target
    if embedded is None:
        return
    if embedded.listen.overlaps(config.web.listen):
        yield Finding(("embedded_target", "listen"), "the same address as web.listen")
    if embedded.control is None:
        return
    for other, key in ((config.web.listen, "web.listen"), (embedded.listen, "listen")):
        if embedded.control.overlaps(other):
            yield Finding(("embedded_target", "control"), f"the same address as {key}")


def file_findings(probe: ProbeConfig) -> Iterator[Finding]:
    """TLS files of a probe that cannot be read.  Touches the disk."""
    return _tls_files(probe.tls)


def _tls_files(tls: Tls) -> Iterator[Finding]:
    for key in ("ca_file", "cert_file", "key_file"):
        path = getattr(tls, key)
        if path is not None and (problem := file_problem(path)):
            yield Finding(("tls", key), problem)


def file_problem(path: Path) -> str | None:
    """Return what keeps a file from being read, or None."""
    if not path.is_file():
        return f"there is no file {path}"
    if not os.access(path, os.R_OK):
        return f"no permission to read {path}"
    return None


def _sections_fit_protocol(probe: ProbeConfig) -> Iterator[Finding]:
    for key, protocols in FITS_PROTOCOLS.items():
        if key in probe.model_fields_set and probe.protocol not in protocols:
            fitting = " or ".join(sorted(protocols))
            yield Finding(
                (key,), f"only goes with protocol {fitting}; this one is {probe.protocol}"
            )


def _required_sections(probe: ProbeConfig) -> Iterator[Finding]:
    if probe.protocol == "talo" and probe.ticket is None:
        yield Finding(("ticket",), "protocol talo needs `ticket: {api_key: {env: NAME}}`")
    if probe.protocol == "text" and probe.text is None:
        yield Finding(("text",), "protocol text needs `text: {send: ...}`")


def _timing(probe: ProbeConfig) -> Iterator[Finding]:
    sections: tuple[tuple[Mode, str], ...] = (("message", "heartbeat"), ("ping", "ping"))
    for mode, key in sections:
        beat = probe.modes.get(mode)
        if beat is None:
            continue
        interval, timeout = format_duration(beat.interval), format_duration(beat.timeout)
        if probe.carries_id(mode):
            if beat.timeout > _MAX_IN_FLIGHT * beat.interval:
                yield Finding(
                    (key,),
                    f"timeout ({timeout}) must be at most {_MAX_IN_FLIGHT} times the interval "
                    f"({interval}): so many heartbeats may be in flight",
                )
        elif beat.timeout > beat.interval:
            yield Finding(
                (key,),
                f"timeout ({timeout}) must not be longer than interval ({interval}): these echoes "
                "carry no id, so only one heartbeat can be in flight",
            )


def _talo_limits(probe: ProbeConfig) -> Iterator[Finding]:
    if probe.protocol != "talo" or probe.heartbeat is None:
        return
    interval = probe.heartbeat.interval
    if interval >= _TALO_PATIENCE:
        yield Finding(
            ("heartbeat", "interval"),
            "must be shorter than 30s: Talo ends connections that are silent for so long",
        )
    if interval < _TALO_SHORTEST:
        yield Finding(
            ("heartbeat", "interval"),
            "must be at least 250ms: Talo answers no more than 300 messages in 60s",
        )


def _query(probe: ProbeConfig) -> Iterator[Finding]:
    in_url = urls.query_keys(probe.url.read()) if isinstance(probe.url, Inline) else frozenset()
    for key in probe.query:
        if key in in_url:
            yield Finding(("query", key), "the URL's own query already has this parameter")
    if probe.protocol != "talo":
        return
    message = "the monitor adds the ticket itself, a new one for each connection"
    if TICKET_PARAMETER in in_url:
        yield Finding(("url",), f"remove the parameter `{TICKET_PARAMETER}`: {message}")
    if TICKET_PARAMETER in probe.query:
        yield Finding(("query", TICKET_PARAMETER), message)


def _placeholders(probe: ProbeConfig) -> Iterator[Finding]:
    if probe.text is None:
        return
    sent, expected = placeholders(probe.text.send), placeholders(probe.text.expect)
    if bool(sent) != bool(expected):
        yield Finding(("text",), f"{ID_PLACEHOLDER} must stand in both send and expect, or in none")
    if max(sent, expected) > 1:
        yield Finding(("text",), f"{ID_PLACEHOLDER} may stand only once in send and in expect")


def _reconnect(probe: ProbeConfig) -> Iterator[Finding]:
    base, limit = probe.reconnect.base, probe.reconnect.max
    if base > limit:
        yield Finding(
            ("reconnect",),
            f"max ({format_duration(limit)}) must not be shorter than base "
            f"({format_duration(base)})",
        )


def _tls(probe: ProbeConfig) -> Iterator[Finding]:
    yield from _key_and_certificate(probe.tls)
    plain = isinstance(probe.url, Inline) and urls.scheme_of(probe.url.read()) == "ws"
    if plain and "tls" in probe.model_fields_set:
        yield Finding(("tls",), "only goes with a wss:// URL")


def _key_and_certificate(tls: Tls) -> Iterator[Finding]:
    if tls.key_file is not None and tls.cert_file is None:
        yield Finding(("tls", "key_file"), "a key without its certificate: add cert_file")


def _headers(probe: ProbeConfig) -> Iterator[Finding]:
    return _header_list(probe.headers)


def _header_list(headers: Headers) -> Iterator[Finding]:
    seen: set[str] = set()
    for name, value in headers.items():
        if isinstance(value, Inline) and needs_secret(name):
            yield Finding(
                ("headers", name),
                "this header carries a credential: write {env: NAME} or {file: PATH}",
            )
        if name.lower() in seen:
            yield Finding(("headers", name), "the same header is given twice (case is ignored)")
        seen.add(name.lower())


def _subprotocols(probe: ProbeConfig) -> Iterator[Finding]:
    if len(set(probe.subprotocols)) < len(probe.subprotocols):
        yield Finding(("subprotocols",), "the same subprotocol is listed twice")


def _sources(config: Config) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, source in enumerate(config.discovery):
        if first.setdefault(source.name, index) != index:
            message = f"discovery[{first[source.name]}] has the same name"
            yield Finding(("discovery", index, "name"), message)
        for path, message in _source(source):
            yield Finding(("discovery", index, *path), message)


def _source(source: DiscoverySource) -> Iterator[Finding]:
    if len(source.kinds) != 1:
        yield Finding((), "needs exactly one of file_sd, http_sd and dns")
    if source.http_sd is not None:
        for path, message in _http_sd(source.http_sd):
            yield Finding(("http_sd", *path), message)
    if source.dns is not None and (source.dns.type == "SRV") == (source.dns.port is not None):
        what = "SRV records have one" if source.dns.port else "A and AAAA records have none"
        yield Finding(("dns", "port"), f"the port of every target: {what}")


def _http_sd(http: HttpSd) -> Iterator[Finding]:
    yield from _key_and_certificate(http.tls)
    yield from _header_list(http.headers)
    plain = isinstance(http.url, Inline) and urls.scheme_of(http.url.read()) == "http"
    if plain and "tls" in http.model_fields_set:
        yield Finding(("tls",), "only goes with an https:// URL")
    ways = [http.bearer_token, http.basic_auth, "authorization" in map(str.lower, http.headers)]
    if sum(map(bool, ways)) > 1:
        yield Finding((), "authorize in one way: bearer_token, basic_auth or a header")


_RULES: tuple[Rule, ...] = (
    _sections_fit_protocol,
    _required_sections,
    _timing,
    _talo_limits,
    _query,
    _placeholders,
    _reconnect,
    _tls,
    _headers,
    _subprotocols,
)
