"""One probe as the config describes it, complete: defaults are merged, every key has a value.

Rules that involve more than one key are in `rules`.  This module does no I/O except where a
method's name starts with `read_`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    Strict,
    field_serializer,
)

from monitor import __version__
from monitor.config import urls
from monitor.config.headers import TOKEN, VISIBLE_ASCII, Headers, header_value_problem
from monitor.config.labels import Labels
from monitor.config.secret import Inline, PlainOrSecret, Secret, SecretUnavailable
from monitor.config.section import Section
from monitor.config.text import Text
from monitor.config.values import Duration, FilePath, Matching, Size
from monitor.core.deny_list import NOTHING_DENIED, DenyList

Protocol: TypeAlias = Literal["talo", "ping", "text"]
Mode: TypeAlias = Literal["message", "ping"]

TICKET_PATH = "/v1/socket-tickets"
TICKET_PARAMETER = "ticket"

_Interval: TypeAlias = Annotated[float, Duration("50ms", "24h")]
_Timeout: TypeAlias = Annotated[float, Duration("1ms", "24h")]
_Deadline: TypeAlias = Annotated[float, Duration("1ms", "5m")]


def _number_as_text(value: object) -> object:
    """Let `ip_version: 4` and `min_version: 1.2` stand without quotes: they have one reading."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _no_problem(_: str) -> None:
    return None


class Beat(Section):
    """How often a heartbeat is sent, and how long its echo may take; both in seconds."""

    interval: _Interval
    """Time from one heartbeat to the next."""
    timeout: _Timeout
    """How long an echo may take before the heartbeat counts as missed."""


class Heartbeat(Beat):
    """Heartbeats as messages of the protocol: mode `message`."""

    interval: _Interval = 25.0
    """Time from one heartbeat to the next; with protocol talo 250ms to under 30s."""
    timeout: _Timeout = Field(default_factory=lambda made: min(10.0, made.get("interval", 10.0)))
    """How long an echo may take; by default 10s, or the interval if that is shorter."""


class Ping(Beat):
    """Heartbeats as ping control frames: mode `ping`."""

    interval: _Interval = 10.0
    """Time from one ping to the next."""
    timeout: _Timeout = Field(default_factory=lambda made: min(5.0, made.get("interval", 5.0)))
    """How long a pong may take; by default 5s, or the interval if that is shorter."""


class Ticket(Section):
    """The HTTP request that buys one connection (protocol talo)."""

    url: Annotated[Secret | Inline, PlainOrSecret(urls.http_url_problem)] | None = None
    """Where tickets are sold; by default /v1/socket-tickets on the host of the probe's url."""
    api_key: Secret
    """The key that buys them, sent as a bearer token: {env: NAME} or {file: PATH}."""

    @field_serializer("url")
    def _url_endpoint(self, url: Secret | Inline | None) -> str | None:
        return None if url is None else shown_url(url)


class Timeouts(Section):
    """Deadlines in seconds, one for each phase of a connection's life."""

    ticket: _Deadline = 10.0
    """For the HTTP request that fetches a ticket."""
    dns: _Deadline = 5.0
    """For the host's addresses."""
    tcp: _Deadline = 5.0
    """For the TCP connection."""
    tls: _Deadline = 5.0
    """For the TLS handshake."""
    upgrade: _Deadline = 10.0
    """For the HTTP answer that switches to WebSocket."""
    ready: _Deadline = 10.0
    """For the protocol's own opening, after the upgrade."""
    close: _Deadline = 2.0
    """For the peer's answer to a close frame; then the connection is aborted."""


class Reconnect(Section):
    """How long to wait before the next attempt; seconds."""

    base: Annotated[float, Duration("10ms", "1h")] = 1.0
    """Upper limit of the first wait; it doubles with each failure. The wait is random below it."""
    max: Annotated[float, Duration("10ms", "24h")] = 60.0
    """The limit never grows beyond this."""
    stable_after: Annotated[float, Duration("1ms", "24h")] = 30.0
    """A connection that lasts this long resets the wait to base."""


