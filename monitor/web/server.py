"""The web server: limits, headers, errors, start and stop. What it serves is in `routes`.

It shares a loop with the probes, so no client may cost it much: few connections at a time, small
requests, short patience.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from aiohttp import hdrs, web

from monitor.web.landing import STYLE_HASH
from monitor.web.parts import Overview, WebParts
from monitor.web.routes import MOST_SCRAPES, PARTS, ROUTES, SCRAPES, Handler

__all__ = ["Overview", "WebParts", "WebServer"]

MOST_CLIENTS = 64
"""Open connections; further ones are told to come back."""

BACKLOG = 32
"""Connections that the kernel keeps waiting: asyncio accepts as many in one go."""

PATIENCE = 65.0
"""Seconds in which a client must have sent its next request: more than the usual minute between
two scrapes, so that a scraper keeps its connection."""

STOP_GRACE = 2.0
"""Seconds that answers under way have when the server stops."""

LONGEST_LINE = 8190
"""Bytes of a request line, and of one header: what browsers with many cookies may send."""

MOST_HEADERS = 64

LARGEST_BODY = 1024
"""Bytes of a request's body; nothing that is served needs one."""

HEADERS = {
    hdrs.SERVER: "ws-monitor",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""What every response carries."""

_log = logging.getLogger("monitor.web")

_client_errors = logging.getLogger("monitor.web.client_errors")
_client_errors.setLevel(logging.CRITICAL)  # whoever sends nonsense hears so, and fills no log


class WebServer:
    """Serves the routes on one address.

    Args:
        parts: where the pages get what they show.
        host: address or name to listen on; empty for all addresses.
        port: 0 for any free one.
    """

    def __init__(self, parts: WebParts, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._runner = web.AppRunner(
            _application(parts),
            access_log=None,
            logger=_client_errors,
            keepalive_timeout=PATIENCE,
            lingering_time=1.0,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
            shutdown_timeout=STOP_GRACE,
        )
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, once started."""
        if self._listener is None:
            return self._port
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to serve.

        Raises:
            OSError: the address cannot be listened on.
        """
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listener = await (
                loop.create_server(self._protocol, self._host, self._port, backlog=BACKLOG)
                if self._host
                else loop.create_server(
                    self._protocol, sock=_everywhere(self._port), backlog=BACKLOG
                )
            )
        except OSError:
            await self._runner.cleanup()
            raise

    async def stop(self) -> None:
        """Stop listening, let answers under way finish for a moment, close every connection."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _protocol(self) -> asyncio.Protocol:
        """Return what handles the next connection."""
        server = self._runner.server
        if server is None or len(server.connections) >= MOST_CLIENTS:
            return _Refusal()
        return server()


def _everywhere(port: int) -> socket.socket:
    """Listen on all addresses with one socket, so that there is one port, also if it is any."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=both)


class _Refusal(asyncio.Protocol):
    """Tells one client too many to come back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n")
        transport.close()


def _application(parts: WebParts) -> web.Application:
    app = web.Application(middlewares=[_one_line_errors], client_max_size=LARGEST_BODY)
    app[PARTS] = parts
    app[SCRAPES] = asyncio.Semaphore(MOST_SCRAPES)
    app.on_response_prepare.append(_add_headers)
    app.add_routes([web.get(route.path, route.handler) for route in ROUTES])
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


@web.middleware
async def _one_line_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error in one line of plain text."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allowed = {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
        return web.Response(status=error.status, text=f"{error.text}\n", headers=allowed)
    except ConnectionError:
        raise  # the client went away; there is nobody to answer
    except Exception:  # noqa: BLE001 - a bug in one page is logged, and no traceback is served
        _log.exception("a page could not be served")
        return web.Response(status=500, text="500: Internal Server Error\n")
