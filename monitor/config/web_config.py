"""The web config file: TLS, passwords, headers and a rate limit for the web port.

Its format is that of `web.config.yml` of the Prometheus exporter-toolkit, so that one file serves
several exporters. What cannot be done here as it is done there is refused, never ignored.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar, get_args

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, Strict
from pydantic_core import CoreSchema, core_schema

from monitor.config.checking import Checking, read_text
from monitor.config.headers import header_value_problem
from monitor.config.problems import KeyPath
from monitor.config.rules import Finding, file_problem
from monitor.config.secret import Inline
from monitor.config.section import Section
from monitor.config.values import Duration, FilePath, kind_of, refuse

_T = TypeVar("_T")

ClientAuth: TypeAlias = Literal[
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
Version: TypeAlias = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
Curve: TypeAlias = Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]
HeaderName: TypeAlias = Literal[
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
]

_HEADER_VALUES = {"X-Content-Type-Options": ("nosniff",), "X-Frame-Options": ("deny", "sameorigin")}

CIPHERS = {
    f"TLS_ECDHE_{kind}_WITH_{go}": f"ECDHE-{kind}-{openssl}"
    for kind in ("ECDSA", "RSA")
    for go, openssl in (
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
"""The suites up to TLS 1.2 that Go's `tls.CipherSuites` lists, as OpenSSL calls them."""

_TLS_1_3_SUITES = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)

# 22 digits of salt hold 132 bits of which 128 count, so the last one has four forms.
_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_COSTS = range(4, 15)

VERIFIED = ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
"""The kinds of client authentication for which a certificate is checked."""


class Unusable(Exception):  # noqa: N818 - it reads better without "Error"
    """Values that are well written and cannot be put to use."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(path, message)


class _Refused(NamedTuple):
    """A key of the format that is not served here, and what to write instead."""

    sentence: str

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        def never(_: object) -> None:
            raise refuse(self.sentence)

        return core_schema.no_info_plain_validator_function(never)


class _Bcrypt:
    """A bcrypt hash; what holds it never shows it."""

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    @staticmethod
    def _read(value: object) -> Inline:
        if not isinstance(value, str):
            raise refuse(f"expected a bcrypt hash, found {kind_of(value)}")
        found = _BCRYPT.fullmatch(value)
        if found is None:
            raise refuse("not a bcrypt hash: make one with `htpasswd -nBC 10 NAME`")
        if int(found[1]) not in _COSTS:
            raise refuse(
                f"the cost of a hash is from {_COSTS[0]} to {_COSTS[-1]}: "
                "to check a dearer one takes longer than a scrape may"
            )
        return Inline(value)


def _can_be_verified(kind: ClientAuth) -> ClientAuth:
    if kind in ("RequestClientCert", "RequireAnyClientCert"):
        raise refuse(
            "Python's ssl cannot take a certificate without verifying it: "
            f"write one of NoClientCert, {', '.join(VERIFIED)}"
        )
    return kind


def _still_safe(version: Version) -> Version:
    if version in ("TLS10", "TLS11"):
        raise refuse("TLS 1.0 and 1.1 are not served (RFC 8996): write TLS12 or TLS13")
    return version


def _known_suites(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name in _TLS_1_3_SUITES:
            raise refuse(
                "Python's ssl cannot choose among the suites of TLS 1.3, they are always on: "
                "list only those of TLS 1.2"
            )
        if name not in CIPHERS:
            raise refuse(f"a suite is not known here; known are {', '.join(CIPHERS)}")
    return names


def _at_most_one(curves: tuple[Curve, ...]) -> tuple[Curve, ...]:
    if len(curves) > 1:
        raise refuse("Python's ssl can set one curve: list one, or leave the key out")
    return curves


def _no_http2(wanted: bool) -> bool:  # noqa: FBT001 - a validator's argument
    if wanted:
        raise refuse("HTTP/2 is not served: write false, or leave the key out")
    return wanted


def _header_values(headers: dict[HeaderName, str]) -> dict[HeaderName, str]:
    for name, value in headers.items():
        allowed = _HEADER_VALUES.get(name)
        if allowed and value not in ("", *allowed):
            raise refuse(f"{name} must be {' or '.join(allowed)}")
        if value and (problem := header_value_problem(value)):
            raise refuse(f"{name}: {problem}")
    return headers


def _user_names(users: dict[str, Inline]) -> dict[str, Inline]:
    # RFC 7617 section 2: a user name with a colon cannot be told from its password.
    if any(not name or ":" in name or not name.isprintable() for name in users):
        raise refuse("a user's name is printable and has no colon")
    return users


_Strings: TypeAlias = Annotated[tuple[str, ...], Strict(strict=False), Field(max_length=64)]


class TlsServer(Section):
    """How the web port speaks TLS."""

    cert_file: Annotated[Path, FilePath()]
    """The server's certificate and those between it and the authority, as PEM."""
    key_file: Annotated[Path, FilePath()]
    """The certificate's key, as PEM, without a passphrase."""
    client_auth_type: Annotated[ClientAuth, AfterValidator(_can_be_verified)] = "NoClientCert"
    """Whether clients show a certificate."""
    client_ca_file: Annotated[Path, FilePath()] | None = None
    """The authorities whose clients are let in."""
    client_allowed_sans: _Strings = ()
    """Names of which a client's certificate must have one; empty for any."""
    min_version: Annotated[Version, AfterValidator(_still_safe)] = "TLS12"
    """The oldest version that is spoken."""
    max_version: Annotated[Version, AfterValidator(_still_safe)] = "TLS13"
    """The newest version that is spoken."""
    cipher_suites: Annotated[_Strings, AfterValidator(_known_suites)] = ()
    """Suites up to TLS 1.2, as Go calls them; empty for OpenSSL's own choice."""
    prefer_server_cipher_suites: bool = True
    """Whether the server's order of suites counts, not the client's."""
    curve_preferences: Annotated[
        tuple[Curve, ...], Strict(strict=False), AfterValidator(_at_most_one)
    ] = ()
    """The curve of the key exchange; empty for OpenSSL's own choice."""
    cert: Annotated[None, _Refused("write the certificate into a file, and cert_file")] = None
    key: Annotated[None, _Refused("a key is never written here: put it into key_file")] = None
    client_ca: Annotated[None, _Refused("write it into a file, and client_ca_file")] = None