class Tls(Section):
    """How a wss connection is secured."""

    ca_file: Annotated[Path, FilePath()] | None = None
    """PEM file with the authorities to trust; by default the system's."""
    cert_file: Annotated[Path, FilePath()] | None = None
    """PEM file with the client certificate and its chain."""
    key_file: Annotated[Path, FilePath()] | None = None
    """PEM file with the client certificate's key; by default it is in cert_file."""
    server_name: (
        Annotated[
            str, Matching("[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}", "a server name is a host's name")
        ]
        | None
    ) = None
    """The name to ask for (SNI) and to verify; by default the host in the URL."""
    verify: bool = True
    """Whether the server's certificate must be valid. Without it anyone can be the server."""
    min_version: Annotated[Literal["1.2", "1.3"], BeforeValidator(_number_as_text)] = "1.2"
    """The oldest TLS version to accept."""


class ProbeDefaults(Section):
    """What all probes share unless they say otherwise: any of a probe's keys but name and url."""

    protocol: Protocol | None = None
    """How the connection opens, beats and answers: talo, ping or text."""
    query: dict[
        Annotated[str, Matching("[^\x00-\x1f\x7f]{1,200}", "a parameter's name is plain text")],
        Annotated[Secret | Inline, PlainOrSecret(_no_problem)],
    ] = Field(default_factory=dict)
    """Parameters to append to the URL's query: text, {env: NAME} or {file: PATH}."""
    ticket: Ticket | None = None
    """The HTTP request that buys one connection (protocol talo)."""
    text: Text | None = None
    """A heartbeat of your own (protocol text)."""
    heartbeat: Heartbeat | None = Field(
        default_factory=lambda made: None if made.get("protocol") == "ping" else Heartbeat()
    )
    """Heartbeats as messages of the protocol (talo and text); mode `message`."""
    ping: Ping | None = Field(
        default_factory=lambda made: Ping() if made.get("protocol") == "ping" else None
    )
    """Heartbeats as ping control frames, mode `ping`; off unless given, on with protocol ping."""
    missed_threshold: Annotated[int, Field(ge=1, le=1000)] = 3
    """So many misses in a row turn ws_probe_up to 0."""
    timeouts: Timeouts = Field(default_factory=Timeouts)
    """Deadlines, one for each phase of a connection's life."""
    reconnect: Reconnect = Field(default_factory=Reconnect)
    """How long to wait before the next attempt."""
    tls: Tls = Field(default_factory=Tls)
    """How a wss connection is secured."""
    headers: Headers = Field(default_factory=dict)
    """Headers of the upgrade request: text, {env: NAME} or {file: PATH}."""
    subprotocols: Annotated[
        tuple[Annotated[str, Matching(TOKEN, "a subprotocol's name has no spaces")], ...],
        Strict(strict=False),
    ] = ()
    """Subprotocols to offer, the preferred one first; if any is given, the server must pick one."""
    origin: (
        Annotated[
            str,
            Matching(
                r"null|[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9_.:\[\]-]+",
                "an origin is scheme://host or scheme://host:port, with no path",
            ),
        ]
        | None
    ) = None
    """The Origin header; by default none is sent."""
    user_agent: Annotated[
        str, Matching(VISIBLE_ASCII, "a user agent is visible ASCII on one line")
    ] = f"ws-monitor/{__version__}"
    """The User-Agent header."""
    ip_version: Annotated[
        Literal["any", "4", "6"],
        BeforeValidator(_number_as_text, json_schema_input_type=Literal["any", "4", "6", 4, 6]),
    ] = "any"
    """Which of the host's addresses to use."""
    compression: Literal["none", "deflate"] = "none"
    """Whether to offer permessage-deflate."""
    max_message_size: Annotated[int, Size("1KiB", "64MiB")] = 1024 * 1024
    """A longer message ends the connection (1009)."""
    max_message_rate: Annotated[int, Field(ge=10, le=1_000_000)] = 5000
    """A peer that sends more messages in a second ends the connection (1008)."""
    max_connection_age: Annotated[float, Duration("1s", "30d")] | None = None
    """Renew a connection before it is older: the new one is usable before the old one is closed."""
    labels: Labels = Field(default_factory=dict)
    """More labels for the probe's series."""


