"""As much of JSON Schema 2020-12 as the config's schema uses; a word it does not know fails."""

import re
from collections.abc import Callable, Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES = {"title", "description", "default", "$defs", "$schema"}


def violations(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """Say which words of a schema a value violates."""
    for word, wanted in schema.items():
        if word not in _NOTES and not _holds(word, wanted, value, schema, root):
            yield word
    for part, below in _parts(value, schema):
        yield from violations(part, below, root)


def resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """A schema's definition, if it is a reference."""
    return root["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _parts(value: Any, schema: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    if isinstance(value, list) and "items" in schema:
        yield from ((item, schema["items"]) for item in value)
    if not isinstance(value, dict):
        return
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
    for key, inner in value.items():
        if key in properties:
            yield inner, properties[key]
        elif isinstance(rest, dict):
            yield inner, rest


def _holds(
    word: str, wanted: Any, value: Any, schema: dict[str, Any], root: dict[str, Any]
) -> bool:
    size = len(value) if isinstance(value, str | list | dict) else 0
    number = value if isinstance(value, int | float) else 0
    checks: dict[str, Callable[[], bool]] = {
        "$ref": lambda: not list(violations(value, resolved(schema, root), root)),
        "type": lambda: (
            isinstance(value, _TYPES[wanted])
            and (wanted == "boolean" or not isinstance(value, bool))
        ),
        "enum": lambda: value in wanted,
        "const": lambda: value == wanted,
        "anyOf": lambda: any(not list(violations(value, option, root)) for option in wanted),
        "pattern": lambda: isinstance(value, str) and re.search(wanted, value) is not None,
        "minLength": lambda: size >= wanted,
        "minItems": lambda: size >= wanted,
        "maxItems": lambda: size <= wanted,
        "minProperties": lambda: size >= wanted,
        "maxProperties": lambda: size <= wanted,
        "minimum": lambda: number >= wanted,
        "maximum": lambda: number <= wanted,
        "required": lambda: isinstance(value, dict) and set(wanted) <= set(value),
        "properties": lambda: True,
        "items": lambda: True,
        "propertyNames": lambda: all(not list(violations(key, wanted, root)) for key in value),
        "additionalProperties": lambda: (
            wanted is not False
            or (isinstance(value, dict) and set(value) <= set(schema["properties"]))
        ),
    }
    return checks[word]()
