"""Whether a request was made by a page of another site, in the browser of somebody who is let in.

Such a page cannot read the answer, but the request is carried out. Programs that are no browsers
send none of these headers, and are none of the danger.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

_OWN = ("same-origin", "none")


def comes_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Tell by the headers of a request whether a page of another origin made it.

    Args:
        headers: of the request; names are looked up as they are written here.
    """
    # Fetch Metadata Request Headers, section 2.3.
    if headers.get("Sec-Fetch-Site", "none").lower() not in _OWN:
        return True
    origin = headers.get("Origin")
    if origin is None:
        return False
    return _authority(origin) != headers.get("Host", "").lower()


def names_this_machine(host: str) -> bool:
    """Tell whether a header `Host` names loopback by itself, with any port.

    A name of somebody's own can be made to point at 127.0.0.1, and his page is then of the same
    origin as whatever listens there.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name)


def is_loopback(name: str) -> bool:
    """Tell whether a host's name or address is loopback's by itself."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
