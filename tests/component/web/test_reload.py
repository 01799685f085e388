"""`POST /-/reload`: there only if it is wanted, for programs, and it tells what came of it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from monitor.core.refusals import Refusal
from monitor.web.server import WebServer
from tests.component.web.servers import Parts, Site


@pytest.fixture
async def reloadable() -> AsyncIterator[Site]:
    """Serve with reloads."""
    parts = Parts(problems=[])
    server = WebServer(parts.for_server(), "127.0.0.1", 0)
    await server.start()
    async with aiohttp.ClientSession() as http:
        yield Site(server, parts, http)
    await server.stop()


class TestOutcome:
    """What it answers."""

    async def test_a_config_that_was_applied(self, reloadable: Site) -> None:
        answer = await reloadable.ask("POST", "/-/reload")
        assert (answer.status, answer.text) == (200, "reloaded\n")
        assert reloadable.parts.reloads == 1

    async def test_one_that_was_refused_with_every_problem(self, reloadable: Site) -> None:
        reloadable.parts.problems = ["c.yaml:1: a", "c.yaml:2: b"]
        answer = await reloadable.ask("POST", "/-/reload")
        assert (answer.status, answer.text) == (500, "c.yaml:1: a\nc.yaml:2: b\n")


class TestRefused:
    """Who may not, and how not."""

    async def test_it_is_not_there_unless_it_is_switched_on(self, site: Site) -> None:
        assert (await site.ask("POST", "/-/reload")).status == 404

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
    async def test_nothing_but_a_post_reloads(self, reloadable: Site, method: str) -> None:
        answer = await reloadable.ask(method, "/-/reload")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert reloadable.parts.reloads == 0

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://elsewhere.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-origin"},
            {"Origin": "http://rebound.example", "Host": "rebound.example"},
            {"Content-Type": "application/x-www-form-urlencoded"},
            {"Content-Type": "multipart/form-data; boundary=x"},
            {"Content-Type": "text/plain"},
        ],
        ids=lambda headers: " ".join(headers.values()),
    )
    async def test_a_browser_may_not(self, reloadable: Site, headers: dict[str, str]) -> None:
        answer = await reloadable.ask("POST", "/-/reload", headers=headers)
        assert answer.status == 403
        assert answer.text.count("\n") == 1
        assert reloadable.parts.reloads == 0
        assert reloadable.parts.refused == [Refusal.ORIGIN]
