"""The server's side of TLS: from checked settings to a context, and whose certificate it is."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from monitor.config import TlsServer, Unusable
from monitor.config.web_config import CIPHERS

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

_CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}

_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class _PassphraseError(Exception):
    """The key asks for a passphrase."""


def server_context(tls: TlsServer) -> ssl.SSLContext:
    """Build a context from what its files hold now.

    Raises:
        Unusable: a file is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.verify_mode = _CLIENT_AUTH[tls.client_auth_type]
    # Without tickets each connection is held against the files as they are then.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.cipher_suites:
        context.set_ciphers(":".join(CIPHERS[name] for name in tls.cipher_suites))
    for curve in tls.curve_preferences:
        context.set_ecdh_curve(_CURVES[curve])
    _load_identity(context, tls)
    if tls.client_ca_file is not None:
        _load_authorities(context, tls.client_ca_file)
    return context


def _load_identity(context: ssl.SSLContext, tls: TlsServer) -> None:
    try:
        x509.load_pem_x509_certificates(tls.cert_file.read_bytes())
    except (OSError, ValueError):
        raise _unusable("cert_file", f"no certificate in PEM in {tls.cert_file}") from None
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_passphrase)
    except _PassphraseError:
        raise _unusable("key_file", "the key has a passphrase, and nobody to ask for it") from None
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise _unusable("key_file", "the key does not belong to the certificate") from None
        raise _unusable("key_file", f"no key in PEM in {tls.key_file}") from None


def _no_passphrase() -> str:
    raise _PassphraseError


def _load_authorities(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except (OSError, ValueError):
        raise _unusable("client_ca_file", f"no certificate in PEM in {file}") from None


def _unusable(key: str, message: str) -> Unusable:
    return Unusable(("tls_server_config", key), message)


def alternative_names(certificate: bytes) -> frozenset[str]:
    """Return what a DER certificate calls its subject: DNS names, addresses, e-mails and URIs."""
    try:
        found = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (ValueError, x509.ExtensionNotFound):
        return frozenset()
    kinds = (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier)
    texts = (text for kind in kinds for text in found.value.get_values_for_type(kind))
    addresses = map(str, found.value.get_values_for_type(x509.IPAddress))
    return frozenset((*texts, *addresses))
