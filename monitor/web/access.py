"""Who gets in, and how: what a web config file says, kept up to date with it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config import ConfigError, Unusable, WebConfig, load_web_config
from monitor.core.budget import Budget
from monitor.web.passwords import Checker, Passwords
from monitor.web.tls import server_context

CHECK_INTERVAL = 5.0
"""Seconds between two looks at the files."""

_log = logging.getLogger("monitor.web")

_State = tuple[int, int, int] | None
"""Tells a file from another one in its place; None for one that is not there."""


@dataclass(frozen=True, slots=True)
class Access:
    """One state of it. Without a web config file everybody gets in."""

    context: ssl.SSLContext | None = None
    allowed_sans: frozenset[str] = frozenset()
    """Names of which a client's certificate must have one; empty for any."""
    passwords: Passwords | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Put over our own; a blank one takes ours away."""
    rate: Budget | None = None


class AccessFile:
    """What a web config file says now, or said when it was last fit to use.

    Args:
        path: the file.

    Raises:
        ConfigError: it cannot be used, with every problem found.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checker = Checker()
        self._seen: dict[Path, _State] = {}
        self._access: Access | None = None
        self._access = self._read()
        self._task: asyncio.Task[None] | None = None
        self.noted: Callable[[bool], None] = lambda _: None
        """Is told of each attempt to read a file that changed whether it succeeded."""

    @property
    def access(self) -> Access:
        """What holds now."""
        return self._access or Access()

    def look(self) -> None:
        """Begin to read the file again if it has changed, or one that it names."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self.refresh())

    async def refresh(self) -> None:
        """Read the file again if it has changed. One that cannot be used changes nothing."""
        try:
            access = await asyncio.to_thread(self._read_if_changed)
        except ConfigError as error:
            access = None
            for problem in error.problems:
                _log.error("web config refused, the last good one stays: %s", problem)
        else:
            if access is None:
                return
            self._access = access
            _log.info("web config applied")
        succeeded = access is not None
        self.noted(succeeded)

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
        self._checker.close()

    def _read_if_changed(self) -> Access | None:
        if all(_state_of(file) == state for file, state in self._seen.items()):
            return None
        return self._read()

    def _read(self) -> Access:
        # What changes while it is read must be seen as changed the next time.
        seen = {file: _state_of(file) for file in (self._path, *self._seen)}
        named: tuple[Path, ...] = ()

        def build(config: WebConfig) -> Access:
            nonlocal named
            named = config.files
            seen.update((file, _state_of(file)) for file in named)
            return self._build(config)

        try:
            access = load_web_config(self._path, build)
            seen = {file: seen[file] for file in (self._path, *named)}
        finally:
            self._seen = seen
        return access

    def _build(self, config: WebConfig) -> Access:
        tls, limit = config.tls_server_config, config.rate_limit
        if self._access is not None and (self._access.context is None) != (tls is None):
            raise Unusable(("tls_server_config",), "only a restart turns TLS on or off")
        users = {user: hashed.read() for user, hashed in config.basic_auth_users.items()}
        every = limit.interval
        return Access(
            context=None if tls is None else server_context(tls),
            allowed_sans=frozenset() if tls is None else frozenset(tls.client_allowed_sans),
            passwords=Passwords(users, self._checker) if users else None,
            headers={str(name): value for name, value in config.http_server_config.headers.items()},
            rate=Budget(per_second=1 / every, burst=limit.burst) if every else None,
        )


def _state_of(file: Path) -> _State:
    """Follows links, as Kubernetes updates a volume by moving one."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
