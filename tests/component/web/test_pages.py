"""What is served under each path, and what every answer has."""

import base64
import gzip
import hashlib
import logging
import re

import pytest

from monitor.core.refusals import Refusal
from monitor.metrics.exposition import Scrape
from monitor.web.routes import CHUNK, CONFIGS, ROUTES
from monitor.web.server import HEADERS, Overview
from tests.component.web.servers import Answer, Site, scrape_of, until

PATHS = [route.path for route in ROUTES]


class TestMetrics:
    """/metrics."""

    async def test_a_scraper_gets_what_it_accepts(self, site: Site) -> None:
        """The scrape is told both headers."""
        headers = {"Accept": "text/plain;q=0.5", "Accept-Encoding": "gzip"}
        assert (await site.get("/metrics", headers=headers)).text == "text/plain;q=0.5 gzip\n"

    async def test_headers_that_are_not_there_are_none(self, site: Site) -> None:
        """Not an empty text."""
        skip = ("Accept", "Accept-Encoding")
        assert (await site.get("/metrics", skip_auto_headers=skip)).text == "None None\n"

    async def test_the_answer_says_what_it_is(self, site: Site) -> None:
        """Its type, its encoding, and that caches must not mix them up."""
        body = b"ws_probe_up 1.0\n"

        async def scrape(*_: str | None) -> Scrape:
            return scrape_of(body, "application/openmetrics-text; version=1.0.0", "gzip")

        site.parts.scrape = scrape
        answer = await site.get("/metrics")
        assert gzip.decompress(answer.body) == body
        assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"

    @pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 7])
    async def test_a_page_of_any_size_arrives_whole(self, site: Site, size: int) -> None:
        """It is sent bit by bit."""
        body = bytes(index % 251 for index in range(size))

        async def scrape(*_: str | None) -> Scrape:
            return scrape_of(body, "text/plain", None)

        site.parts.scrape = scrape
        assert (await site.get("/metrics")).body == body


class TestHealth:
    """/-/healthy and /-/ready."""

    async def test_a_monitor_that_works_is_healthy(self, site: Site) -> None:
        """Whatever the targets do."""
        answer = await site.get("/-/healthy")
        assert (answer.status, answer.text) == (200, "healthy\n")

    async def test_one_that_does_not_says_why(self, site: Site) -> None:
        """In one line."""
        site.parts.unhealthy = "the loop has not run for 12 s"
        answer = await site.get("/-/healthy")
        assert (answer.status, answer.text) == (503, "the loop has not run for 12 s\n")

    async def test_a_monitor_with_a_config_is_ready(self, site: Site) -> None:
        """And can be given traffic."""
        answer = await site.get("/-/ready")
        assert (answer.status, answer.text) == (200, "ready\n")

    async def test_one_without_says_so(self, site: Site) -> None:
        """And stays healthy."""
        site.parts.unready = "no config is applied"
        answer = await site.get("/-/ready")
        assert (answer.status, answer.text) == (503, "no config is applied\n")
        assert (await site.get("/-/healthy")).status == 200


