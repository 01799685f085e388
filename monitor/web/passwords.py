"""Checks passwords against bcrypt hashes without holding the loop, and without telling who exists.

A check costs tens to hundreds of milliseconds of a processor, on purpose. So it is done in one
thread that gives way to everything else; once a password was right, it is not checked again.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto

import bcrypt

MOST_CHECKS = 16
"""Clients that wait for a check at a time; each for one."""

REST = 4.0
"""After a wrong password, so many times as long as the check took nothing is checked: guessing
takes at most a fifth of one processor."""

LONGEST = 72
"""Bytes of a password that bcrypt looks at; the tools that make hashes leave the rest out too."""

_LEAST_PRIORITY = 19

Check = Callable[[bytes, bytes], bool]


class Verdict(Enum):
    """What became of a request's credentials."""

    RIGHT = auto()
    WRONG = auto()
    BUSY = auto()


class Checker:
    """Runs checks one after another, in a thread of its own. Shared by all who check.

    `check` is told a password and a hash.
    """

    def __init__(self, check: Check = bcrypt.checkpw) -> None:
        self._check = check
        self._waiting: set[str] = set()
        self._thread = ThreadPoolExecutor(1, "passwords", initializer=_give_way)
        self._turn = asyncio.Lock()
        self._rested = 0.0

    async def verify(self, client: str, password: bytes, hashed: bytes) -> Verdict:
        """Check a password for a client, when it is its turn."""
        if client in self._waiting or len(self._waiting) >= MOST_CHECKS:
            return Verdict.BUSY
        self._waiting.add(client)
        try:
            async with self._turn:
                right = await self._verify(password, hashed)
        finally:
            self._waiting.discard(client)
        return Verdict.RIGHT if right else Verdict.WRONG

    async def _verify(self, password: bytes, hashed: bytes) -> bool:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._rested - loop.time())
        began = loop.time()
        right = await loop.run_in_executor(self._thread, self._check, password, hashed)
        if not right:
            now = loop.time()
            self._rested = now + REST * (now - began)
        return right

    def close(self) -> None:
        """Check no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    # On Linux a thread has a priority of its own.
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_PRIORITY)


class Passwords:
    """The users of one web config, and whose password has been right before.

    Args:
        hashes: bcrypt hashes by user; at least one.
        checker: what checks.
    """

    def __init__(self, hashes: Mapping[str, str], checker: Checker) -> None:
        self._hashes = {user: hashed.encode() for user, hashed in hashes.items()}
        self._checker = checker
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        self._decoys = [_decoy(hashed) for hashed in self._hashes.values()]

    async def judge(self, client: str, authorization: str | None) -> Verdict:
        """Judge a request by its header `Authorization`."""
        credentials = _credentials(authorization or "")
        if credentials is None:
            return Verdict.WRONG
        user, password = credentials
        digest = self._digest(user, password)
        if hmac.compare_digest(digest, self._right.get(user, b"")):
            return Verdict.RIGHT
        verdict = await self._checker.verify(client, password, self._hash_for(user))
        # A decoy is nobody's hash, so a user that is not there never comes out right.
        if verdict is Verdict.RIGHT:
            self._right[user] = digest
        return verdict

    def _hash_for(self, user: str) -> bytes:
        """Return the user's hash, or for a stranger one that costs as much as some user's."""
        index = int.from_bytes(self._digest(user, b"")[:8], "big") % len(self._decoys)
        return self._hashes.get(user, self._decoys[index])

    def _digest(self, user: str, password: bytes) -> bytes:
        name = user.encode()
        return hashlib.blake2b(
            len(name).to_bytes(4, "big") + name + password, key=self._key, digest_size=32
        ).digest()


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    """Return user and password (RFC 7617 section 2), as far as bcrypt looks at it, or None."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        return None
    return user, password.encode()[:LONGEST]


def _decoy(hashed: bytes) -> bytes:
    """Return a hash of the same cost that belongs to no password that anybody knows."""
    cost = int(hashed.split(b"$")[2])
    digits = base64.b64encode(secrets.token_bytes(24), altchars=b"./")[:31]
    return bcrypt.gensalt(cost) + digits
