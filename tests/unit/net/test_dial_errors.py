"""Every error of every phase becomes one reason of a closed set, and its text stays ours."""

import errno
import os
import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import (
    HeaderLineTooLong,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidStatus,
    InvalidUpgrade,
    NegotiationError,
    StatusLineTooLong,
    TooManyHeaders,
)
from websockets.http11 import Response

from monitor.core.failures import FailureReason, Phase
from monitor.net.dial import DialPlan
from monitor.net.dial_errors import NETWORK_ERRORS, DialError, classify, timed_out
from monitor.net.ticket import TicketRefusedError

SECRET = "wss://h.example/hidden-path?key=hidden-key"

DIALLED = [phase for phase in Phase if phase is not Phase.PROXY]
"""The phases that an attempt can go through today."""


def unverified(code: int, message: str) -> ssl.SSLCertVerificationError:
    """A refused certificate, as OpenSSL tells of it."""
    error = ssl.SSLCertVerificationError(1, f"verify failed: {SECRET}")
    error.verify_code = code
    error.verify_message = message
    return error


def tls_error(reason: str | None) -> ssl.SSLError:
    """A handshake that failed, as OpenSSL tells of it."""
    error = ssl.SSLError(1, f"[SSL] {SECRET}")
    if reason is not None:
        error.reason = reason
    return error


def answered(status: int, *retry_after: str) -> InvalidStatus:
    """An answer that is no upgrade, with the peer's words wherever it can put them."""
    headers = Headers([("Location", SECRET), ("Retry-After-Not", "9")])
    for value in retry_after:
        headers["Retry-After"] = value
    return InvalidStatus(Response(status, SECRET, headers, SECRET.encode()))


def caused(error: Exception, cause: Exception) -> Exception:
    """An error with its cause."""
    error.__cause__ = cause
    return error


R, P = FailureReason, Phase