class HttpServer(Section):
    """How the web port speaks HTTP."""

    http2: Annotated[bool, AfterValidator(_no_http2)] = False
    """There is no HTTP/2 here."""
    headers: Annotated[dict[HeaderName, str], AfterValidator(_header_values)] = Field(
        default_factory=dict
    )
    """Headers of every answer; a blank one is left out."""


class RateLimit(Section):
    """A token bucket for all requests together; health is not counted."""

    interval: Annotated[float, Duration("0s", "1h")] = 0.0
    """Between two requests; 0s for no limit."""
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """So many requests at once."""


class WebConfig(Section):
    """The web config file as a whole."""

    tls_server_config: TlsServer | None = None
    """How the web port speaks TLS; without it, it does not."""
    http_server_config: HttpServer = Field(default_factory=HttpServer)
    """How the web port speaks HTTP."""
    basic_auth_users: Annotated[
        dict[str, Annotated[Inline, _Bcrypt()]], AfterValidator(_user_names)
    ] = Field(default_factory=dict)
    """Users and the bcrypt hashes of their passwords; without any, nobody is asked."""
    rate_limit: RateLimit = Field(default_factory=RateLimit)
    """A limit for all requests together."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it names."""
        tls = self.tls_server_config
        if tls is None:
            return ()
        return tuple(file for _, file in _files(tls))


def load_web_config(path: Path, build: Callable[[WebConfig], _T]) -> _T:
    """Read and check a web config file, and build from it what it describes.

    Args:
        path: where it is; relative paths in it start at its directory.
        build: is given the checked values, and may raise `Unusable`.

    Raises:
        ConfigError: with every problem found, each on one line.
    """
    checking = Checking(read_text(path), str(path), path.parent)
    values = checking.check(WebConfig, checking.root())
    built = None
    if values is not None:
        findings = list(_findings(values))
        for finding in findings:
            checking.add(finding.path, finding.message)
        if not findings:
            try:
                built = build(values)
            except Unusable as unusable:
                checking.add(*unusable.finding)
    return checking.finish(built)


def _findings(web: WebConfig) -> Iterator[Finding]:
    tls = web.tls_server_config
    if tls is None:
        return
    for key, message in _tls_findings(tls):
        yield Finding(("tls_server_config", key), message)


def _tls_findings(tls: TlsServer) -> Iterator[tuple[str, str]]:
    verified = tls.client_auth_type in VERIFIED
    if verified and tls.client_ca_file is None:
        yield "client_auth_type", "needs client_ca_file: who else would say whose clients they are?"
    if not verified and tls.client_ca_file is not None:
        yield "client_ca_file", f"only goes with client_auth_type {' or '.join(VERIFIED)}"
    if tls.client_allowed_sans and tls.client_auth_type != "RequireAndVerifyClientCert":
        yield "client_allowed_sans", "only goes with client_auth_type RequireAndVerifyClientCert"
    versions = get_args(Version)
    if versions.index(tls.min_version) > versions.index(tls.max_version):
        yield "min_version", "is newer than max_version"
    for key, file in _files(tls):
        if problem := file_problem(file):
            yield key, problem


def _files(tls: TlsServer) -> Iterator[tuple[str, Path]]:
    for key in ("cert_file", "key_file", "client_ca_file"):
        file = getattr(tls, key)
        if file is not None:
            yield key, file
