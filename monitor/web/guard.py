"""What a request must pass before its page is made: pace, origin, the rate limit, a password.

Health is asked for by the kubelet, which has no password that it could be trusted with: those two
paths tell anybody that the monitor works, and nothing else.
"""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from monitor.core.refusals import Refusal
from monitor.net.origin import comes_from_elsewhere
from monitor.web.access import Access
from monitor.web.entrance import Entrance, visit_of
from monitor.web.passwords import Verdict

HEALTH = ("/-/healthy", "/-/ready")
"""Paths that are never refused."""

SAFE = (hdrs.METH_GET, hdrs.METH_HEAD)
"""Methods that change nothing."""

CHALLENGE = 'Basic realm="ws-monitor", charset="UTF-8"'
"""RFC 7617."""


def guard(entrance: Entrance) -> Middleware:
    """Return what lets requests through to their handlers."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        visit = visit_of(request)
        visit.asked()
        loop = asyncio.get_running_loop()
        if (wait := entrance.pace.wait(visit.client, loop.time())) > 0:
            await asyncio.sleep(wait)
        if request.path not in HEALTH:
            refusal = await _refusal(request, entrance.access(), visit.client)
            if refusal is not None:
                why, answer = refusal
                entrance.refused(why)
                raise answer
        return await handler(request)

    return check


async def _refusal(
    request: web.Request, access: Access, client: str
) -> tuple[Refusal, web.HTTPException] | None:
    if request.method not in SAFE and comes_from_elsewhere(request.headers):
        return Refusal.ORIGIN, web.HTTPForbidden(text="a page of another site may change nothing")
    if access.rate is not None and not access.rate.take(asyncio.get_running_loop().time()):
        return Refusal.RATE, web.HTTPTooManyRequests()
    if access.passwords is None:
        return None
    verdict = await access.passwords.judge(client, request.headers.get(hdrs.AUTHORIZATION))
    if verdict is Verdict.BUSY:
        busy = web.HTTPServiceUnavailable(
            text="too many passwords to check", headers={hdrs.RETRY_AFTER: "1"}
        )
        return Refusal.BUSY, busy
    if verdict is Verdict.WRONG:
        return Refusal.PASSWORD, web.HTTPUnauthorized(headers={hdrs.WWW_AUTHENTICATE: CHALLENGE})
    return None