CASES = {
    "ticket refused": (P.TICKET, TicketRefusedError("HTTP 401"), R.TICKET, "HTTP 401"),
    "ticket, stream": (P.TICKET, ConnectionResetError(SECRET), R.TICKET, "ConnectionResetError"),
    "dns, no such name": (
        P.DNS,
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        R.DNS,
        "the name cannot be resolved (name or service not known)",
    ),
    "dns, no text": (
        P.DNS,
        socket.gaierror(socket.EAI_AGAIN),
        R.DNS,
        "the name cannot be resolved (gaierror)",
    ),
    "dns, no name at all": (
        P.DNS,
        UnicodeError(f"label too long {SECRET}"),
        R.DNS,
        "the name cannot be resolved",
    ),
    "tcp refused": (
        P.TCP,
        ConnectionRefusedError(errno.ECONNREFUSED, SECRET),
        R.TCP_REFUSED,
        "connection refused",
    ),
    "tcp reset": (
        P.TCP,
        ConnectionResetError(errno.ECONNRESET, SECRET),
        R.TCP_RESET,
        "connection reset by peer",
    ),
    "tcp aborted": (
        P.TCP,
        OSError(errno.ECONNABORTED, SECRET),
        R.TCP_RESET,
        "software caused connection abort",
    ),
    "tcp pipe": (P.TCP, BrokenPipeError(errno.EPIPE, SECRET), R.TCP_RESET, "broken pipe"),
    "tcp given up by the kernel": (
        P.TCP,
        OSError(errno.ETIMEDOUT, SECRET),
        R.TCP_TIMEOUT,
        "connection timed out",
    ),
    "tcp, host away": (
        P.TCP,
        OSError(errno.EHOSTUNREACH, SECRET),
        R.TCP_TIMEOUT,
        "no route to host",
    ),
    "tcp, no route": (
        P.TCP,
        OSError(errno.ENETUNREACH, SECRET),
        R.LOCAL,
        "network is unreachable",
    ),
    "tcp, descriptors": (P.TCP, OSError(errno.EMFILE, SECRET), R.LOCAL, "too many open files"),
    "tcp, no number": (P.TCP, OSError(SECRET), R.LOCAL, "OSError"),
    "tls expired": (
        P.TLS,
        unverified(10, "certificate has expired"),
        R.TLS_EXPIRED,
        "certificate has expired",
    ),
    "tls self-signed": (
        P.TLS,
        unverified(18, "self-signed certificate"),
        R.TLS_VERIFY,
        "self-signed certificate",
    ),
    "tls, no TLS there": (
        P.TLS,
        tls_error("WRONG_VERSION_NUMBER"),
        R.TLS_OTHER,
        "TLS handshake failed (WRONG_VERSION_NUMBER)",
    ),
    "tls, no reason": (
        P.TLS,
        tls_error(None),
        R.TLS_OTHER,
        "TLS handshake failed (no reason given)",
    ),
    "tls, reset": (
        P.TLS,
        ConnectionResetError(errno.ECONNRESET, SECRET),
        R.TLS_OTHER,
        "the stream ended in the handshake (ConnectionResetError)",
    ),
    "tls, no such name": (
        P.TLS,
        UnicodeError(SECRET),
        R.LOCAL,
        "the server name is no host's name",
    ),
    "upgrade, status": (
        P.UPGRADE,
        answered(401),
        R.HTTP_STATUS,
        "the upgrade was answered HTTP 401",
    ),
    "upgrade, no switch": (
        P.UPGRADE,
        answered(200),
        R.HTTP_STATUS,
        "the upgrade was answered HTTP 200",
    ),
    "upgrade, elsewhere": (
        P.UPGRADE,
        answered(302),
        R.REDIRECT,
        "the upgrade was answered HTTP 302",
    ),
    "upgrade, elsewhere for good": (
        P.UPGRADE,
        answered(308),
        R.REDIRECT,
        "the upgrade was answered HTTP 308",
    ),
    "upgrade, accept": (
        P.UPGRADE,
        InvalidHeaderValue("Sec-WebSocket-Accept", SECRET),
        R.BAD_UPGRADE,
        "the answer is no valid upgrade (InvalidHeaderValue)",
    ),
    "upgrade, header": (
        P.UPGRADE,
        InvalidUpgrade("Upgrade", SECRET),
        R.BAD_UPGRADE,
        "the answer is no valid upgrade (InvalidUpgrade)",
    ),
    "upgrade, no HTTP": (
        P.UPGRADE,
        caused(InvalidMessage(SECRET), ValueError(SECRET)),
        R.BAD_UPGRADE,
        "the answer is no valid upgrade (InvalidMessage)",
    ),
    "upgrade, end": (
        P.UPGRADE,
        caused(InvalidMessage(SECRET), EOFError(SECRET)),
        R.BAD_UPGRADE,
        "the stream ended before the upgrade was answered (EOFError)",
    ),
    "upgrade, reset": (
        P.UPGRADE,
        ConnectionResetError(errno.ECONNRESET, SECRET),
        R.BAD_UPGRADE,
        "the stream ended before the upgrade was answered (ConnectionResetError)",
    ),
    "upgrade, subprotocol": (
        P.UPGRADE,
        NegotiationError(f"unsupported subprotocol: {SECRET}"),
        R.SUBPROTOCOL,
        "the server chose a subprotocol not offered",
    ),
    "upgrade, unasked subprotocol": (
        P.UPGRADE,
        NegotiationError("no subprotocols supported"),
        R.SUBPROTOCOL,
        "the server chose a subprotocol not offered",
    ),
    "upgrade, extension": (
        P.UPGRADE,
        NegotiationError(f"Unsupported extension: name = {SECRET}"),
        R.BAD_UPGRADE,
        "the answer is no valid upgrade (NegotiationError)",
    ),
    "upgrade, long line": (
        P.UPGRADE,
        StatusLineTooLong(SECRET),
        R.LIMIT,
        "the answer to the upgrade is too large",
    ),
    "upgrade, long header": (
        P.UPGRADE,
        caused(InvalidMessage(SECRET), HeaderLineTooLong(SECRET)),
        R.LIMIT,
        "the answer to the upgrade is too large",
    ),
    "upgrade, many headers": (
        P.UPGRADE,
        caused(InvalidMessage(SECRET), TooManyHeaders(SECRET)),
        R.LIMIT,
        "the answer to the upgrade is too large",
    ),
    "ready": (
        P.READY,
        ConnectionResetError(SECRET),
        R.NOT_READY,
        "ConnectionResetError",
    ),
}


