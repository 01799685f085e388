"""Values that a config only points at: an environment variable or a file.

A secret is read when it is needed and never kept, so that a rotated one is picked up at the
next connect.  Nothing here shows a secret's content, in a `repr`, a dump or an error.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from monitor.config.values import kind_of, refuse, resolve_path

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_BYTES = 64 * 1024
_HOW_TO = "{env: NAME} or {file: PATH}"
_JSON_SCHEMA: JsonSchemaValue = {
    "type": "object",
    "properties": {
        "env": {
            "type": "string",
            "description": "Name of the environment variable that holds the secret.",
            "pattern": f"^{_ENV_NAME.pattern}$",
        },
        "file": {
            "type": "string",
            "description": "Path of the file that holds the secret, from the config's directory.",
            "minLength": 1,
        },
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}


class SecretUnavailable(Exception):  # noqa: N818 - it reads better without "Error"
    """A secret cannot be read now; the message names the variable or file, never the content."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is to be found: exactly one of `env` and `file` is set."""

    env: str | None = None
    file: Path | None = None

    def read(self) -> str:
        """The content as it is now, less one line end.

        Raises:
            SecretUnavailable: not set, not readable, empty, not UTF-8 or over 64 KiB.
        """
        content = self._content()
        if content.endswith("\n"):
            content = content[:-1].removesuffix("\r")
        if not content:
            raise SecretUnavailable(f"{self._name()} is empty")
        return content

    def _content(self) -> str:
        if self.file is not None:
            return self._file_content(self.file)
        content = os.environ.get(self.env or "")
        if content is None:
            raise SecretUnavailable(f"{self._name()} is not set")
        return content

    def _file_content(self, path: Path) -> str:
        try:
            with path.open("rb") as stream:
                raw = stream.read(_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a usable path"
            raise SecretUnavailable(f"{self._name()} cannot be read: {reason}") from None
        if len(raw) > _MAX_BYTES:
            raise SecretUnavailable(f"{self._name()} is larger than 64 KiB")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            pass  # raised below, away from an exception that carries the content
        raise SecretUnavailable(f"{self._name()} is not UTF-8 text")

    def _name(self) -> str:
        return f"environment variable {self.env}" if self.file is None else f"file {self.file}"

    def __str__(self) -> str:
        return f"<env {self.env}>" if self.file is None else f"<file {self.file}>"

    __repr__ = __str__

    @classmethod
    def _validate(cls, value: object, info: core_schema.ValidationInfo) -> "Secret":
        if not isinstance(value, dict):
            raise refuse(f"a secret is never written into the config: write {_HOW_TO}")
        if len(value) != 1 or next(iter(value)) not in {"env", "file"}:
            raise refuse(f"write {_HOW_TO}: one of the two, with a space after the colon")
        if "file" in value:
            return cls(file=resolve_path(value["file"], info))
        name = value["env"]
        if not isinstance(name, str) or not _ENV_NAME.fullmatch(name):
            raise refuse("env takes the name of an environment variable: letters, digits and _")
        return cls(env=name)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(_JSON_SCHEMA)


@dataclass(frozen=True, slots=True, repr=False)
class Inline:
    """Text that stands in the config itself, kept out of logs and pages all the same."""

    _text: str

    def read(self) -> str:
        """The text."""
        return self._text

    def __str__(self) -> str:
        return "<hidden>"

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class PlainOrSecret:
    """For a field that takes text or a secret; `problem_with` checks the text."""

    problem_with: Callable[[str], str | None]

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._read, serialization=core_schema.to_string_ser_schema()
        )

    def _read(self, value: object, info: core_schema.ValidationInfo) -> Secret | Inline:
        if isinstance(value, dict):
            return Secret._validate(value, info)  # noqa: SLF001 - the other half of this module
        if not isinstance(value, str):
            quotes = ": put it in quotes" if isinstance(value, bool | int | float) else ""
            raise refuse(f"expected text, or {_HOW_TO}, found {kind_of(value)}{quotes}")
        if problem := self.problem_with(value):
            raise refuse(problem)
        return Inline(value)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, dict(_JSON_SCHEMA)]}
