"""TLS contexts, one per distinct configuration, and what a certificate says about its end.

Building a context loads the trust store and costs tens of milliseconds and a megabyte, so they
are shared; a context is built anew when one of its files has changed.
"""

from __future__ import annotations

import ssl
from asyncio.sslproto import SSLProtocol
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from monitor.net.stamped_socket import READ_SIZE

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """What decides over a context; paths are PEM files."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True
    min_version: str = "1.2"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the context is built from."""
        return tuple(f for f in (self.ca_file, self.cert_file, self.key_file) if f is not None)


FileState = tuple[int, int, int]
"""Tells a file from another one in its place, even if its times were copied along."""


class TlsContexts:
    """The contexts in use, by what they were built from."""

    def __init__(self) -> None:
        self._contexts: dict[TlsPlan, tuple[tuple[FileState, ...], ssl.SSLContext]] = {}

    def get(self, plan: TlsPlan) -> ssl.SSLContext:
        """Return the context for a plan.

        Raises:
            OSError: a file cannot be read, or is no certificate or key (`ssl.SSLError`).
        """
        state = tuple(_state_of(file) for file in plan.files)
        known = self._contexts.get(plan)
        if known is not None and known[0] == state:
            return known[1]
        context = build_context(plan)
        self._contexts[plan] = (state, context)
        return context


def use_small_buffers() -> None:
    """Have asyncio read encrypted connections through a buffer of one read, not of 256 KiB.

    Each connection has one for as long as it lives, and all of it is resident. asyncio offers no
    other way to say so than the attribute of its class.
    """
    SSLProtocol.max_size = READ_SIZE


def build_context(plan: TlsPlan) -> ssl.SSLContext:
    """Build a client context: verified against the system's store or `ca_file`."""
    context = ssl.create_default_context(cafile=plan.ca_file)
    context.minimum_version = VERSIONS[plan.min_version]
    if not plan.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if plan.cert_file is not None:
        context.load_cert_chain(plan.cert_file, plan.key_file)
    return context


def _state_of(file: Path) -> FileState:
    found = file.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def not_after(certificate: bytes | None) -> float | None:
    """Return when a DER certificate ends, in Unix seconds; None where there is none to read."""
    if certificate is None:
        return None
    try:
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except ValueError:
        return None
