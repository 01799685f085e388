"""Probes with real connections to scripted peers, on the loop that the service runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.component.net.conftest import (
    authority,
    pytest_asyncio_loop_factories,
    serve,
    serve_as,
    server_tls,
)
from tests.component.probing.stage import Stage

__all__ = [
    "authority",
    "pytest_asyncio_loop_factories",
    "serve",
    "serve_as",
    "server_tls",
    "stage",
]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Return what runs probes, and ends them with the test."""
    stage = Stage(asyncio.get_running_loop()._selector)
    stage.beats.start()
    yield stage
    await stage.leave()
