"""What every mapping in the config has in common.  This module must not know any key."""

import contextlib
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

SHARED = 1024
"""So many different sections are remembered."""


class Section(BaseModel):
    """A mapping with a fixed set of keys; unknown keys and other kinds of values are errors.

    A known key with a null counts as not given, as in `labels:` with all its entries commented out.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {
            key: value
            for key, value in data.items()
            if value is not None or key not in cls.model_fields
        }


def share_sections(section: Section) -> None:
    """Have its sections be those of others that are equal: in a fleet most are alike."""
    for name, value in vars(section).items():
        if isinstance(value, Section):
            with contextlib.suppress(TypeError):  # it holds a mapping, and cannot be looked up
                vars(section)[name] = _first_of_its_kind(value, frozenset(value.model_fields_set))


@lru_cache(SHARED)
def _first_of_its_kind(section: Section, given: frozenset[str]) -> Section:  # noqa: ARG001 - a key
    return section
