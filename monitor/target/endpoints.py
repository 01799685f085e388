"""What Talo answers over plain HTTP, and what stands in the way of an upgrade.

Nothing here waits: each function turns a request into a response.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from monitor.target.backend import Backend
from monitor.target.credentials import NO_CREDENTIALS, Unauthorized
from monitor.target.faults import Faults, Rejection

# What the `ws` package, on which Talo rests, says to a version that it does not speak.
_VERSIONS = ("13", "8")

_to_json = partial(json.dumps, separators=(",", ":"))


def is_upgrade(request: web.BaseRequest) -> bool:
    """Whether the request asks for a WebSocket. Any path will do."""
    tokens = request.headers.get(hdrs.CONNECTION, "").lower().split(",")
    return (
        "upgrade" in (token.strip() for token in tokens)
        and request.headers.get(hdrs.UPGRADE, "").strip().lower() == "websocket"
    )


def upgrade_refusal(request: web.BaseRequest, faults: Faults) -> web.Response | None:
    """Return what the request gets instead of its 101, or None if nothing is in the way."""
    if faults.reject_upgrade is not None:
        return _rejected(faults.reject_upgrade)
    if faults.redirect is not None:
        return web.Response(status=HTTPStatus.FOUND, headers={hdrs.LOCATION: faults.redirect})
    if request.method != hdrs.METH_GET:
        return _message(HTTPStatus.METHOD_NOT_ALLOWED, "Invalid HTTP method")
    if request.headers.get(hdrs.SEC_WEBSOCKET_VERSION) not in _VERSIONS:
        return _message(
            HTTPStatus.BAD_REQUEST,
            "Missing or invalid Sec-WebSocket-Version header",
            {hdrs.SEC_WEBSOCKET_VERSION: ", ".join(_VERSIONS)},
        )
    return None


def offered_subprotocol(request: web.BaseRequest) -> list[str]:
    """Return the first subprotocol that the client offers, if it offers any."""
    offers = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
    return [offer.strip() for offer in offers[:1] if offer.strip()]


def answer(request: web.BaseRequest, backend: Backend) -> web.Response:
    """Answer a request that asks for no upgrade."""
    endpoint = _ENDPOINTS.get((request.method, request.path), _anything_else)
    return endpoint(request, backend)


def _public_health(_request: web.BaseRequest, _backend: Backend) -> web.Response:
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _health_check(request: web.BaseRequest, backend: Backend) -> web.Response:
    try:
        backend.credentials.key_from(request.headers.get(hdrs.AUTHORIZATION))
    except Unauthorized as problem:
        return _message(HTTPStatus.UNAUTHORIZED, str(problem))
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _socket_tickets(request: web.BaseRequest, backend: Backend) -> web.Response:
    if backend.faults.ticket_status is not None:
        return _rejected(backend.faults.ticket_status)
    now = asyncio.get_running_loop().time()
    # Before the key is looked at: a bad key uses the limit up, too.
    if not backend.ticket_limits.hit(_client_address(request), now):
        return _rejected(Rejection(HTTPStatus.TOO_MANY_REQUESTS, retry_after=60))
    try:
        key = backend.credentials.key_from(request.headers.get(hdrs.AUTHORIZATION))
    except Unauthorized as problem:
        return _message(HTTPStatus.UNAUTHORIZED, str(problem))
    ticket = str(uuid.uuid4())
    backend.tickets.issue(ticket, key, now)
    backend.counters.tickets_issued += 1
    return _json(HTTPStatus.OK, {"ticket": ticket})


def _anything_else(_request: web.BaseRequest, _backend: Backend) -> web.Response:
    """Answer as Talo's dashboard routes do: also the socket's URL when a proxy took the upgrade."""
    return _message(HTTPStatus.UNAUTHORIZED, NO_CREDENTIALS)


_Endpoint = Callable[[web.BaseRequest, Backend], web.Response]

_ENDPOINTS: Mapping[tuple[str, str], _Endpoint] = {
    (hdrs.METH_GET, "/public/health"): _public_health,
    (hdrs.METH_GET, "/v1/health-check"): _health_check,
    (hdrs.METH_POST, "/v1/socket-tickets"): _socket_tickets,
}


def _client_address(request: web.BaseRequest) -> str:
    forwarded = request.headers.get(hdrs.X_FORWARDED_FOR, "").partition(",")[0].strip()
    return forwarded or request.remote or ""


def _rejected(rejection: Rejection) -> web.Response:
    headers: dict[str, str] = {}
    if rejection.retry_after is not None:
        headers[hdrs.RETRY_AFTER] = str(rejection.retry_after)
    if rejection.status == HTTPStatus.UNAUTHORIZED:
        return _message(rejection.status, NO_CREDENTIALS, headers)
    return _message(rejection.status, _phrase(rejection.status), headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _message(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json(status, {"message": text}, headers)


def _json(
    status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.json_response(body, status=status, headers=headers, dumps=_to_json)
