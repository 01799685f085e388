"""docs/web.md, and the example that it names, keep up with the code."""

import re
from pathlib import Path

from monitor.config import TlsServer, WebConfig
from monitor.config.web_config import CIPHERS, HttpServer, RateLimit
from monitor.web import entrance, passwords, routes, server
from monitor.web.access import CHECK_INTERVAL, AccessFile
from monitor.web.guard import HEALTH
from monitor.web.reload import RELOAD_PATH
from tests.component.web.doors import Doors, write_identity

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/web.md").read_text()
EXAMPLE = ROOT / "deploy/web/web.config.yml"


def section(heading: str) -> str:
    """Return the text below a heading."""
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_every_path_is_described() -> None:
    """And no other."""
    table = PAGE.partition("## The web config")[0]
    described = re.findall(r"^\| `(?:POST )?(/.*?)` \|", table, re.MULTILINE)
    assert set(described) == {*(route.path for route in routes.ROUTES), RELOAD_PATH}
    for path in HEALTH:
        assert f"`{path}`" in section("The web config")


def test_every_key_is_described() -> None:
    """Except those that are only there to be refused."""
    text = section("The web config")
    for model in (WebConfig, TlsServer, HttpServer, RateLimit):
        for key in model.model_fields:
            assert re.search(rf"\b{key}\b", text), key
    assert len(CIPHERS) == 10


def test_limits_are_those_of_the_code() -> None:
    """Every number."""
    limits = section("Limits")
    for sentence in (
        f"| {entrance.MOST_CONNECTIONS}, of which {entrance.MOST_CONNECTIONS_EACH} may be",
        f"| {entrance.PER_SECOND:g} a second after a burst of {entrance.BURST};",
        f"| a TLS handshake | {entrance.HANDSHAKE_DEADLINE:g} seconds |",
        f"| {entrance.LARGEST_REQUEST // 1024} KiB in all, {server.MOST_HEADERS} headers, "
        f"{server.LONGEST_LINE} bytes a line, {server.LARGEST_BODY // 1024} KiB of body; "
        f"it has {entrance.REQUEST_DEADLINE:g} seconds",
        f"| {server.PATIENCE:g} seconds |",
        f"| {routes.MOST_SCRAPES}, of which {routes.MOST_SCRAPES_EACH} may be",
        f"each has {routes.SEND_DEADLINE:g} seconds to be read",
        f"and {passwords.MOST_CHECKS - 1} that wait",
        f"waits {passwords.REST:g} times as long",
    ):
        assert sentence in limits, sentence
    assert f"Every {CHECK_INTERVAL:g} seconds" in section("The web config")


def test_the_example_can_be_used(tmp_path: Path) -> None:
    """With files of the names that it names."""
    doors = Doors(tmp_path)
    write_identity(doors.authority.issue_cert("127.0.0.1"), tmp_path, "tls")
    doors.file.write_text(EXAMPLE.read_text())
    access = AccessFile(doors.file).access
    assert access.context is not None
    assert access.passwords is not None


def test_the_pages_own_example_can_be_used(tmp_path: Path) -> None:
    """As it stands there."""
    doors = Doors(tmp_path)
    write_identity(doors.authority.issue_cert("127.0.0.1"), tmp_path, "tls")
    (example,) = re.findall(r"```yaml\n(tls_server_config:.*?)```", PAGE, re.DOTALL)
    doors.file.write_text(example)
    assert AccessFile(doors.file).access.context is not None
