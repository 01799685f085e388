"""Which HTTP headers a probe may send, and which of them must come from a secret."""

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from monitor.config.secret import Inline, PlainOrSecret, Secret
from monitor.config.values import Matching, refuse

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110 section 5.6.2 calls it that
VISIBLE_ASCII = r"[ -~]+"

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OWN_KEYS = {"origin": "origin", "user-agent": "user_agent"}
_SECRET_NAME = re.compile(
    r"auth|token|secret|passw|cookie|credential|session|signature|api-?_?key|(^|[-_])key($|[-_])",
    re.IGNORECASE,
)


def needs_secret(name: str) -> bool:
    """Whether a header of this name carries a credential, as far as the name tells."""
    return _SECRET_NAME.search(name) is not None


def header_value_problem(text: str) -> str | None:
    """What keeps the text from being a header's value, or None."""
    if re.fullmatch(VISIBLE_ASCII, text) and text == text.strip():
        return None
    return "a header's value is visible ASCII on one line, with no space at either end"


def _allowed(name: str) -> str:
    folded = name.lower()
    if folded in _HOP_BY_HOP or folded.startswith("sec-websocket-"):
        raise refuse("this header belongs to the WebSocket handshake: the monitor sets it")
    if folded in _OWN_KEYS:
        raise refuse(f"use the probe's key `{_OWN_KEYS[folded]}` for this header")
    return name


HeaderName: TypeAlias = Annotated[
    str,
    Matching(
        TOKEN,
        "a header's name has only letters, digits and - _ . and the like, then a colon and a space",
    ),
    AfterValidator(_allowed),
]
Headers: TypeAlias = dict[
    HeaderName, Annotated[Secret | Inline, PlainOrSecret(header_value_problem)]
]
