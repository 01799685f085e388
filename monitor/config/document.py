"""Reads YAML into plain values and remembers on which line each one stands.

The one home of PyYAML.  Of the library only the parser is used: its events become values here,
under YAML 1.2's rules for plain scalars, so that `on`, `yes`, `010` and `1:30` stay text.
This module must not know what the keys mean.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from monitor.config.problems import KeyPath

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

_MAX_DEPTH = 20
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is sixteen times as fast

# NEL, LS and PS count as line breaks in YAML 1.1 and nowhere else: they would shift the numbers.
_FORBIDDEN_CHARACTER = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")  # PyYAML lets an escape make one, libyaml does not
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}")

# What the parser says (libyaml and PyYAML word it differently), and what a reader can act on.
_SYNTAX_ERRORS = (
    (
        "mapping values are not allowed",
        'a ": " where none can stand: check the indentation here and on the line before, '
        "and quote a value that contains one",
    ),
    ("unexpected end of stream", "a quotation mark is opened here and never closed"),
    (
        "cannot start any token",
        "this character cannot start a value: indent with spaces, not tabs, "
        "and quote a value that starts with % @ or `",
    ),
    ("unknown escape character", 'unknown \\ escape: use single quotes, or write "\\\\"'),
)


EMPTY = "the config is empty"
"""What is said of a text without any value."""


class DocumentError(Exception):
    """The text cannot be read any further."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem in the text that did not stop the reading."""

    line: int
    path: KeyPath
    message: str


@dataclass(slots=True)
class Document:
    """What a text says, and where."""

    root: Value = None
    faults: list[Fault] = field(default_factory=list)
    unreadable: set[KeyPath] = field(default_factory=set)
    """Places whose value is unknown because of a fault: nothing more should be said about them."""
    key_lines: dict[KeyPath, int] = field(default_factory=dict)
    value_lines: dict[KeyPath, int] = field(default_factory=dict)

    def has(self, path: KeyPath) -> bool:
        """Whether the text has something at this very place."""
        return path in self.value_lines

    def line_of(self, path: KeyPath, *, of_key: bool = False) -> int:
        """Line of a scalar, or of the key or `-` that a mapping or list belongs to.

        For what is not there: the line of the nearest thing around it.
        """
        lines = self.key_lines if of_key else self.value_lines
        while path and path not in lines:
            path = path[:-1]
            lines = self.value_lines
        return lines.get(path, 1)


