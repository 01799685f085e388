"""A target on free loopback ports, and a client of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from monitor.target import Target, TargetSettings
from tests.component.target.clients import Client, StartClient


@pytest.fixture
async def start() -> AsyncIterator[StartClient]:
    """Start a target with the given settings on free ports, and return a client of it.

    A timer of the target that raises fails the test: asyncio would just log it.
    """
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    targets: list[Target] = []
    clients: list[Client] = []
    async with aiohttp.ClientSession() as http:

        async def start(**settings: Any) -> Client:
            target = Target(
                TargetSettings(**({"port": 0, "control_port": 0, "ticket_points": 1000} | settings))
            )
            await target.start()
            targets.append(target)
            clients.append(Client(target, http))
            return clients[-1]

        yield start
        for client in clients:
            await client.leave()
        for target in targets:
            await target.stop()
    assert raised == []


@pytest.fixture
async def client(start: StartClient) -> Client:
    """Return a client of a target without any fault."""
    return await start()
