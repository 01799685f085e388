"""Certificates: each kind of bad one has its reason, and its end is known, trusted or not."""

import datetime
import shutil
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from monitor.core.failures import FailureReason, Phase
from monitor.net.tls import TlsContexts, TlsPlan, build_context, not_after
from tests.component.net.clients import SHORT, Client
from tests.component.net.conftest import Serve
from tests.component.net.peers import Peer

DAY = datetime.timedelta(days=1)


def stays(peer: Peer) -> None:
    """Accept the upgrade and stay."""
    peer.upgrade()
    peer.wait_end()


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def end_of(certificate: trustme.LeafCert) -> float:
    """Return when a certificate ends, in Unix seconds."""
    pem = certificate.cert_chain_pems[0].bytes()
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()


def issue(authority: trustme.CA, *names: str, ends: datetime.timedelta = DAY) -> trustme.LeafCert:
    """Issue a certificate that ends in so long from now."""
    now = datetime.datetime.now(datetime.UTC)
    return authority.issue_cert(*names, not_before=now - 9 * DAY, not_after=now + ends)


class TestVerdicts:
    """What is made of a server's certificate."""

    async def test_a_good_one_is_accepted_and_its_end_known(
        self, serve: Serve, client: Client, authority: trustme.CA
    ) -> None:
        certificate = issue(authority, "127.0.0.1")
        server = serve(stays, tls=serving(certificate))
        dialled = await client.dial(server.port, secure=True)
        assert dialled.certificate_not_after == end_of(certificate)
        assert dialled.tls_version == "TLSv1.3"

    async def test_one_that_has_expired(
        self, serve: Serve, client: Client, authority: trustme.CA
    ) -> None:
        certificate = issue(authority, "127.0.0.1", ends=-DAY)
        error = await client.fail(serve(stays, tls=serving(certificate)).port, secure=True)
        assert (error.reason, error.phase) == (FailureReason.TLS_EXPIRED, Phase.TLS)
        assert error.detail == "certificate has expired"
        assert error.certificate_not_after == end_of(certificate)

    async def test_one_for_another_name(
        self, serve: Serve, client: Client, authority: trustme.CA
    ) -> None:
        certificate = issue(authority, "other.example")
        error = await client.fail(serve(stays, tls=serving(certificate)).port, secure=True)
        assert (error.reason, error.phase) == (FailureReason.TLS_VERIFY, Phase.TLS)
        assert "127.0.0.1" in error.detail
        assert "other.example" not in error.detail
        assert error.certificate_not_after == end_of(certificate)

    async def test_one_of_an_authority_that_nobody_trusts(
        self, serve: Serve, client: Client
    ) -> None:
        certificate = issue(trustme.CA(), "127.0.0.1")
        error = await client.fail(serve(stays, tls=serving(certificate)).port, secure=True)
        assert (error.reason, error.phase) == (FailureReason.TLS_VERIFY, Phase.TLS)
        assert error.certificate_not_after == end_of(certificate)

    async def test_one_that_nobody_checks(self, serve: Serve, client: Client) -> None:
        certificate = issue(trustme.CA(), "other.example", ends=-DAY)
        server = serve(stays, tls=serving(certificate))
        dialled = await client.dial(server.port, secure=True, tls=TlsPlan(verify=False))
        assert dialled.certificate_not_after == end_of(certificate)

    async def test_the_configured_name_is_asked_for_and_verified(
        self, serve: Serve, client: Client, authority: trustme.CA
    ) -> None:
        asked: list[str | None] = []
        context = serving(issue(authority, "game.example"))
        context.sni_callback = lambda _, name, __: asked.append(name)
        dialled = await client.dial(
            serve(stays, tls=context).port, secure=True, server_name="game.example"
        )
        assert dialled.connection.usable
        assert asked == ["game.example"]

    async def test_a_second_look_that_hangs_is_given_up(self, serve: Serve, client: Client) -> None:
        context = serving(issue(trustme.CA(), "127.0.0.1"))

        def first(peer: Peer) -> None:
            context.wrap_socket(peer.sock, server_side=True)

        def second(peer: Peer) -> None:
            peer.wait_end()

        # Long enough for the first handshake on a busy machine.
        timeouts = client.plan(1).timeouts | {Phase.TLS: 10 * SHORT}
        error = await client.fail(serve(first, second).port, secure=True, timeouts=timeouts)
        assert error.reason is FailureReason.TLS_VERIFY
        assert error.certificate_not_after is None

    async def test_a_second_look_that_is_refused_changes_nothing(
        self, serve: Serve, client: Client
    ) -> None:
        context = serving(issue(trustme.CA(), "127.0.0.1"))

        def first(peer: Peer) -> None:
            context.wrap_socket(peer.sock, server_side=True)

        error = await client.fail(serve(first, lambda peer: peer.reset()).port, secure=True)
        assert error.reason is FailureReason.TLS_VERIFY
        assert error.certificate_not_after is None


