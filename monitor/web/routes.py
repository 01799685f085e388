"""Every path that is served, as a table. A handler takes the parts and the request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import hdrs, web

from monitor.core.refusals import Refusal
from monitor.metrics.exposition import Scrape
from monitor.web.entrance import visit_of
from monitor.web.landing import Link, landing_page
from monitor.web.parts import WebParts
from monitor.web.shares import Shares

PARTS = web.AppKey("parts", WebParts)

SCRAPES = web.AppKey("scrapes", Shares)

CONFIGS = web.AppKey("configs", Shares)

CHUNK = 256 * 1024
"""Bytes that are handed to the kernel at a time, so that a large page does not hold the loop."""

SEND_DEADLINE = 30.0
"""Seconds within which a client must have taken its page."""

MOST_SCRAPES = 8
"""Scrapes that are answered at a time: each holds a whole page while its client reads."""

MOST_SCRAPES_EACH = 4
"""How many of them may be one client's."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path, what answers there, and what the landing page says about it, if it has a link."""

    path: str
    handler: Handler
    about: str | None = None


async def landing(request: web.Request) -> web.StreamResponse:
    """Answer with the landing page."""
    links = [Link(route.path, route.about) for route in ROUTES if route.about is not None]
    page = landing_page(request.app[PARTS].overview(), links)
    return web.Response(text=page, content_type="text/html")


async def healthy(request: web.Request) -> web.StreamResponse:
    """Answer whether the monitor itself works; targets have no part in it."""
    return _verdict("healthy", request.app[PARTS].unhealthy())


async def ready(request: web.Request) -> web.StreamResponse:
    """Answer whether a configuration is applied."""
    return _verdict("ready", request.app[PARTS].ready())


def _verdict(well: str, reason: str | None) -> web.Response:
    return web.Response(status=200 if reason is None else 503, text=f"{reason or well}\n")


async def metrics(request: web.Request) -> web.StreamResponse:
    """Answer a scrape, unless too many are being answered."""
    with _place(request, SCRAPES, "too many scrapes at a time"):
        scrape = await request.app[PARTS].scrape(
            request.headers.get(hdrs.ACCEPT), request.headers.get(hdrs.ACCEPT_ENCODING)
        )
        return await _send(request, scrape)


async def config(request: web.Request) -> web.StreamResponse:
    """Answer with the config that is applied, without its secrets."""
    with _place(request, CONFIGS, "the config is being shown to somebody else"):
        response = web.StreamResponse()
        response.content_type = "text/plain"
        response.charset = "utf-8"
        await response.prepare(request)
        if request.method == hdrs.METH_GET:
            pieces = (piece.encode() for piece in request.app[PARTS].config())
            await _write(request, response, pieces)
        return response


@contextmanager
def _place(request: web.Request, key: web.AppKey[Shares], full: str) -> Iterator[None]:
    """Hold one of the places for a page, or refuse it."""
    shares, visit = request.app[key], visit_of(request)
    place = shares.take(visit.client, partial(visit.cut_off, Refusal.BUSY))
    if place is None:
        request.app[PARTS].refused(Refusal.BUSY)
        raise web.HTTPServiceUnavailable(text=full)
    try:
        yield
    finally:
        shares.leave(place)


async def _send(request: web.Request, scrape: Scrape) -> web.StreamResponse:
    response = web.StreamResponse()
    response.headers[hdrs.CONTENT_TYPE] = scrape.content_type
    response.headers[hdrs.VARY] = f"{hdrs.ACCEPT}, {hdrs.ACCEPT_ENCODING}"
    response.content_length = scrape.length
    if scrape.content_encoding is not None:
        response.headers[hdrs.CONTENT_ENCODING] = scrape.content_encoding
    await response.prepare(request)
    if request.method == hdrs.METH_GET:
        await _write(request, response, scrape.pieces(CHUNK))
    return response


async def _write(
    request: web.Request, response: web.StreamResponse, pieces: Iterable[bytes | memoryview]
) -> None:
    """Send a page bit by bit; a client that does not read it is cut off."""
    try:
        async with asyncio.timeout(SEND_DEADLINE):
            for piece in pieces:
                await response.write(piece)
                # Writing waits only once the buffers are full.
                await asyncio.sleep(0)
    except TimeoutError:
        visit_of(request).cut_off(Refusal.SLOW)


ROUTES = (
    Route("/", landing),
    Route("/metrics", metrics, "Metrics for Prometheus"),
    Route("/config", config, "The configuration, without its secrets"),
    Route("/-/healthy", healthy, "Whether the monitor itself works"),
    Route("/-/ready", ready, "Whether a configuration is applied"),
)