def _typed(event: yaml.ScalarEvent) -> Value:
    """Give a plain scalar its type by YAML 1.2's core schema, less its rarer spellings."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _as_text(event: yaml.ScalarEvent) -> Value:
    """Leave a scalar as it is written; only an empty one is nothing."""
    text: str = event.value
    return None if event.implicit[0] and text in _NULLS else text


Scalar: TypeAlias = Callable[[yaml.ScalarEvent], Value]


def read_document(text: str, scalar: Scalar = _typed) -> Document:
    """Read one YAML document; `scalar` makes values of its scalars.

    Raises:
        DocumentError: the text is empty, or is no YAML, or nests too deeply.
    """
    text = text.removeprefix("\ufeff")
    if found := _FORBIDDEN_CHARACTER.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise DocumentError(line, f"character U+{ord(found[0]):04X} is not allowed: remove it")
    try:
        return _Reader(text, scalar).read()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, last_line=len(text.splitlines())) from None
    except yaml.YAMLError:
        raise DocumentError(None, "not valid YAML") from None


def read_yaml_as_text(text: str) -> Value:
    """Read one YAML document in which every scalar is text, as strictly as a config.

    Raises:
        ValueError: it is none; with a sentence that repeats no value.
    """
    try:
        document = read_document(text, _as_text)
    except DocumentError as error:
        where = "" if error.line is None else f"line {error.line}: "
        message = "there is nothing in it" if error.message == EMPTY else error.message
        raise ValueError(f"{where}{message}") from None
    for fault in document.faults:
        raise ValueError(f"line {fault.line}: {fault.message}")
    return document.root


def _syntax_error(error: yaml.MarkedYAMLError, last_line: int) -> DocumentError:
    problem = error.problem or ""
    mark = error.problem_mark
    if "unexpected end of stream" in problem:
        mark = error.context_mark or mark
    line = None if mark is None else min(mark.line + 1, last_line)
    for said, sentence in _SYNTAX_ERRORS:
        if said in problem:
            return DocumentError(line, f"not valid YAML: {sentence}")
    return DocumentError(
        line, "not valid YAML: check the indentation, brackets and quotes here and just before"
    )


class _Reader:
    """One pass over the parser's events."""

    def __init__(self, text: str, scalar: Scalar) -> None:
        self._events = _events(text)
        self._scalar = scalar
        self._document = Document()

    def read(self) -> Document:
        event = next(self._events)
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise DocumentError(None, EMPTY)
        self._document.root = self._value(event, ())
        self._expect_the_end()
        return self._document

    def _expect_the_end(self) -> None:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                line = _line_of(event)
                raise DocumentError(line, "a second YAML document starts here: write only one")

    def _value(self, event: yaml.Event, path: KeyPath) -> Value:
        line = _line_of(event)
        if len(path) > _MAX_DEPTH:
            raise DocumentError(line, f"nested more than {_MAX_DEPTH} levels deep")
        is_collection = isinstance(event, yaml.CollectionStartEvent)
        key_line = self._document.key_lines.get(path, line)
        self._document.value_lines[path] = key_line if is_collection else line
        self._refuse_extras(event, path, line)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        return None

    def _refuse_extras(self, event: yaml.Event, path: KeyPath, line: int) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._fault(
                line,
                path,
                "anchors (&) and aliases (*) are not supported: put shared settings under "
                "`defaults`, or quote a value that starts with & or *",
            )
        elif getattr(event, "tag", None) is not None:
            self._fault(line, path, "tags (!) are not supported: quote a value that starts with !")
        elif _SURROGATE.search(getattr(event, "value", "")):
            self._fault(line, path, "an escape here is half a character: write \\U and 8 digits")

    def _list(self, path: KeyPath) -> list[Value]:
        items: list[Value] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path)
            if key is None:
                self._skip(next(self._events))
            elif key in entries:
                first = self._document.key_lines[*path, key]
                self._fault(
                    _line_of(event),
                    (*path, key),
                    f"this key is already set on line {first}",
                    readable=True,
                )
                self._skip(next(self._events))
            else:
                self._document.key_lines[*path, key] = _line_of(event)
                entries[key] = self._value(next(self._events), (*path, key))
        return entries

    def _key(self, event: yaml.Event, path: KeyPath) -> str | None:
        """The key's text, or None (with a fault) when it is nothing that can be a key."""
        line = _line_of(event)
        if not isinstance(event, yaml.ScalarEvent):
            self._skip(event)
            self._fault(line, path, "a key must be plain text", readable=True)
            return None
        if event.value == "<<" and event.implicit[0]:
            self._fault(
                line,
                path,
                "merge keys (<<) are not supported: put shared settings under `defaults`",
                readable=True,
            )
            return None
        if event.value == "":
            self._fault(line, path, 'a key is missing before ":"', readable=True)
            return None
        self._refuse_extras(event, (*path, event.value), line)
        return str(event.value)

    def _skip(self, event: yaml.Event) -> None:
        """Pass over one value, however deep."""
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            event = next(self._events)

    def _fault(self, line: int, path: KeyPath, message: str, *, readable: bool = False) -> None:
        self._document.faults.append(Fault(line, path, message))
        if not readable:
            self._document.unreadable.add(path)


def _events(text: str) -> Iterator[yaml.Event]:
    parser = _PARSER(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
