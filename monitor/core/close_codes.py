"""Close codes as label values: a bounded set, since the peer chooses the code (RFC 6455, 7.4)."""

from __future__ import annotations

from collections.abc import Collection

REGISTERED = frozenset(range(1000, 1016)) | {3000, 3003, 3008}
"""1000-1015 and what IANA has registered above: unauthorized, forbidden, timeout."""


def close_code_label(code: int, listed: Collection[int] = ()) -> str:
    """Return the label value for a close code; `listed` are the codes that the config names."""
    if code in REGISTERED or code in listed:
        return str(code)
    return {3: "3xxx", 4: "4xxx"}.get(code // 1000, "other")
