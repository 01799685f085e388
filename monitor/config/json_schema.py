"""The config's JSON Schema, for editors.

Rules between keys, and what `defaults` may supply, are left to `ws-monitor check`.  A key without
a value is marked here, though the loader takes it as not given.
"""

from collections.abc import Callable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from monitor.config.probe import ProbeDefaults
from monitor.config.schema import Config
from monitor.config.secret import Secret
from monitor.config.values import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    ListenAddress,
    format_duration,
    format_size,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOTATIONS: dict[str, Callable[[Any], str]] = {
    DURATION_PATTERN: format_duration,
    SIZE_PATTERN: format_size,
}
# Defaults may supply these, or null may leave them out.
_REQUIRED = {"ProbeConfig": ["name", "url"], "Ticket": []}


class _Generator(GenerateJsonSchema):
    """Writes defaults as the config would, and no titles: they only repeat the keys."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, ListenAddress):
            return str(dft)
        if isinstance(dft, Secret):
            return {"env": dft.env} if dft.file is None else {"file": str(dft.file)}
        return super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the hook's form
        return False


def json_schema() -> dict[str, Any]:
    """A new JSON Schema (2020-12) for the whole config; every key has a description."""
    schema = Config.model_json_schema(schema_generator=_Generator)
    defaults = ProbeDefaults.model_json_schema(schema_generator=_Generator)
    definitions = schema["$defs"] | defaults.pop("$defs")
    definitions["ProbeDefaults"] = defaults
    for name, required in _REQUIRED.items():
        definitions[name]["required"] = required
    schema["properties"]["defaults"] = {
        "$ref": "#/$defs/ProbeDefaults",
        "description": "What all probes share unless they say otherwise.",
    }
    schema["$defs"] = definitions
    schema |= {"$schema": _DIALECT, "title": "ws-monitor config"}
    _mend(schema)
    return schema


def _mend(node: Any) -> None:
    """Write defaults in the notation of the config, and let no key pass a pattern by."""
    if isinstance(node, list):
        for item in node:
            _mend(item)
    if not isinstance(node, dict):
        return
    if "default" in node:
        node["default"] = _in_notation(node, node["default"])
    if "patternProperties" in node:
        ((pattern, values),) = node.pop("patternProperties").items()
        node |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
    for value in node.values():
        _mend(value)


def _in_notation(node: dict[str, Any], default: Any) -> Any:
    if isinstance(default, list):
        return [_in_notation(node.get("items", {}), item) for item in default]
    notation = _NOTATIONS.get(node.get("pattern", ""))
    return notation(default) if notation else default
