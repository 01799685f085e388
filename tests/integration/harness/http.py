"""One HTTP request at a time to a process under test, without a client library's conveniences."""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import Any

TIMEOUT = 60.0
"""Seconds that a process which is stopped meanwhile may take to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        """Return the body's value."""
        return json.loads(self.body)


async def request(
    port: int, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> Answer:
    """Ask 127.0.0.1; `body` is sent as JSON."""
    return await asyncio.to_thread(_request, port, method, path, body, headers or {})


def _request(port: int, method: str, path: str, body: object, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        text = response.read().decode()
        return Answer(response.status, dict(response.getheaders()), text)
    finally:
        connection.close()