class TestConfig:
    """/config."""

    async def test_it_is_shown_as_text(self, site: Site) -> None:
        """Piece by piece."""
        answer = await site.get("/config")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.text == "probes:\n- name: chat\n"

    async def test_it_is_made_for_one_at_a_time(self, site: Site) -> None:
        """Thousands of probes take a while to write."""
        _, writer = await site.connect("127.0.0.2")
        site.parts.config = ["x" * CHUNK] * 1000
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is for both ways
        writer.write(b"GET /config HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: site.server._runner.app[CONFIGS].taken == 1)
        answer = await site.get("/config")
        assert (answer.status, answer.text) == (
            503,
            "the config is being shown to somebody else\n",
        )
        writer.transport.abort()
        await until(lambda: site.server._runner.app[CONFIGS].taken == 0)
        assert (await site.get("/config")).status == 200


class TestLanding:
    """The page for people."""

    async def test_it_tells_version_and_probes(self, site: Site) -> None:
        """At a glance."""
        answer = await site.get("/")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "1.2.3" in answer.text
        assert "<b>2</b> of 3 probes up" in answer.text

    @pytest.mark.parametrize(
        ("probes", "up", "told"),
        [
            (0, 0, '<p class="count">No probes yet.</p>'),
            (1, 1, '<p class="count all"><b>1</b> of 1 probe up</p>'),
            (1, 0, '<p class="count some"><b>0</b> of 1 probe up</p>'),
            (9, 9, '<p class="count all"><b>9</b> of 9 probes up</p>'),
        ],
    )
    async def test_counts_read_well(self, site: Site, probes: int, up: int, told: str) -> None:
        """For any number of probes."""
        site.parts.overview = Overview("1.2.3", probes, up)
        assert told in (await site.get("/")).text

    async def test_it_leads_everywhere(self, site: Site) -> None:
        """And every link leads somewhere."""
        links = re.findall('href="(/.*?)"', (await site.get("/")).text)
        assert set(links) == set(PATHS) - {"/"}
        for link in links:
            assert (await site.get(link)).status == 200

    async def test_whatever_comes_from_elsewhere_is_escaped(self, site: Site) -> None:
        """Even the version."""
        site.parts.overview = Overview("<script>alert('1')</script>", 1, 1)
        page = (await site.get("/")).text
        assert "<script" not in page
        assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;" in page

    async def test_its_policy_allows_its_own_style_and_nothing_else(self, site: Site) -> None:
        """No script, no style attribute, nothing from another host."""
        answer = await site.get("/")
        style = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
        assert len(style) == 1
        digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
        assert "style=" not in answer.text
        assert "://" not in answer.text

    async def test_it_has_a_light_and_a_dark_side(self, site: Site) -> None:
        """As the reader prefers."""
        page = (await site.get("/")).text
        assert "prefers-color-scheme: dark" in page
        assert "color-scheme: light dark" in page


class TestEverywhere:
    """What all answers have in common."""

    @pytest.mark.parametrize("path", PATHS)
    async def test_head_is_get_without_a_body(self, site: Site, path: str) -> None:
        """With the same headers."""
        got, head = await site.get(path), await site.ask("HEAD", path)
        assert head.status == got.status == 200
        assert head.body == b""
        for answer in (got, head):
            del answer.headers["Date"]
            # RFC 9112 section 6.1: it may be left out where there is no body.
            answer.headers.pop("Transfer-Encoding", None)
        assert head.headers == got.headers

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
    async def test_other_methods_are_not_allowed(self, site: Site, path: str, method: str) -> None:
        """And the answer names those that are."""
        answer = await site.ask(method, path)
        assert (answer.status, answer.text) == (405, "405: Method Not Allowed\n")
        assert answer.headers["Allow"] == "GET,HEAD"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_a_page_of_another_site_changes_nothing(self, site: Site, method: str) -> None:
        """Whatever there may be to change."""
        answer = await site.ask(method, "/metrics", headers={"Origin": "http://evil.example"})
        assert (answer.status, site.parts.refused) == (403, [Refusal.ORIGIN])
        own = f"http://127.0.0.1:{site.server.port}"
        assert (await site.ask(method, "/metrics", headers={"Origin": own})).status == 405

    @pytest.mark.parametrize("path", ["/nope", "/metrics/", "/-/", "//", "/%2e%2e/etc", "/?/x/y"])
    async def test_an_unknown_path_is_not_found(self, site: Site, path: str) -> None:
        """Metrics are on one path alone."""
        answer = await site.get(path)
        expected = (200, "text/html") if path == "/?/x/y" else (404, "text/plain")
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == expected
        assert answer.status == 200 or answer.text == "404: Not Found\n"

    async def answers(self, site: Site) -> list[Answer]:
        """Return one answer of every kind."""

        async def broken(*_: str | None) -> Scrape:
            raise RuntimeError("a secret detail")

        fine = [await site.get(path) for path in PATHS]
        site.parts.unready = "not yet"
        site.parts.scrape = broken
        return [
            *fine,
            await site.get("/-/ready"),
            await site.get("/nope"),
            await site.ask("POST", "/"),
            await site.get("/metrics"),
        ]

    async def test_every_answer_has_the_headers_that_keep_it_safe(self, site: Site) -> None:
        """Errors too."""
        answers = await self.answers(site)
        assert {answer.status for answer in answers} == {200, 404, 405, 500, 503}
        for answer in answers:
            assert HEADERS.items() <= answer.headers.items()

    async def test_a_bug_is_logged_and_not_served(
        self, site: Site, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The client gets one line without detail."""
        with caplog.at_level(logging.ERROR):
            answer = (await self.answers(site))[-1]
        assert (answer.status, answer.text) == (500, "500: Internal Server Error\n")
        (record,) = caplog.records
        assert record.name == "monitor.web"
        assert record.exc_info is not None
        assert str(record.exc_info[1]) == "a secret detail"
