"""A probe template: what a source of discovery makes probes of, as it is written in the config."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from monitor.config.document import Value
from monitor.config.merge import complete_probe
from monitor.config.probe import ProbeConfig
from monitor.config.values import kind_of, refuse

_SHOWN = frozenset({"name", "protocol"})


@dataclass(frozen=True, slots=True, repr=False)
class Template:
    """The keys of a probe, with placeholders, and what stands beneath every probe.

    Two are equal if and only if they make the same probes.
    """

    raw: dict[str, Value]
    defaults: dict[str, Value] = field(default_factory=dict)
    labels: dict[str, Value] = field(default_factory=dict)
    directory: Path = Path()

    def complete(self, probe: dict[str, Value]) -> dict[str, Value]:
        """A probe's own keys over what stands beneath."""
        return complete_probe(probe, self.defaults, self.labels)

    def shown(self) -> dict[str, str]:
        """What may be shown: which keys there are, and of URLs and texts nothing."""
        return {key: str(value) if key in _SHOWN else "<hidden>" for key, value in self.raw.items()}

    @classmethod
    def _read(cls, value: object) -> "Template":
        if not isinstance(value, dict):
            raise refuse(f"expected a mapping, found {kind_of(value)}")
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.shown),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        keys = ProbeConfig.model_fields
        return {
            "type": "object",
            "properties": {key: {"description": keys[key].description} for key in keys},
            "additionalProperties": False,
            "required": ["name", "url"],
        }
