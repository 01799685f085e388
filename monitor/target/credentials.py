"""Which API keys are good. Pure; the texts are Talo's."""

from __future__ import annotations

import re

NO_CREDENTIALS = "Authentication Error"
BAD_TOKEN = "Please provide a valid token in the Authorization header"  # noqa: S105 (a message)

# Three base64url parts. Opaque to clients, so nothing in it is looked at.
_JWT_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Unauthorized(Exception):  # noqa: N818 (HTTP's own word for status 401)
    """The request has no good API key; the text is what the answer says."""


class Credentials:
    """The keys that are accepted, less the revoked ones."""

    __slots__ = ("_accepted", "_api_key", "_revoked")

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key
        self._accepted: set[str] = set() if api_key is None else {api_key}
        self._revoked: set[str] = set()

    def key_from(self, authorization: str | None) -> str:
        """Return the API key in an `Authorization` header.

        Raises:
            Unauthorized: no Bearer token, a malformed, an unknown or a revoked one.
        """
        scheme, _, key = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not key or " " in key:
            raise Unauthorized(NO_CREDENTIALS)
        if key in self._revoked:
            raise Unauthorized(BAD_TOKEN)
        if key != self._api_key:
            self._check_stranger(key)
        self._accepted.add(key)
        return key

    def revoke(self) -> None:
        """Refuse every key that was accepted so far, and the configured one, from now on."""
        self._revoked |= self._accepted

    def is_revoked(self, key: str) -> bool:
        """Whether `key` was revoked."""
        return key in self._revoked

    def reinstate(self) -> None:
        """Accept every revoked key again."""
        self._revoked.clear()

    def _check_stranger(self, key: str) -> None:
        if not _JWT_SHAPE.fullmatch(key):
            raise Unauthorized(BAD_TOKEN)
        if self._api_key is not None:
            raise Unauthorized(NO_CREDENTIALS)