@pytest.mark.parametrize(("phase", "error", "reason", "detail"), CASES.values(), ids=CASES.keys())
def test_each_error_has_its_reason_and_its_sentence(
    phase: Phase, error: Exception, reason: FailureReason, detail: str
) -> None:
    """The phase stays the one in which it happened."""
    found = classify(phase, error)
    assert (found.phase, found.reason, found.detail) == (phase, reason, detail)
    assert str(found) == detail


@pytest.mark.parametrize(("phase", "error", "reason", "detail"), CASES.values(), ids=CASES.keys())
def test_no_text_repeats_what_a_peer_or_an_exception_said(
    phase: Phase, error: Exception, reason: FailureReason, detail: str
) -> None:
    """Both may hold a URL with a key in it."""
    del reason, detail
    found = classify(phase, error)
    assert "hidden" not in repr(found)
    assert "hidden" not in found.detail


@pytest.mark.parametrize("phase", DIALLED)
@pytest.mark.parametrize("kind", NETWORK_ERRORS)
def test_each_phase_takes_every_kind_of_network_error(phase: Phase, kind: type[Exception]) -> None:
    """None of them ends in a crash, and none becomes the reason of another phase."""
    own = {
        Phase.TICKET: {R.TICKET},
        Phase.DNS: {R.DNS},
        Phase.TCP: {R.TCP_REFUSED, R.TCP_RESET, R.TCP_TIMEOUT, R.LOCAL},
        Phase.TLS: {R.TLS_EXPIRED, R.TLS_VERIFY, R.TLS_OTHER, R.LOCAL},
        Phase.UPGRADE: {R.BAD_UPGRADE, R.HTTP_STATUS, R.REDIRECT, R.SUBPROTOCOL, R.LIMIT},
        Phase.READY: {R.NOT_READY},
    }
    assert classify(phase, kind("words")).reason in own[phase]


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (Phase.TICKET, R.TICKET),
        (Phase.DNS, R.DNS),
        (Phase.TCP, R.TCP_TIMEOUT),
        (Phase.TLS, R.TLS_OTHER),
        (Phase.UPGRADE, R.BAD_UPGRADE),
        (Phase.READY, R.NOT_READY),
    ],
)
def test_a_phase_that_takes_too_long_says_how_long_it_was_given(
    phase: Phase, reason: FailureReason
) -> None:
    """The deadline comes from the config and is nobody's secret."""
    error = timed_out(phase, 2.5)
    assert (error.phase, error.reason, error.detail) == (phase, reason, "no answer within 2.5 s")


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ((), 0.0),
        (("7",), 7.0),
        (("7", "9"), 7.0),
        (("Wed, 21 Oct 2026 07:28:00 GMT",), 0.0),
        (("-1",), 0.0),
    ],
)
def test_what_the_peer_asks_for_is_kept(values: tuple[str, ...], seconds: float) -> None:
    """A 429 or 503 with `Retry-After`; the first one, should there be several."""
    assert classify(Phase.UPGRADE, answered(503, *values)).retry_after == seconds


def test_a_ticket_endpoint_s_wish_is_kept() -> None:
    """The budget for tickets waits for it."""
    assert classify(Phase.TICKET, TicketRefusedError("HTTP 429", 60.0)).retry_after == 60.0


def test_an_error_starts_with_nothing_but_its_own_facts() -> None:
    """What was done before, and the certificate, are added by who knows them."""
    error = DialError(R.DNS, Phase.DNS, "x")
    assert error.retry_after == 0
    assert error.close_code == 0
    assert error.certificate_not_after is None
    assert error.phases == {}


def test_the_system_s_words_are_those_for_the_number() -> None:
    """Whatever text the exception came with."""
    assert classify(Phase.TCP, OSError(errno.ENETDOWN, SECRET)).detail == (
        os.strerror(errno.ENETDOWN).lower()
    )


def test_a_dial_plan_does_not_show_its_secrets() -> None:
    """A plan holds every secret of a probe, read."""
    plan = DialPlan(
        host="h.example",
        port=443,
        secure=True,
        resource="/hidden-path?key=hidden-key",
        timeouts={},
        close_timeout=1.0,
        headers=[("Authorization", "hidden-header")],
    )
    assert "hidden" not in f"{plan} {plan!r}"
