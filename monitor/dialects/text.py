"""The `text` protocol: send one given payload, expect another (or the same).

Either may be text or binary. With `{id}` in both, each heartbeat has its own number and its echo
is matched exactly; without, echoes are told apart by order and count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.dialects.dialect import NUMBER, Echo, Frame, Meaning

PLACEHOLDER = b"{id}"


@dataclass(frozen=True, slots=True)
class Template:
    """A payload, with or without `{id}`, as it goes into a text or a binary frame."""

    data: bytes
    text: bool = True

    @property
    def numbered(self) -> bool:
        """Whether the payload carries an id."""
        return PLACEHOLDER in self.data

    def fill(self, key: int) -> Frame:
        """The frame for one heartbeat."""
        return Frame(self.data.replace(PLACEHOLDER, b"%d" % key), self.text)


class Text:
    """One connection that sends `send` and expects `expect`.

    Raises:
        ValueError: `{id}` is in one of the two templates only.
    """

    usable_at_once = True

    def __init__(self, send: Template, expect: Template) -> None:
        if send.numbered != expect.numbered:
            raise ValueError("{id} must be in both send and expect, or in neither")
        self.numbered = send.numbered
        self._send = send
        self._expect = expect
        literals = [re.escape(literal) for literal in expect.data.split(PLACEHOLDER)]
        self._answer = re.compile(
            NUMBER.join(literals[:2]) + b"".join(b"(?P=id)" + literal for literal in literals[2:])
        )

    def opening(self) -> Sequence[Frame]:
        """Nothing."""
        return ()

    def heartbeat(self, key: int) -> Frame:
        """The payload of one heartbeat."""
        return self._send.fill(key)

    def read(self, data: bytes, *, text: bool) -> Meaning:
        """Recognise the expected answer, to the byte; ignore everything else."""
        match = self._answer.fullmatch(data) if text == self._expect.text else None
        if match is None:
            return None
        return Echo(int(match["id"]) if self.numbered else None)

    def closed(self, code: int) -> str:  # noqa: ARG002 - no code is special
        """No close code is special."""
        return ""
