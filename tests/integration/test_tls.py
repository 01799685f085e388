"""TLS with the real program: whom it trusts, what it says of the others, and rotated files."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.component.net.conftest import Serve
from tests.component.net.peers import Peer, serving
from tests.integration.harness import Lab, Monitor, probe

DAY = datetime.timedelta(days=1)
HERE = "127.0.0.1"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers with scripts."""
    with serving() as serve:
        yield serve


def echoes(peer: Peer) -> None:
    """Accept and answer until the end."""
    peer.upgrade()
    peer.echo()


@dataclass(frozen=True)
class Certificate:
    """A server's context, and when its certificate ends, in Unix seconds."""

    context: ssl.SSLContext
    ends: float


def issued(authority: trustme.CA, name: str, *, ends: datetime.timedelta = DAY) -> Certificate:
    """Have an authority issue a certificate that ends in so long from now."""
    now = datetime.datetime.now(datetime.UTC)
    leaf = authority.issue_cert(name, not_before=now - 9 * DAY, not_after=now + ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    pem = leaf.cert_chain_pems[0].bytes()
    end = x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    return Certificate(context, end)


def self_signed(directory: Path) -> Certificate:
    """Make a certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HERE)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .sign(key, hashes.SHA256())
    )
    file = directory / "self-signed.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Certificate(context, certificate.not_valid_after_utc.timestamp())


@dataclass(frozen=True)
class Row:
    """One server, one probe of it, and what is to come of that; None stands for success."""

    certificate: Certificate
    tls: dict[str, Any]
    reason: str | None = None
    words: str = ""


def pinged(name: str, port: int, tls: dict[str, Any]) -> dict[str, Any]:
    """The section of a probe that pings a server on loopback."""
    return probe(
        name,
        f"wss://{HERE}:{port}/",
        "ping",
        ping={"interval": "200ms", "timeout": "5s"},
        tls=tls,
    )


def not_after(monitor_text: Any, name: str) -> float | None:
    """When the certificate ends that a probe has seen last."""
    found: float | None = monitor_text.find(
        "ws_probe_tls_certificate_not_after_timestamp_seconds", probe=name
    )
    return found


async def test_each_certificate_has_its_verdict_and_its_end_is_told_in_every_case(
    lab: Lab, serve: Serve
) -> None:
    """Trusted or not: who is about to renew one wants to know either way."""
    authority = trustme.CA()
    ca_file = lab.directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    trusting = {"ca_file": str(ca_file)}
    rows = {
        "good": Row(issued(authority, HERE), trusting),
        "named": Row(issued(authority, "game.example"), trusting | {"server_name": "game.example"}),
        "unchecked": Row(issued(trustme.CA(), "x.example", ends=-DAY), {"verify": False}),
        "wrong-name": Row(
            issued(authority, "other.example"), trusting, "tls_verify", "IP address mismatch"
        ),
        "self-signed": Row(
            self_signed(lab.directory), trusting, "tls_verify", "signed certificate"
        ),
        "unknown": Row(
            issued(trustme.CA(), HERE), trusting, "tls_verify", "unable to get local issuer"
        ),
        "system": Row(issued(authority, HERE), {}, "tls_verify", "unable to get local issuer"),
        "expired": Row(
            issued(authority, HERE, ends=-DAY), trusting, "tls_expired", "certificate has expired"
        ),
    }
    ports = {name: serve(echoes, tls=row.certificate.context).port for name, row in rows.items()}
    monitor = await lab.monitor([pinged(name, ports[name], row.tls) for name, row in rows.items()])
    scrape = await monitor.until(
        lambda scrape: all(
            scrape.probe(name).failures if row.reason else scrape.probe(name).ping.echoed > 2
            for name, row in rows.items()
        ),
        what="a verdict on every certificate",
    )
    for name, row in rows.items():
        view = scrape.probe(name)
        assert not_after(scrape, name) == row.certificate.ends, name
        assert set(view.failures) == ({row.reason} if row.reason else set()), name
        assert view.up == (row.reason is None), name
        (info,) = (
            labels for labels, _ in scrape.samples("ws_probe_info") if labels["probe"] == name
        )
        assert info["tls_version"] == ("" if row.reason else "TLSv1.3")
        if row.reason:
            (line, *_) = monitor.lines("connect failed", probe=name)
            assert (line["reason"], line["phase"]) == (row.reason, "tls")
            assert row.words in line["detail"]


async def test_a_server_that_wants_a_certificate_gets_ours(lab: Lab, serve: Serve) -> None:
    """From two files or from one; who has none stays out."""
    authority = trustme.CA()
    files = {name: str(lab.directory / f"{name}.pem") for name in ("ca", "cert", "key", "both")}
    ours = authority.issue_cert("client.example")
    authority.cert_pem.write_to_path(files["ca"])
    ours.cert_chain_pems[0].write_to_path(files["cert"])
    ours.private_key_pem.write_to_path(files["key"])
    ours.private_key_and_cert_chain_pem.write_to_path(files["both"])
    context = issued(authority, HERE).context
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    port = serve(echoes, tls=context).port
    trusting = {"ca_file": files["ca"]}
    monitor = await lab.monitor(
        [
            pinged("two", port, trusting | {"cert_file": files["cert"], "key_file": files["key"]}),
            pinged("one", port, trusting | {"cert_file": files["both"]}),
            pinged("none", port, trusting),
        ]
    )
    scrape = await monitor.until(
        lambda scrape: (
            scrape.probe("two").ping.echoed
            and scrape.probe("one").ping.echoed
            and scrape.probe("none").failures
        )
    )
    # With TLS 1.3 the server's refusal comes after the handshake, as far as a client sees.
    assert set(scrape.probe("none").failures) <= {"tls_other", "bad_upgrade"}


async def test_files_that_are_replaced_count_from_the_next_connect_on(
    lab: Lab, serve: Serve
) -> None:
    """As a secret is that Kubernetes updates: no reload, no restart."""
    old, new = trustme.CA(), trustme.CA()
    ca_file = lab.directory / "ca.pem"
    old.cert_pem.write_to_path(str(ca_file))
    port = serve(echoes, tls=issued(new, HERE).context).port
    monitor = await lab.monitor([pinged("p", port, {"ca_file": str(ca_file)})])
    await monitor.until(lambda scrape: scrape.probe("p").failures)
    replace(ca_file, new)
    scrape = await monitor.until(lambda scrape: scrape.probe("p").ping.echoed > 2)
    assert set(scrape.probe("p").failures) == {"tls_verify"}
    assert monitor.lines("config applied") == monitor.lines("config applied")[:1]


def replace(file: Path, authority: trustme.CA) -> None:
    """Put another authority into the file's place, at one blow."""
    fresh = file.with_suffix(".new")
    authority.cert_pem.write_to_path(str(fresh))
    fresh.replace(file)


async def test_a_file_that_is_broken_while_it_runs_is_told_of_and_healed(
    lab: Lab, serve: Serve
) -> None:
    """It is our own fault, and says so."""
    authority = trustme.CA()
    ca_file = lab.directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = issued(authority, HERE).context

    def recycles(peer: Peer) -> None:
        peer.upgrade()
        peer.read_frame()

    port = serve(recycles, tls=context).port
    monitor: Monitor = await lab.monitor([pinged("p", port, {"ca_file": str(ca_file)})])
    await monitor.until(lambda scrape: scrape.probe("p").attempts)
    ca_file.write_text("no certificate\n")
    scrape = await monitor.until(lambda scrape: scrape.probe("p").failures)
    assert set(scrape.probe("p").failures) == {"local"}
    (line, *_) = monitor.lines("connect failed", reason="local")
    assert line["detail"].startswith("a TLS file cannot be used (")
    before = scrape.probe("p").disconnects
    replace(ca_file, authority)
    await monitor.until(lambda scrape: scrape.probe("p").disconnects != before)
