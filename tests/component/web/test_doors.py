"""Who gets in: TLS, client certificates, passwords, and files that change."""

import asyncio
import logging
import os
import ssl
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from monitor.config import ConfigError
from monitor.core.refusals import Refusal
from monitor.web import entrance
from monitor.web.access import AccessFile
from monitor.web.entrance import MOST_CONNECTIONS_EACH
from tests.component.web.doors import MUTUAL, TLS, USERS, Doors, alice, write_identity
from tests.component.web.servers import PATIENT, Parts, rest_of, until

REFUSED = (aiohttp.ClientError, ConnectionError, ssl.SSLError)


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    """Certificates, and no web config yet."""
    return Doors(tmp_path)


class TestTls:
    """The server's certificate, and clients'."""

    async def test_pages_are_served_over_tls_alone(self, doors: Doors) -> None:
        """Who speaks plainly is not understood."""
        async with doors.open(TLS) as house:
            assert (await house.ask(tls=doors.client())).status == 200
            with pytest.raises(REFUSED):
                await house.ask()
            assert set(house.parts.refused) == {Refusal.HANDSHAKE}

    async def test_who_has_no_certificate_is_not_let_in(self, doors: Doors) -> None:
        """Nor who has one of another authority."""
        stranger = doors.client("prometheus.example", authority=trustme.CA())
        async with doors.open(MUTUAL) as house:
            for client in (doors.client(), stranger):
                with pytest.raises(REFUSED):
                    await house.ask(tls=client)
            assert (await house.ask(tls=doors.client("prometheus.example"))).status == 200
            assert set(house.parts.refused) == {Refusal.HANDSHAKE}

    async def test_a_certificate_may_be_left_out_where_it_is_verified_if_given(
        self, doors: Doors
    ) -> None:
        """But not be a wrong one."""
        text = MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
        async with doors.open(text) as house:
            assert (await house.ask(tls=doors.client())).status == 200
            assert (await house.ask(tls=doors.client("prometheus.example"))).status == 200
            with pytest.raises(REFUSED):
                await house.ask(tls=doors.client("a.example", authority=trustme.CA()))

    @pytest.mark.parametrize(
        "name", ["prometheus.example", "192.0.2.1", "2001:db8::1", "alice@example.com"]
    )
    async def test_only_allowed_names_are_let_in(self, doors: Doors, name: str) -> None:
        """Names of every kind; one of those that a certificate has is enough."""
        text = f"{MUTUAL}  client_allowed_sans: [other.example, '{name}']\n"
        async with doors.open(text) as house:
            assert (await house.ask(tls=doors.client("x.example", name))).status == 200
            with pytest.raises(REFUSED):
                await house.ask(tls=doors.client("x.example"))
            assert set(house.parts.refused) == {Refusal.CERTIFICATE}

    @pytest.mark.parametrize(
        ("more", "version", "cipher"),
        [
            ("  max_version: TLS12\n", "TLSv1.2", None),
            ("  min_version: TLS13\n", "TLSv1.3", None),
            (
                "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\n",
                "TLSv1.2",
                "AES256-GCM-SHA384",
            ),
            ("  curve_preferences: [CurveP384]\n  max_version: TLS12\n", "TLSv1.2", None),
        ],
    )
    async def test_versions_and_suites_are_those_of_the_file(
        self, doors: Doors, more: str, version: str, cipher: str | None
    ) -> None:
        """As the client finds them."""
        async with doors.open(TLS + more) as house:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", house.server.port, ssl=doors.client()
            )
            found = writer.get_extra_info("ssl_object")
            assert found.version() == version
            assert cipher is None or found.cipher()[0].endswith(cipher)
            writer.close()

    async def test_a_version_that_is_too_old_is_refused(self, doors: Doors) -> None:
        """Before anything is served."""
        client = doors.client()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        async with doors.open(f"{TLS}  min_version: TLS13\n") as house:
            with pytest.raises(REFUSED):
                await house.ask(tls=client)

    async def test_a_handshake_that_stalls_is_ended(
        self, doors: Doors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It has a deadline. Meanwhile others get in, and this client has its share only."""
        monkeypatch.setattr(entrance, "HANDSHAKE_DEADLINE", 2.0)
        async with doors.open(TLS) as house:
            stalled = []
            for _ in range(MOST_CONNECTIONS_EACH + 1):
                stalled.append(
                    await asyncio.open_connection(
                        "127.0.0.1", house.server.port, local_addr=("127.0.0.2", 0)
                    )
                )
                stalled[-1][1].write(b"\x16\x03\x01")  # the begin of a record
            assert (await house.ask(tls=doors.client())).status == 200
            await until(lambda: len(house.parts.refused) == len(stalled))
            counts = Counter(house.parts.refused)
            assert counts == {Refusal.CONNECTIONS: 1, Refusal.HANDSHAKE: MOST_CONNECTIONS_EACH}
            for reader, writer in stalled:
                assert await rest_of(reader) == b""
                writer.close()
            assert not house.server._entrance.visits

    async def test_a_stop_ends_a_handshake(self, doors: Doors) -> None:
        """It does not wait for the client."""
        async with doors.open(TLS) as house:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
            await until(lambda: len(house.server._entrance.visits) == 1)
        assert await rest_of(reader) == b""
        writer.close()


class TestPasswords:
    """Basic authentication."""

    async def test_only_a_user_with_the_password_gets_in(self, doors: Doors) -> None:
        """Others learn how to ask."""
        async with doors.open(USERS) as house:
            assert (await house.ask(**alice())).status == 200
            for options in ({}, alice("wrong"), alice("open sesame", "bob")):
                answer = await house.ask(**options)
                assert (answer.status, answer.text) == (401, "401: Unauthorized\n")
                assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
            assert house.parts.refused == [Refusal.PASSWORD] * 3

    @pytest.mark.parametrize("path", ["/", "/metrics", "/config", "/nowhere"])
    async def test_every_path_is_closed(self, doors: Doors, path: str) -> None:
        """Even which ones there are is not told."""
        async with doors.open(USERS) as house:
            assert (await house.ask(path)).status == 401
            assert (await house.ask(path, **alice())).status in (200, 404)

    async def test_a_reload_takes_the_password_too(self, doors: Doors) -> None:
        """Where there is one to ask for."""
        async with doors.open(USERS, Parts(problems=[])) as house:
            assert (await house.ask("/-/reload", method="POST")).status == 401
            assert house.parts.reloads == 0
            assert (await house.ask("/-/reload", method="POST", **alice())).status == 200
            assert house.parts.reloads == 1

    @pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
    async def test_health_is_open(self, doors: Doors, path: str) -> None:
        """The kubelet has no password."""
        async with doors.open(USERS) as house:
            assert (await house.ask(path)).status == 200

    @pytest.mark.parametrize("path", ["//-/healthy", "/-/healthy/", "/-/../config", "/%2d/healthy"])
    async def test_no_other_way_of_writing_it_opens_more(self, doors: Doors, path: str) -> None:
        """It is the path that is routed which is judged."""
        async with doors.open(USERS) as house:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.server.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            async with asyncio.timeout(PATIENT):
                status = (await reader.readline()).split()[1]
            assert status == (b"200" if path == "/%2d/healthy" else b"401")
            writer.close()


class TestHeadersAndRate:
    """What else the file says."""

    async def test_headers_are_put_over_our_own(self, doors: Doors) -> None:
        """A blank one takes ours away."""
        text = (
            "http_server_config: {headers: {X-Frame-Options: '', "
            "Strict-Transport-Security: max-age=60, Content-Security-Policy: default-src 'self'}}"
        )
        async with doors.open(text) as house:
            headers = (await house.ask("/nowhere")).headers
            assert headers["Strict-Transport-Security"] == "max-age=60"
            assert headers["Content-Security-Policy"] == "default-src 'self'"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "X-Frame-Options" not in headers

    async def test_the_rate_is_limited_but_for_health(self, doors: Doors) -> None:
        """A scan must not make the kubelet restart the monitor."""
        async with doors.open("rate_limit: {interval: 1h, burst: 2}") as house:
            assert [(await house.ask()).status for _ in range(3)] == [200, 200, 429]
            assert (await house.ask("/-/healthy")).status == 200
            assert house.parts.refused == [Refusal.RATE]


class TestChange:
    """Files that change while the server runs."""

    async def test_new_connections_get_the_new_certificate(self, doors: Doors) -> None:
        """Those that are open stay."""
        client = doors.client()
        async with doors.open(TLS) as house:
            old = await house.certificate(client)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", house.server.port, ssl=client
            )
            doors.new_certificate()
            assert await house.certificate(client) == old
            await house.access.refresh()
            assert await house.certificate(client) != old
            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(PATIENT):
                assert await reader.readuntil(b"healthy\n")
            writer.close()

    async def test_a_broken_file_changes_nothing_and_is_told(
        self, doors: Doors, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Once, until the files change again."""
        noted: list[bool] = []
        client = doors.client()
        async with doors.open(TLS + USERS) as house:
            house.access.noted = noted.append
            old = await house.certificate(client)
            (doors.directory / "server.key").write_text("half a k")
            with caplog.at_level(logging.INFO):
                for _ in range(3):
                    await house.access.refresh()
            assert [record.getMessage() for record in caplog.records] == [
                "web config refused, the last good one stays: "
                f"{doors.file}:3: tls_server_config.key_file: no key in PEM in "
                f"{doors.directory}/server.key"
            ]
            assert noted == [False]
            assert await house.certificate(client) == old
            assert (await house.ask(tls=client)).status == 401
            doors.new_certificate()
            await house.access.refresh()
            assert noted == [False, True]
            assert await house.certificate(client) != old

    async def test_a_file_that_is_gone_changes_nothing(self, doors: Doors) -> None:
        """It would open every door."""
        async with doors.open(USERS) as house:
            doors.file.unlink()
            await house.access.refresh()
            assert (await house.ask()).status == 401
            doors.file.write_text("")
            await house.access.refresh()
            assert (await house.ask()).status == 401

    async def test_tls_is_not_turned_off_by_an_edit(
        self, doors: Doors, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Passwords would travel in plain text from then on."""
        async with doors.open(TLS) as house:
            doors.file.write_text("{}\n")
            await house.access.refresh()
            assert "only a restart turns TLS on or off" in caplog.text
            assert (await house.ask(tls=doors.client())).status == 200

    async def test_a_password_that_is_taken_away_is_no_longer_right(self, doors: Doors) -> None:
        """Although it was right before."""
        async with doors.open(USERS) as house:
            assert (await house.ask(**alice())).status == 200
            doors.file.write_text(USERS.replace("alice", "bob"))
            await house.access.refresh()
            assert (await house.ask(**alice())).status == 401

    async def test_a_volume_of_kubernetes_is_followed(self, doors: Doors) -> None:
        """It moves a link to a new directory, and no file is written."""
        first, second = doors.directory / "..1", doors.directory / "..2"
        first.mkdir()
        data = doors.directory / "..data"
        data.symlink_to("..1")
        names = ("server.crt", "server.key")
        for name in names:
            (doors.directory / name).rename(first / name)
            (doors.directory / name).symlink_to(f"..data/{name}")
        client = doors.client()
        async with doors.open(TLS) as house:
            old = await house.certificate(client)
            second.mkdir()
            write_identity(doors.authority.issue_cert("127.0.0.1"), second, "server")
            (doors.directory / "..new").symlink_to("..2")
            os.replace(doors.directory / "..new", data)
            await house.access.refresh()
            assert await house.certificate(client) != old

    async def test_looking_again_and_again_reads_once(self, doors: Doors) -> None:
        """A look while one is under way is none."""
        noted: list[bool] = []
        async with doors.open(USERS) as house:
            house.access.noted = noted.append
            doors.file.write_text(USERS + "\n")
            for _ in range(5):
                house.access.look()
            await until(lambda: noted == [True])
            house.access.look()
            await until(lambda: house.access._task is not None and house.access._task.done())
            assert noted == [True]


class TestStart:
    """Files that are wrong from the start."""

    def told(self, doors: Doors, text: str = MUTUAL) -> str:
        """Return the problem, without the directory."""
        doors.file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            AccessFile(doors.file)
        return str(caught.value).replace(f"{doors.directory}/", "")

    def test_a_certificate_that_is_none(self, doors: Doors) -> None:
        """With its line."""
        (doors.directory / "server.crt").write_text("hunter2")
        assert self.told(doors) == (
            "web.yml:2: tls_server_config.cert_file: no certificate in PEM in server.crt"
        )

    def test_a_key_of_another_certificate(self, doors: Doors) -> None:
        """A mix-up of files."""
        other = doors.authority.issue_cert("127.0.0.1").private_key_pem
        other.write_to_path(doors.directory / "server.key")
        assert self.told(doors) == (
            "web.yml:3: tls_server_config.key_file: the key does not belong to the certificate"
        )

    def test_a_key_with_a_passphrase(self, doors: Doors) -> None:
        """Nobody is asked on a terminal."""
        path = doors.directory / "server.key"
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"hunter2"),
            )
        )
        assert self.told(doors) == (
            "web.yml:3: tls_server_config.key_file: "
            "the key has a passphrase, and nobody to ask for it"
        )

    def test_authorities_that_are_none(self, doors: Doors) -> None:
        """An empty file trusts nobody, and is a mistake."""
        (doors.directory / "ca.crt").write_text("")
        assert self.told(doors) == (
            "web.yml:5: tls_server_config.client_ca_file: no certificate in PEM in ca.crt"
        )

    def test_a_file_that_is_not_there(self, doors: Doors) -> None:
        """As for the config."""
        with pytest.raises(ConfigError, match="cannot read the config: No such file"):
            AccessFile(doors.file)
