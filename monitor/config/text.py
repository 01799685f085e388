"""The messages of a heartbeat that the user writes: text or binary, with or without an id."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from monitor.config.section import Section
from monitor.config.values import kind_of, refuse

ID_PLACEHOLDER = "{id}"


@dataclass(frozen=True, slots=True)
class Payload:
    """A message's content: text for a text frame, `{hex: ...}` or `{base64: ...}` for binary."""

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(self._write),
        )

    @staticmethod
    def _read(value: object) -> str | bytes:
        if isinstance(value, dict):
            return _binary(value)
        if not isinstance(value, str):
            quotes = ": put it in quotes" if isinstance(value, bool | int | float) else ""
            raise refuse(
                f"expected text, {{hex: ...}} or {{base64: ...}}, found {kind_of(value)}{quotes}"
            )
        if not value:
            raise refuse("an empty message cannot be told from none: write some text")
        return value

    @staticmethod
    def _write(payload: str | bytes) -> str | dict[str, str]:
        return payload if isinstance(payload, str) else {"hex": payload.hex()}

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        binary = {
            "type": "object",
            "properties": {
                "hex": {
                    "type": "string",
                    "description": "The bytes of a binary frame in hexadecimal, like 0c.",
                    "pattern": "^([0-9A-Fa-f]{2})+$",
                },
                "base64": {
                    "type": "string",
                    "description": "The bytes of a binary frame in Base64, like DA==.",
                    "minLength": 4,
                },
            },
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        return {"anyOf": [{"type": "string", "minLength": 1}, binary]}


def _binary(value: dict[str, object]) -> bytes:
    if len(value) != 1 or next(iter(value)) not in {"hex", "base64"}:
        raise refuse("a binary message is written {hex: ...} or {base64: ...}: one of the two")
    (notation, digits), *_ = value.items()
    if not isinstance(digits, str):
        raise refuse(f"expected text, found {kind_of(digits)}: put it in quotes")
    try:
        if notation == "hex":
            data = bytes.fromhex(digits)
        else:
            data = base64.b64decode(digits, validate=True)
    except (ValueError, binascii.Error):
        raise refuse(f"this is not {notation}") from None
    if not data:
        raise refuse("an empty message cannot be told from none: write some bytes")
    return data


class Text(Section):
    """A heartbeat of your own (protocol text)."""

    send: Annotated[str | bytes, Payload()]
    """What is sent; {id} stands for a number that is new each time."""
    expect: Annotated[str | bytes, Payload()] = Field(default_factory=lambda made: made.get("send"))
    """The whole message that is the echo; by default the same as send."""

    @property
    def carries_id(self) -> bool:
        """Whether an echo tells which heartbeat it answers."""
        return placeholders(self.send) > 0


def placeholders(payload: str | bytes) -> int:
    """How often `{id}` stands in a message."""
    if isinstance(payload, bytes):
        return payload.count(ID_PLACEHOLDER.encode())
    return payload.count(ID_PLACEHOLDER)
