"""`POST /-/reload`: reads the config again, for programs that wait for the outcome.

It is for programs only. No page of ours asks for it, so a request that shows a browser's hand is
another site's, whatever origin it claims: a name that was made to point here has the same one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from monitor.core.refusals import Refusal

RELOAD_PATH = "/-/reload"

MARKS = (hdrs.ORIGIN, "Sec-Fetch-Site")
"""Headers that a browser sends with a POST, and programs do not."""

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What a form can send, also that of a browser which is too old for the headers."""


def reload_handler(
    reload: Callable[[], Awaitable[list[str]]], refused: Callable[[Refusal], None]
) -> Handler:
    """Return what answers once the config was read: 200, or 500 with a line for each problem."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if _is_of_a_browser(request):
            refused(Refusal.ORIGIN)
            raise web.HTTPForbidden(text="a reload is for programs: send no Origin and no form")
        problems = await reload()
        if problems:
            return web.Response(status=500, text="".join(f"{problem}\n" for problem in problems))
        return web.Response(text="reloaded\n")

    return handle


def _is_of_a_browser(request: web.Request) -> bool:
    return any(mark in request.headers for mark in MARKS) or request.content_type in FORMS
