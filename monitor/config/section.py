"""What every mapping in the config has in common.  This module must not know any key."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping with a fixed set of keys; unknown keys and other kinds of values are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )
