"""A web server behind a web config file, with certificates of an authority of the test's own."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import bcrypt
import trustme

from monitor.web.access import AccessFile
from monitor.web.server import WebServer
from tests.component.web.servers import PATIENT, Answer, Parts

PASSWORD = "open sesame"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users: {{alice: {HASH}}}\n"

TLS = """\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
"""

MUTUAL = (
    TLS
    + """\
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
"""
)


def write_identity(leaf: trustme.LeafCert, directory: Path, name: str) -> None:
    """Write a certificate and its key."""
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    (directory / f"{name}.crt").write_bytes(chain)
    (directory / f"{name}.key").write_bytes(leaf.private_key_pem.bytes())


@dataclass
class Doors:
    """A directory with a web config file and all that it may name."""

    directory: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.authority.cert_pem.write_to_path(self.directory / "ca.crt")
        self.new_certificate()

    @property
    def file(self) -> Path:
        """The web config file."""
        return self.directory / "web.yml"

    def new_certificate(self) -> None:
        """Write another certificate for the server."""
        write_identity(self.authority.issue_cert("127.0.0.1"), self.directory, "server")

    def client(self, *names: str, authority: trustme.CA | None = None) -> ssl.SSLContext:
        """Return what a client needs that trusts the server, with a certificate if it has names."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        if names:
            leaf = (authority or self.authority).issue_cert(*names)
            leaf.configure_cert(context)
        return context

    @asynccontextmanager
    async def open(self, text: str, parts: Parts | None = None) -> AsyncIterator["House"]:
        """Serve behind a web config file of this text."""
        self.file.write_text(text)
        access = AccessFile(self.file)
        parts = parts or Parts()
        server = WebServer(parts.for_server(), "127.0.0.1", 0, lambda: access.access)
        await server.start()
        try:
            yield House(server, access, parts)
        finally:
            await server.stop()
            access.close()


@dataclass(frozen=True)
class House:
    """What is behind the doors."""

    server: WebServer
    access: AccessFile
    parts: Parts

    async def ask(
        self,
        path: str = "/metrics",
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
        method: str = "GET",
    ) -> Answer:
        """Ask on a connection of its own."""
        scheme = "http" if tls is None else "https"
        url = f"{scheme}://127.0.0.1:{self.server.port}{path}"
        connector = aiohttp.TCPConnector(ssl=True if tls is None else tls)
        async with (
            asyncio.timeout(PATIENT),
            aiohttp.ClientSession(connector=connector) as http,
            http.request(method, url, headers=headers) as response,
        ):
            return Answer(response.status, dict(response.headers), await response.read())

    async def certificate(self, tls: ssl.SSLContext) -> bytes:
        """Return the certificate that a new connection gets."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.server.port, ssl=tls)
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return found


def alice(password: str = PASSWORD, user: str = "alice") -> dict[str, dict[str, str]]:
    """Return the options of a request as a user."""
    header = aiohttp.encode_basic_auth(user, password, encoding="utf-8")
    return {"headers": {"Authorization": header}}
