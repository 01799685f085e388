"""Sources of discovery: who names targets, how often it is asked, and what probes are made of them.

Rules that involve more than one key are in `rules`.  This module does no I/O.
"""

import ipaddress
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, Strict, field_serializer

from monitor.config import urls
from monitor.config.headers import Headers
from monitor.config.networks import NetworkValue
from monitor.config.probe import Tls, read_header, read_url, shown_url
from monitor.config.secret import Inline, PlainOrSecret, Secret
from monitor.config.section import Section
from monitor.config.template import Template
from monitor.config.values import Duration, FilePath, ListenAddress, Matching, refuse
from monitor.core.deny_list import Network

_T = TypeVar("_T")

SUFFIXES = frozenset({".json", ".yml", ".yaml"})


def _one_star(path: Path) -> Path:
    if path.suffix.lower() not in SUFFIXES:
        raise refuse("the name must end in .json, .yml or .yaml")
    if str(path).count("*") > path.name.count("*") or path.name.count("*") > 1:
        raise refuse("a pattern has one * at most, in the last part of the path")
    return path


def _at_least_one(entries: tuple[_T, ...]) -> tuple[_T, ...]:
    if not entries:
        raise refuse("needs at least one entry")
    return entries


def _numeric(address: ListenAddress | None) -> ListenAddress | None:
    if address is None:
        return None
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        raise refuse('write "IP:PORT" or "[IPv6]:PORT": a name would need a resolver') from None
    return address


class FileSd(Section):
    """Files in the format of Prometheus' file_sd."""

    files: Annotated[
        tuple[Annotated[Path, FilePath(), AfterValidator(_one_star)], ...],
        Strict(strict=False),
        Field(max_length=100, json_schema_extra={"minItems": 1}),
        AfterValidator(_at_least_one),
    ]
    """Paths, or patterns with one * in the last part; .json, .yml or .yaml."""


class BasicAuth(Section):
    """A user's name and password."""

    username: Annotated[
        str,
        Matching("[!-9;-~]([ -9;-~]*[!-9;-~])?", "a user name is visible ASCII without a colon"),
    ]
    """The user's name."""
    password: Secret
    """The password: {env: NAME} or {file: PATH}."""


class HttpSd(Section):
    """An HTTP endpoint that answers in the JSON of Prometheus' http_sd."""

    url: Annotated[Secret | Inline, PlainOrSecret(urls.http_url_problem)]
    """An http:// or https:// URL as text, {env: NAME} or {file: PATH}."""
    bearer_token: Secret | None = None
    """A token to send as `Authorization: Bearer …`: {env: NAME} or {file: PATH}."""
    basic_auth: BasicAuth | None = None
    """A user's name and password to send."""
    headers: Headers = Field(default_factory=dict)
    """More headers of the request: text, {env: NAME} or {file: PATH}."""
    tls: Tls = Field(default_factory=Tls)
    """How an https connection is secured."""

    def read_url(self) -> str:
        """The whole URL; read anew at every call.

        Raises:
            SecretUnavailable: it is a secret that cannot be read, or holds no URL of HTTP.
        """
        return read_url(self.url, urls.http_url_problem)

    def read_headers(self) -> dict[str, str]:
        """The headers to send, with how we authorize; read anew at every call.

        Raises:
            SecretUnavailable: a secret cannot be read, or cannot stand in a header.
        """
        headers = {name: read_header(value) for name, value in self.headers.items()}
        if self.bearer_token is not None:
            headers["Authorization"] = f"Bearer {read_header(self.bearer_token)}"
        if self.basic_auth is not None:
            pair = f"{self.basic_auth.username}:{self.basic_auth.password.read()}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return headers

    @field_serializer("url")
    def _url_endpoint(self, url: Secret | Inline) -> str:
        return shown_url(url)


class DnsSd(Section):
    """Names to ask the DNS for."""

    names: Annotated[
        tuple[
            Annotated[
                str,
                Matching("[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})", "a name of the DNS is expected"),
            ],
            ...,
        ],
        Strict(strict=False),
        Field(max_length=100, json_schema_extra={"minItems": 1}),
        AfterValidator(_at_least_one),
    ]
    """The names to ask for; write them in full."""
    type: Literal["SRV", "A", "AAAA"] = "SRV"
    """The records to ask for: SRV has ports, A and AAAA need one."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The port of every target; for A and AAAA only."""
    nameserver: Annotated[ListenAddress | None, AfterValidator(_numeric)] = None
    """Whom to ask, as IP:PORT; by default those of /etc/resolv.conf."""


class DiscoverySource(Section):
    """One source of targets, and the probes that are made of them."""

    name: Annotated[
        str,
        Matching(
            "[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,99}",
            "a name has 1 to 100 letters, digits and _ . : -, and starts with a letter or digit",
        ),
    ]
    """Unique; the value of the label `source`."""
    file_sd: FileSd | None = None
    """Files in the format of Prometheus' file_sd."""
    http_sd: HttpSd | None = None
    """An HTTP endpoint that answers in the JSON of Prometheus' http_sd."""
    dns: DnsSd | None = None
    """Names to ask the DNS for."""
    refresh: Annotated[float, Duration("1s", "24h")] = 60.0
    """How often the source is asked."""
    timeout: Annotated[float, Duration("100ms", "5m")] = 10.0
    """How long the source may take to answer."""
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """So many probes at most; further targets are left out."""
    allow: Annotated[
        tuple[Annotated[Network, NetworkValue()], ...], Strict(strict=False), Field(max_length=100)
    ] = ()
    """Networks of `discovery_deny` that the probes of this source may dial all the same."""
    probe: Template
    """The probe to make of each target: any of a probe's keys, with placeholders."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of source that are given; exactly one, once it is checked."""
        return tuple(key for key in ("file_sd", "http_sd", "dns") if getattr(self, key) is not None)
