"""The control endpoint: faults and counters over HTTP, on a port of its own.

It goes on answering whatever the target pretends: it is how a fault is turned off again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from aiohttp import web

from monitor.net.origin import comes_from_elsewhere, is_loopback, names_this_machine
from monitor.target.fault_json import FaultError, parse_close_frame, parse_faults, parse_text

if TYPE_CHECKING:
    from monitor.target.server import Target

_STOP_TIMEOUT = 1.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Action = Callable[["Target", Mapping[str, object]], int]


class Control:
    """The control endpoint of one target, while it listens."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner

    @classmethod
    async def start(cls, target: Target, host: str, port: int) -> Self:
        """Listen on `host`; port 0 takes any free one.

        On loopback only requests that name loopback are answered: a browser on this machine may be
        showing a page whose own name points here.

        Raises:
            OSError: the address cannot be bound.
        """
        runner = web.AppRunner(
            _application(target, on_loopback=is_loopback(host)),
            access_log=None,
            shutdown_timeout=_STOP_TIMEOUT,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, reuse_address=True).start()
        except OSError as problem:
            await runner.cleanup()
            raise OSError(
                problem.errno, f"cannot listen on {host}:{port}: {os.strerror(problem.errno or 0)}"
            ) from None
        return cls(runner)

    @property
    def port(self) -> int:
        """The port that is bound."""
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Give the port up."""
        await self._runner.cleanup()


def _application(target: Target, *, on_loopback: bool) -> web.Application:
    @web.middleware
    async def keep_pages_out(request: web.Request, handler: _Handler) -> web.StreamResponse:
        elsewhere = comes_from_elsewhere(request.headers)
        if elsewhere or (on_loopback and not names_this_machine(request.host)):
            return _line(HTTPStatus.FORBIDDEN, "no page of a browser may ask here")
        return await handler(request)

    async def show(_request: web.Request) -> web.Response:
        return _state(target)

    async def replace(request: web.Request) -> web.Response:
        target.faults = parse_faults(await _json_object(request))
        return _state(target)

    async def heal(_request: web.Request) -> web.Response:
        target.heal()
        return _state(target)

    async def act(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in ACTIONS:
            return _line(HTTPStatus.NOT_FOUND, f"unknown action; known: {', '.join(ACTIONS)}")
        connections = ACTIONS[name](target, await _json_object(request))
        return web.json_response({"connections": connections})

    application = web.Application(middlewares=[keep_pages_out, _one_line_for_a_mistake])
    application.router.add_get("/faults", show)
    application.router.add_put("/faults", replace)
    application.router.add_delete("/faults", heal)
    application.router.add_post("/actions/{name}", act)
    return application


@web.middleware
async def _one_line_for_a_mistake(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except FaultError as mistake:
        return _line(HTTPStatus.BAD_REQUEST, str(mistake))
    except OSError as problem:
        return _line(HTTPStatus.CONFLICT, f"the port cannot be taken back: {problem.strerror}")


def _state(target: Target) -> web.Response:
    state = {"faults": target.faults.to_json(), "counters": target.counters.to_json()}
    return web.Response(text=json.dumps(state, indent=2) + "\n", content_type="application/json")


def _line(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")


async def _json_object(request: web.Request) -> dict[str, object]:
    """Return the body, which may be empty."""
    body = await request.read()
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise FaultError("the body is not JSON") from None
    if not isinstance(values, dict):
        raise FaultError("the body must be a JSON object")
    return values


def _without_parameters(act: Callable[[Target], int]) -> _Action:
    def action(target: Target, values: Mapping[str, object]) -> int:
        if values:
            raise FaultError("this action takes no parameters")
        return act(target)

    return action


ACTIONS: Mapping[str, _Action] = {
    "close": lambda target, values: target.close_connections(parse_close_frame(values)),
    "reset": _without_parameters(lambda target: target.reset_connections()),
    "abort": _without_parameters(lambda target: target.abort_connections()),
    "revoke": _without_parameters(lambda target: target.revoke_keys()),
    "tick": _without_parameters(lambda target: target.tick()),
    "push": lambda target, values: target.push(parse_text(values)),
}
"""What `POST /actions/NAME` does, by name; each returns how many connections there were."""
