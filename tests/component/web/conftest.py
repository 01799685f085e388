"""A web server to ask."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from monitor.web.server import WebServer
from tests.component.web.servers import Parts, Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Serve on a free port."""
    parts = Parts()
    server = WebServer(parts.for_server(), "127.0.0.1", 0)
    await server.start()
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        yield Site(server, parts, http)
    await server.stop()
