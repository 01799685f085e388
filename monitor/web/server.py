"""The web server: limits, headers, errors, start and stop. What it serves is in `routes`.

It shares a loop with the probes, so no client may cost it much: few connections at a time, small
requests, short patience.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from monitor.web.access import Access
from monitor.web.entrance import Entrance
from monitor.web.guard import guard
from monitor.web.landing import STYLE_HASH
from monitor.web.parts import Overview, WebParts
from monitor.web.reload import RELOAD_PATH, reload_handler
from monitor.web.routes import CONFIGS, MOST_SCRAPES, MOST_SCRAPES_EACH, PARTS, ROUTES, SCRAPES
from monitor.web.shares import Shares

__all__ = ["Overview", "WebParts", "WebServer"]

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

RECEIVE_BUFFER = 16 * 1024
"""Bytes that the kernel keeps for a connection: what one turn of the loop has to read at most.
Requests are small."""

LARGEST_BODY = 1024
"""Bytes of a request's body; nothing that is served needs one."""

HEADERS = {
    hdrs.SERVER: "ws-monitor",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""What every response carries, unless the web config says otherwise."""

_KEPT = (hdrs.ALLOW, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE)
"""Headers of an error that mean something to a client."""

_log = logging.getLogger("monitor.web")

_client_errors = logging.getLogger("monitor.web.client_errors")
_client_errors.setLevel(logging.CRITICAL)  # whoever sends nonsense hears so, and fills no log


class WebServer:
    """Serves the routes on one address.

    Args:
        parts: where the pages get what they show.
        host: address or name to listen on; empty for all addresses.
        port: 0 for any free one.
        access: who gets in, asked anew each time; everybody if it is not given.
    """

    def __init__(
        self, parts: WebParts, host: str, port: int, access: Callable[[], Access] = Access
    ) -> None:
        self._host = host
        self._port = port
        self._entrance = Entrance(self._handler, access, parts.refused)
        self._runner = web.AppRunner(
            _application(parts, self._entrance),
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
            create = partial(
                loop.create_server, self._entrance, backlog=BACKLOG, start_serving=False
            )
            self._listener = await (
                create(self._host, self._port)
                if self._host
                else create(sock=_everywhere(self._port))
            )
            for listening in self._listener.sockets:  # connections inherit it
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            await self._listener.start_serving()
        except OSError:
            await self._runner.cleanup()
            raise

    async def stop(self) -> None:
        """Stop listening, let answers under way finish for a moment, close every connection."""
        if self._listener is not None:
            self._listener.close()
        self._entrance.close()
        await self._runner.cleanup()

    def _handler(self) -> web.RequestHandler:
        """Return what handles the next connection's requests."""
        server = self._runner.server
        if server is None:
            raise RuntimeError("nothing is let in before the start")
        return server()


def _everywhere(port: int) -> socket.socket:
    """Listen on all addresses with one socket, so that there is one port, also if it is any."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=both)


def _application(parts: WebParts, entrance: Entrance) -> web.Application:
    app = web.Application(
        middlewares=[_one_line_errors, guard(entrance)], client_max_size=LARGEST_BODY
    )
    app[PARTS] = parts
    app[SCRAPES] = Shares(MOST_SCRAPES, MOST_SCRAPES_EACH)
    app[CONFIGS] = Shares(1, 1)

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        for name, value in entrance.access().headers.items():
            response.headers.popall(name, None)
            if value:
                response.headers[name] = value

    app.on_response_prepare.append(add_headers)
    app.add_routes([web.get(route.path, route.handler) for route in ROUTES])
    if parts.reload is not None:
        app.add_routes([web.post(RELOAD_PATH, reload_handler(parts.reload, parts.refused))])
    return app


@web.middleware
async def _one_line_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error in one line of plain text."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        kept = {name: error.headers[name] for name in _KEPT if name in error.headers}
        return web.Response(status=error.status, text=f"{error.text}\n", headers=kept)
    except ConnectionError:
        raise  # the client went away; there is nobody to answer
    except Exception:  # noqa: BLE001 - a bug in one page is logged, and no traceback is served
        _log.exception("a page could not be served")
        return web.Response(status=500, text="500: Internal Server Error\n")
