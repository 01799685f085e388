"""How a JSON body becomes faults and the parameters of an action. Pure.

Every mistake is one line that names the key and says what would fit.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any

from monitor.target.faults import CloseFrame, Faults, Rejection

_Parser = Callable[[object], object]


class FaultError(ValueError):
    """A fault or an action's parameter is unknown or has a bad value; the text says which."""


def parse_faults(values: Mapping[str, object]) -> Faults:
    """Return the faults that `values` names; those it does not name are off, and so is null.

    Raises:
        FaultError: a name is unknown or a value does not fit.
    """
    return Faults(**_parse(values, _FAULTS, "fault"))


def parse_close_frame(values: Mapping[str, object]) -> CloseFrame:
    """Return a close frame from an object with `code` and, optionally, `reason`.

    Raises:
        FaultError: `code` is missing, a key is unknown or a value does not fit.
    """
    return _close_frame(values)


def parse_text(values: Mapping[str, object]) -> str:
    """Return the one value of `{"text": …}`.

    Raises:
        FaultError: it is missing, no text, or not alone.
    """
    fields = _parse(values, {"text": _text}, "key")
    if "text" not in fields:
        raise FaultError("needs a text")
    return str(fields["text"])


def _parse(
    values: Mapping[str, object], parsers: Mapping[str, _Parser], what: str
) -> dict[str, Any]:
    """Return the parsed `values`, without those that are null."""
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name not in parsers:
            raise FaultError(_unknown(name, parsers, what))
        if value is None:
            continue
        try:
            fields[name] = parsers[name](value)
        except FaultError as problem:
            raise FaultError(f"{name}: {problem}") from None
    return fields


def _unknown(name: str, known: Mapping[str, object], what: str) -> str:
    text = f"unknown {what} {json.dumps(name)}"
    for guess in difflib.get_close_matches(name, known, n=1):
        return f"{text}, did you mean {json.dumps(guess)}?"
    return f"{text}; known: {', '.join(known)}"


def _bad(value: object, expected: str) -> FaultError:
    shown = json.dumps(value)
    return FaultError(f"must be {expected}, not {shown if len(shown) <= 40 else 'this value'}")


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise _bad(value, "true or false")
    return value


def _whole(least: int, most: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise _bad(value, f"a whole number from {least} to {most}")
        return value

    return parse


def _number(most: float, unit: str) -> Callable[[object], float]:
    def parse(value: object) -> float:
        # NaN, which json.loads lets in, is in no range.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise _bad(value, f"a number of {unit} from 0 to {most:g}")
        return float(value)

    return parse


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _bad(value, "a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _bad(value, "a text that UTF-8 can carry") from None
    return value


def _header_value(value: object) -> str:
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        raise _bad(value, "a line of printable ASCII")
    return value


def _close_code(value: object) -> int:
    code = _whole(1000, 4999)(value)
    # RFC 6455, section 7.4: these may be sent in a close frame.
    if code in {1000, 1001, 1002, 1003, *range(1007, 1015)} or code >= 3000:
        return code
    raise _bad(value, "a close code that may be sent: 1000-1003, 1007-1014, 3000-4999")


def _reason(value: object) -> str:
    reason = _text(value)
    if len(reason.encode()) > 123:
        raise _bad(value, "a text of at most 123 bytes")
    return reason


def _close_frame(value: object) -> CloseFrame:
    """Read a bare code, or an object with `code` and `reason`."""
    if not isinstance(value, Mapping):
        return CloseFrame(_close_code(value))
    fields = _parse(value, {"code": _close_code, "reason": _reason}, "key")
    if "code" not in fields:
        raise FaultError("needs a code")
    return CloseFrame(**fields)


def _rejection(value: object) -> Rejection:
    """Read a bare status, or an object with `status` and `retry_after`."""
    if not isinstance(value, Mapping):
        return Rejection(_status(value))
    fields = _parse(value, {"status": _status, "retry_after": _retry_after}, "key")
    if "status" not in fields:
        raise FaultError("needs a status")
    return Rejection(**fields)


_status = _whole(200, 599)


def _retry_after(value: object) -> int | str:
    return _header_value(value) if isinstance(value, str) else _whole(0, 10**9)(value)


_seconds = _number(3600, "seconds")

_FAULTS: Mapping[str, _Parser] = {
    "silent": _switch,
    "delay": _seconds,
    "swallow_every": _whole(0, 10**9),
    "duplicate": _whole(0, 100),
    "corrupt": _switch,
    "freeze": _switch,
    "stall_messages": _switch,
    "database_down": _switch,
    "database_stalled": _switch,
    "never_connected": _switch,
    "accept_then_close": _close_frame,
    "refuse": _switch,
    "reject_upgrade": _rejection,
    "redirect": _header_value,
    "no_heartbeat_support": _switch,
    "rate_points": _whole(0, 10**9),
    "noise": _number(1000, "messages per second"),
    "connect_delay": _seconds,
    "ticket_status": _rejection,
    "mute_pongs": _switch,
}
