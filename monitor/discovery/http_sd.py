"""Targets over HTTP: the JSON of Prometheus' http_sd, with what Prometheus sends along."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from monitor import __version__
from monitor.config import HttpSd, SecretUnavailable
from monitor.core.deny_list import NOTHING_DENIED
from monitor.discovery.source import Answer, LookFailedError
from monitor.discovery.target_groups import FormatError, read_json
from monitor.net.http_client import PLAIN_JSON, open_session, read_up_to
from monitor.net.resolver import Resolver
from monitor.net.tls import TlsContexts, TlsPlan

MOST_BYTES = 16 * 1024 * 1024
"""A longer answer is refused."""

REFRESH_HEADER = "X-Prometheus-Refresh-Interval-Seconds"
"""Tells the endpoint how often it is asked, as Prometheus does."""


class HttpSource:
    """Asks one endpoint, on a new connection each time; follows no redirect."""

    def __init__(
        self, http: HttpSd, refresh: float, resolver: Resolver, contexts: TlsContexts
    ) -> None:
        self._http = http
        self._refresh = refresh
        self._resolver = resolver
        self._contexts = contexts

    async def look(self) -> Answer:
        """Ask for the targets.

        Raises:
            LookFailedError: there was no answer that can be used.
        """
        try:
            body = await self._fetch()
            return {"": await asyncio.to_thread(read_json, body)}
        except (SecretUnavailable, FormatError) as error:
            reason = str(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The text of these may hold the URL.
            reason = f"the endpoint could not be asked ({type(error).__name__})"
        raise LookFailedError(reason)

    async def stirred(self) -> bool:
        """Nothing tells before it is asked."""
        return False

    async def _fetch(self) -> bytes:
        url = self._http.read_url()
        async with (
            open_session(self._resolver, NOTHING_DENIED) as session,
            session.get(
                url,
                headers=self._headers(),
                allow_redirects=False,
                # Building a context for nothing would hold the loop.
                ssl=self._tls() if url.lower().startswith("https:") else True,
                server_hostname=self._http.tls.server_name,
            ) as response,
        ):
            if response.status != 200:
                raise FormatError(f"the endpoint answered HTTP {response.status}")
            body = await read_up_to(response.content, MOST_BYTES)
        if len(body) > MOST_BYTES:
            raise FormatError(f"the answer is longer than {MOST_BYTES // 1024 // 1024} MiB")
        return body

    def _headers(self) -> dict[str, str]:
        return {
            **PLAIN_JSON,
            "User-Agent": f"ws-monitor/{__version__}",
            REFRESH_HEADER: f"{self._refresh:g}",
            **self._http.read_headers(),
        }

    def _tls(self) -> ssl.SSLContext:
        tls = self._http.tls
        plan = TlsPlan(tls.ca_file, tls.cert_file, tls.key_file, tls.verify, tls.min_version)
        return self._contexts.get(plan)
