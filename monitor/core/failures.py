"""The closed sets of connect phases and of reasons why a connect fails.

Each reason implies its phase, so a counter needs only the reason as a label.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """One step of a connect, in the order in which they happen."""

    TICKET = "ticket"
    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    UPGRADE = "upgrade"
    READY = "ready"


class FailureReason(StrEnum):
    """Why a connect attempt failed."""

    TICKET = "ticket"
    DNS = "dns"
    TCP_REFUSED = "tcp_refused"
    TCP_TIMEOUT = "tcp_timeout"
    TCP_RESET = "tcp_reset"
    PROXY = "proxy"
    TLS_VERIFY = "tls_verify"
    TLS_EXPIRED = "tls_expired"
    TLS_OTHER = "tls_other"
    HTTP_STATUS = "http_status"
    REDIRECT = "redirect"
    BAD_UPGRADE = "bad_upgrade"
    SUBPROTOCOL = "subprotocol"
    NOT_READY = "not_ready"
    LIMIT = "limit"
    LOCAL = "local"
