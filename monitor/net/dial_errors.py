"""Why a connect failed: every exception of every phase, mapped once to a small closed set.

The texts are ours. An exception's own text may hold a URL, a header or the peer's words, so it
goes nowhere.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Mapping

from websockets.exceptions import (
    InvalidHandshake,
    InvalidStatus,
    NegotiationError,
    SecurityError,
    WebSocketException,
)

from monitor.core.failures import FailureReason, Phase
from monitor.net.permission import AddressDeniedError
from monitor.net.ticket import TicketRefusedError, parse_retry_after

CERTIFICATE_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED

NETWORK_ERRORS = (OSError, EOFError, UnicodeError, WebSocketException, TicketRefusedError)
"""What a network step may raise. Anything else is a bug of ours and is not hidden."""

REASON_OF_TIMEOUT = {
    Phase.TICKET: FailureReason.TICKET,
    Phase.DNS: FailureReason.DNS,
    Phase.TCP: FailureReason.TCP_TIMEOUT,
    Phase.TLS: FailureReason.TLS_OTHER,
    Phase.UPGRADE: FailureReason.BAD_UPGRADE,
    Phase.READY: FailureReason.NOT_READY,
}

REASON_OF_TCP_ERROR = {
    errno.ECONNREFUSED: FailureReason.TCP_REFUSED,
    errno.ECONNRESET: FailureReason.TCP_RESET,
    errno.ECONNABORTED: FailureReason.TCP_RESET,
    errno.EPIPE: FailureReason.TCP_RESET,
    errno.ETIMEDOUT: FailureReason.TCP_TIMEOUT,
    errno.EHOSTUNREACH: FailureReason.TCP_TIMEOUT,
}


class DialError(Exception):
    """One failed connect attempt; its text is fit for a log, a page and a label's neighbour.

    Attributes:
        retry_after: seconds that the peer asked for, 0 if it did not.
        certificate_not_after: when the certificate ends that was not accepted, in Unix seconds.
        phases: seconds of each phase that was completed.
        close_code: how the peer closed, where it did so before the connection was usable.
    """

    def __init__(
        self,
        reason: FailureReason,
        phase: Phase,
        detail: str,
        *,
        retry_after: float = 0.0,
        close_code: int = 0,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.phase = phase
        self.detail = detail
        self.retry_after = retry_after
        self.close_code = close_code
        self.certificate_not_after: float | None = None
        self.phases: Mapping[Phase, float] = {}


def timed_out(phase: Phase, seconds: float) -> DialError:
    """A phase did not end within its deadline."""
    return DialError(REASON_OF_TIMEOUT[phase], phase, f"no answer within {seconds:g} s")


def classify(phase: Phase, error: Exception) -> DialError:
    """Map an exception of one phase."""
    return _CLASSIFIERS[phase](error)


def _ticket(error: Exception) -> DialError:
    if isinstance(error, AddressDeniedError):
        return DialError(FailureReason.LOCAL, Phase.TICKET, error.detail)
    if isinstance(error, TicketRefusedError):
        return DialError(
            FailureReason.TICKET, Phase.TICKET, str(error), retry_after=error.retry_after
        )
    return DialError(FailureReason.TICKET, Phase.TICKET, _name(error))


def _dns(error: Exception) -> DialError:
    detail = "the name cannot be resolved"
    if isinstance(error, socket.gaierror):
        detail += f" ({(error.strerror or _name(error)).lower()})"
    return DialError(FailureReason.DNS, Phase.DNS, detail)


def _tcp(error: Exception) -> DialError:
    if isinstance(error, AddressDeniedError):
        return DialError(FailureReason.LOCAL, Phase.TCP, error.detail)
    number = error.errno if isinstance(error, OSError) else None
    reason = REASON_OF_TCP_ERROR.get(number or 0, FailureReason.LOCAL)
    detail = os.strerror(number).lower() if number else _name(error)
    return DialError(reason, Phase.TCP, detail)


def _tls(error: Exception) -> DialError:
    if isinstance(error, ssl.SSLCertVerificationError):
        expired = error.verify_code == CERTIFICATE_EXPIRED
        reason = FailureReason.TLS_EXPIRED if expired else FailureReason.TLS_VERIFY
        return DialError(reason, Phase.TLS, error.verify_message)
    if isinstance(error, ssl.SSLError):
        # Only those that OpenSSL itself raised have one.
        known = getattr(error, "reason", None) or "no reason given"
        detail = f"TLS handshake failed ({known})"
        return DialError(FailureReason.TLS_OTHER, Phase.TLS, detail)
    if isinstance(error, UnicodeError):
        return DialError(FailureReason.LOCAL, Phase.TLS, "the server name is no host's name")
    return DialError(
        FailureReason.TLS_OTHER, Phase.TLS, f"the stream ended in the handshake ({_name(error)})"
    )


def _upgrade(error: Exception) -> DialError:
    if isinstance(error, InvalidStatus):
        return _status(error)
    # The library wraps what went wrong while it read the answer.
    cause = error.__cause__ or error
    if isinstance(error, NegotiationError) and "subprotocol" in str(error):
        reason, detail = FailureReason.SUBPROTOCOL, "the server chose a subprotocol not offered"
    elif isinstance(cause, SecurityError):
        reason, detail = FailureReason.LIMIT, "the answer to the upgrade is too large"
    elif isinstance(error, InvalidHandshake) and not isinstance(cause, EOFError):
        reason = FailureReason.BAD_UPGRADE
        detail = f"the answer is no valid upgrade ({_name(error)})"
    else:
        reason = FailureReason.BAD_UPGRADE
        detail = f"the stream ended before the upgrade was answered ({_name(cause)})"
    return DialError(reason, Phase.UPGRADE, detail)


def _status(error: InvalidStatus) -> DialError:
    status = error.response.status_code
    values = error.response.headers.get_all("Retry-After")
    return DialError(
        FailureReason.REDIRECT if 300 <= status < 400 else FailureReason.HTTP_STATUS,
        Phase.UPGRADE,
        f"the upgrade was answered HTTP {status}",
        retry_after=parse_retry_after(values[0] if values else None),
    )


def _ready(error: Exception) -> DialError:
    return DialError(FailureReason.NOT_READY, Phase.READY, _name(error))


def _name(error: BaseException) -> str:
    return type(error).__name__


_CLASSIFIERS: dict[Phase, Callable[[Exception], DialError]] = {
    Phase.TICKET: _ticket,
    Phase.DNS: _dns,
    Phase.TCP: _tcp,
    Phase.TLS: _tls,
    Phase.UPGRADE: _upgrade,
    Phase.READY: _ready,
}