class ProbeConfig(ProbeDefaults):
    """One connection to keep open.  Two are equal if and only if nothing changed."""

    protocol: Protocol
    """How the connection opens, beats and answers: talo, ping or text."""
    name: Annotated[
        str,
        Matching(
            "[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,99}",
            "a name has 1 to 100 letters, digits and _ . : -, and starts with a letter or digit",
        ),
    ]
    """Unique; the value of the label `probe`."""
    url: Annotated[Secret | Inline, PlainOrSecret(urls.socket_url_problem)]
    """A ws:// or wss:// URL as text, {env: NAME} or {file: PATH}; never shown beyond its port."""

    @field_serializer("url")
    def _url_endpoint(self, url: Secret | Inline) -> str:
        return shown_url(url)

    @property
    def endpoint(self) -> str:
        """`scheme://host:port`, or `<env NAME>` or `<file PATH>` while the URL is a secret.

        Once `read_url()` has given the URL, `endpoint_of` tells its endpoint.
        """
        return shown_url(self.url)

    @property
    def deny_list(self) -> DenyList:
        """The addresses that the probe keeps off; for one that the config names, none."""
        return NOTHING_DENIED

    @property
    def merged_labels(self) -> Mapping[str, str]:
        """The labels on the probe's series: its own over `defaults.labels` over `labels`."""
        return self.labels

    @property
    def modes(self) -> dict[Mode, Beat]:
        """The heartbeats to send, message mode first."""
        beats: dict[Mode, Beat | None] = {"message": self.heartbeat, "ping": self.ping}
        return {mode: beat for mode, beat in beats.items() if beat is not None}

    def carries_id(self, mode: Mode) -> bool:
        """Whether an echo in this mode tells which heartbeat it answers."""
        return mode == "ping" or (self.text is not None and self.text.carries_id)

    def read_url(self) -> str:
        """The whole URL, with the parameters of `query`; read anew at every call.

        Raises:
            SecretUnavailable: a secret cannot be read, or is no WebSocket URL.
        """
        url = read_url(self.url, urls.socket_url_problem)
        return urls.with_query(url, {key: value.read() for key, value in self.query.items()})

    def read_ticket_url(self) -> str:
        """Where to fetch a ticket; read anew at every call.

        Raises:
            SecretUnavailable: a secret cannot be read, or is no URL of the right kind.
            ValueError: the protocol knows no tickets.
        """
        if self.ticket is None:
            raise ValueError("this probe needs no tickets")
        if self.ticket.url is not None:
            return read_url(self.ticket.url, urls.http_url_problem)
        return urls.http_twin(read_url(self.url, urls.socket_url_problem), TICKET_PATH)

    def read_api_key(self) -> str:
        """The key that buys tickets, fit to stand in a header; read anew at every call.

        Raises:
            SecretUnavailable: the secret cannot be read, or cannot stand in a header.
            ValueError: the protocol knows no tickets.
        """
        if self.ticket is None:
            raise ValueError("this probe needs no tickets")
        return read_header(self.ticket.api_key)

    def read_headers(self) -> dict[str, str]:
        """The headers to send, without `origin` and `user_agent`; read anew at every call.

        Raises:
            SecretUnavailable: a secret cannot be read, or cannot stand in a header.
        """
        return {name: read_header(value) for name, value in self.headers.items()}


class DiscoveredProbe(ProbeConfig):
    """A probe that a source of discovery named: some addresses it never dials."""

    _deny_list: DenyList = PrivateAttr(default=NOTHING_DENIED)

    def kept_off(self, deny_list: DenyList) -> Self:
        """The same probe with another deny-list."""
        probe = self.model_copy()
        probe._deny_list = deny_list  # noqa: SLF001 - its own
        return probe

    @property
    def deny_list(self) -> DenyList:
        """The addresses that it keeps off."""
        return self._deny_list


def shown_url(url: Secret | Inline) -> str:
    """What may be shown of a URL: its endpoint, or where it is to be found."""
    return urls.endpoint_of(url.read()) if isinstance(url, Inline) else str(url)


def read_url(url: Secret | Inline, problem_with: Callable[[str], str | None]) -> str:
    """The whole URL.

    Raises:
        SecretUnavailable: it cannot be read, or `problem_with` finds something in it.
    """
    text = url.read()
    if problem := problem_with(text):
        raise SecretUnavailable(f"{url} holds no usable URL: {problem}")
    return text


def read_header(value: Secret | Inline) -> str:
    """A header's value.

    Raises:
        SecretUnavailable: it cannot be read, or cannot stand in a header.
    """
    text = value.read()
    if problem := header_value_problem(text):
        raise SecretUnavailable(f"{value} cannot stand in a header: {problem}")
    return text
