"""What the monitor does with URLs: check them, extend them, and show no more than the endpoint.

A URL is a secret: its path and query hold keys.  No text made here repeats one.
"""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

_DEFAULT_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}
_HTTP_TWINS = {"ws": "http", "wss": "https"}
_BAD_HOST = "this URL's host or port is malformed"
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")


def socket_url_problem(text: str) -> str | None:
    """What keeps the text from being the URL of a WebSocket, or None."""
    return _problem(text, ("ws", "wss"))


def http_url_problem(text: str) -> str | None:
    """What keeps the text from being the URL of an HTTP request, or None."""
    return _problem(text, ("http", "https"))


def endpoint_of(url: str) -> str:
    """The part of a URL that may be shown: `scheme://host:port`, the port always written out.

    Raises:
        ValueError: it is no absolute ws, wss, http or https URL; the URL is not repeated.
    """
    if problem := _problem(url, tuple(_DEFAULT_PORTS)):
        raise ValueError(problem)
    return _endpoint(urlsplit(url))


def scheme_of(url: str) -> str:
    """The scheme in lower case."""
    return urlsplit(url).scheme


def query_keys(url: str) -> frozenset[str]:
    """The names of the parameters in a URL's query."""
    return frozenset(key for key, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Append parameters to a URL's query, percent-encoded; what stands there is left as it is."""
    if not parameters:
        return url
    parts = urlsplit(url)
    added = urlencode(parameters, quote_via=quote, safe="")
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit(parts._replace(query=query))


def http_twin(url: str, path: str) -> str:
    """A path on the same host and port, over http for ws and https for wss."""
    parts = urlsplit(url)
    return urlunsplit((_HTTP_TWINS[parts.scheme], parts.netloc, path, "", ""))


def _endpoint(parts: SplitResult) -> str:
    host = parts.hostname or ""
    port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _problem(text: str, schemes: tuple[str, ...]) -> str | None:
    if not re.fullmatch(r"[!-~]+", text) or "\\" in text:
        return "a URL has no spaces, backslashes or letters beyond ASCII: percent-encode them"
    try:
        parts = urlsplit(text)
    except ValueError:
        return _BAD_HOST
    if parts.scheme not in schemes:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        return f"the URL must start with {wanted}"
    if "@" in parts.netloc:
        return "no user or password in a URL: use headers, with the value from env or file"
    if "#" in text:
        return "a URL for a connection has no #fragment (percent-encode a # as %23)"
    return None if _has_host(parts) else _BAD_HOST


def _has_host(parts: SplitResult) -> bool:
    try:
        port_is_usable = parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:
        return False
    host = parts.hostname or ""
    return port_is_usable and _is_host(host) and ("[" in parts.netloc) == (":" in host)


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST_NAME.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