class TestClientCertificates:
    """Servers that want to see one."""

    @pytest.fixture
    def demanding(self, authority: trustme.CA, server_tls: ssl.SSLContext) -> ssl.SSLContext:
        """Return the context of a server that lets in only clients of the authority."""
        del server_tls
        context = serving(issue(authority, "127.0.0.1"))
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
        return context

    async def test_who_has_one_is_let_in(
        self,
        serve: Serve,
        client: Client,
        authority: trustme.CA,
        demanding: ssl.SSLContext,
        tmp_path: Path,
    ) -> None:
        certificate = authority.issue_cert("client.example")
        key_file, cert_file = tmp_path / "key.pem", tmp_path / "cert.pem"
        certificate.private_key_pem.write_to_path(str(key_file))
        certificate.cert_chain_pems[0].write_to_path(str(cert_file))
        plan = TlsPlan(client.ca_file, cert_file, key_file)
        server = serve(stays, tls=demanding)
        assert (await client.dial(server.port, secure=True, tls=plan)).connection.usable

    async def test_key_and_certificate_may_be_in_one_file(
        self,
        serve: Serve,
        client: Client,
        authority: trustme.CA,
        demanding: ssl.SSLContext,
        tmp_path: Path,
    ) -> None:
        file = tmp_path / "both.pem"
        authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(
            str(file)
        )
        plan = TlsPlan(client.ca_file, file)
        server = serve(stays, tls=demanding)
        assert (await client.dial(server.port, secure=True, tls=plan)).connection.usable

    async def test_who_has_none_is_not(
        self, serve: Serve, client: Client, demanding: ssl.SSLContext
    ) -> None:
        # With TLS 1.3 the server's refusal comes after the handshake, as far as the client sees.
        error = await client.fail(serve(stays, tls=demanding).port, secure=True)
        assert error.reason in (FailureReason.TLS_OTHER, FailureReason.BAD_UPGRADE)


class TestContexts:
    """Contexts are shared, and follow their files."""

    def test_equal_plans_share_a_context(self, client_ca: Path) -> None:
        contexts = TlsContexts()
        plan = TlsPlan(ca_file=client_ca)
        assert contexts.get(plan) is contexts.get(TlsPlan(ca_file=client_ca))
        assert contexts.get(plan) is not contexts.get(TlsPlan(ca_file=client_ca, verify=False))

    def test_a_file_that_changed_makes_a_new_one(self, client_ca: Path) -> None:
        contexts = TlsContexts()
        plan = TlsPlan(ca_file=client_ca)
        before = contexts.get(plan)
        trustme.CA().cert_pem.write_to_path(str(client_ca))
        after = contexts.get(plan)
        assert after is not before
        assert after.get_ca_certs() != before.get_ca_certs()
        assert contexts.get(plan) is after

    def test_a_file_that_was_replaced_by_one_of_the_same_age_makes_a_new_one(
        self, client_ca: Path, tmp_path: Path
    ) -> None:
        """As tools do that keep the times of the files they copy."""
        contexts = TlsContexts()
        plan = TlsPlan(ca_file=client_ca)
        before = contexts.get(plan)
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        shutil.copystat(client_ca, other)
        other.replace(client_ca)
        assert contexts.get(plan) is not before

    def test_minimum_version_and_verification_are_as_planned(self, client_ca: Path) -> None:
        strict = build_context(TlsPlan(ca_file=client_ca, min_version="1.3"))
        assert strict.minimum_version is ssl.TLSVersion.TLSv1_3
        assert strict.verify_mode is ssl.CERT_REQUIRED
        assert strict.check_hostname
        lax = build_context(TlsPlan(verify=False))
        assert lax.minimum_version is ssl.TLSVersion.TLSv1_2
        assert lax.verify_mode is ssl.CERT_NONE
        assert not lax.check_hostname

    @pytest.mark.parametrize("content", [None, "", "hidden, not a certificate"])
    async def test_a_file_that_cannot_be_used_is_our_own_fault(
        self, client: Client, tmp_path: Path, content: str | None
    ) -> None:
        file = tmp_path / "hidden.pem"
        if content is not None:
            file.write_text(content)
        error = await client.fail(1, secure=True, tls=TlsPlan(ca_file=file))
        assert (error.reason, error.phase) == (FailureReason.LOCAL, Phase.TLS)
        assert error.detail.startswith("a TLS file cannot be used (")
        assert "hidden" not in error.detail

    async def test_without_tls_no_file_is_even_looked_at(
        self, serve: Serve, client: Client, tmp_path: Path
    ) -> None:
        dialled = await client.dial(serve(stays).port, tls=TlsPlan(ca_file=tmp_path / "none"))
        assert dialled.tls_version == ""
        assert dialled.certificate_not_after is None

    async def test_an_old_server_is_refused_by_who_wants_a_new_one(
        self, serve: Serve, client: Client, authority: trustme.CA
    ) -> None:
        context = serving(issue(authority, "127.0.0.1"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        server = serve(stays, tls=context)
        dialled = await client.dial(server.port, secure=True)
        assert dialled.tls_version == "TLSv1.2"
        plan = TlsPlan(ca_file=client.ca_file, min_version="1.3")
        error = await client.fail(server.port, secure=True, tls=plan)
        assert error.reason is FailureReason.TLS_OTHER


@pytest.fixture
def client_ca(tmp_path: Path) -> Path:
    """Return a file with an authority in it."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


@pytest.mark.parametrize("certificate", [None, b"", b"no certificate"])
def test_what_is_no_certificate_has_no_end(certificate: bytes | None) -> None:
    """Nor does it break anything."""
    assert not_after(certificate) is None
