"""Says in our own words what pydantic found.

No sentence repeats a value, because a value may be a mislaid secret.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from monitor.config.problems import KeyPath
from monitor.config.values import CUSTOM, kind_of

ONLY_A_CONSEQUENCE = "default_factory_not_called"
"""Reported for a default that depends on a key that has an error of its own."""

_YAML_1_1_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})


def sentence_for(error: ErrorDetails, known_keys: Iterable[str]) -> str:
    """One sentence, lower case, no full stop.

    Args:
        error: what pydantic reports.
        known_keys: the keys that may stand where the error is, to suggest one.
    """
    if error["type"] == "extra_forbidden":
        return _unknown_key(str(error["loc"][-1]), known_keys)
    phrase = _PHRASES.get(error["type"])
    if phrase is None:
        return "this value cannot be used here"
    return phrase(error["input"], error.get("ctx", {}))


def keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys of the mapping at a path below a model; empty where any key may stand."""
    for step in path:
        if isinstance(step, int):
            continue
        inner = (
            _inner_model(model.model_fields[step].annotation)
            if step in model.model_fields
            else None
        )
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _unknown_key(key: str, known_keys: Iterable[str]) -> str:
    known = list(known_keys)
    if ":" in key:
        return "unknown key; write a space after the colon"
    folded = key.lower().replace("-", "_")
    if close := get_close_matches(folded, known, n=1):
        return f"unknown key; did you mean `{close[0]}`?"
    return f"unknown key; known here: {', '.join(known)}" if known else "unknown key"


def _expected(what: str) -> Callable[[object, Mapping[str, Any]], str]:
    return lambda found, _: f"expected {what}, found {kind_of(found)}"


def _text(found: object, _: Mapping[str, Any]) -> str:
    quotes = ": put it in quotes" if isinstance(found, bool | int | float) else ""
    return f"expected text, found {kind_of(found)}{quotes}"


def _boolean(found: object, _: Mapping[str, Any]) -> str:
    if isinstance(found, str) and found.lower() in _YAML_1_1_BOOLEANS | {"true", "false"}:
        return "write true or false, without quotes"
    return f"expected true or false, found {kind_of(found)}"


def _number(what: str) -> Callable[[object, Mapping[str, Any]], str]:
    def phrase(found: object, _: Mapping[str, Any]) -> str:
        if isinstance(found, str) and re.fullmatch(r"[-+]?[0-9._]+", found):
            return f"write {what} in digits, without quotes or leading zeros"
        if isinstance(found, float):
            return f"expected {what}, found a fraction"
        return f"expected {what}, found {kind_of(found)}"

    return phrase


def _choice(found: object, context: Mapping[str, Any]) -> str:
    choices = re.findall(r"'([^']*)'", context["expected"])
    words = [choice for choice in choices if choice.isalpha()]
    close = get_close_matches(found.lower(), words, n=1) if isinstance(found, str) else []
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"must be one of {', '.join(choices)}{hint}"


_PHRASES: Mapping[str, Callable[[object, Mapping[str, Any]], str]] = MappingProxyType(
    {
        CUSTOM: lambda _, context: str(context["message"]),
        "missing": lambda *_: "this key is required",
        "model_type": _expected("a mapping"),
        "dict_type": _expected("a mapping"),
        "tuple_type": _expected("a list"),
        "string_type": _text,
        "bool_type": _boolean,
        "int_type": _number("a whole number"),
        "float_type": _number("a number"),
        "literal_error": _choice,
        "greater_than_equal": lambda _, context: f"must be at least {context['ge']:g}",
        "less_than_equal": lambda _, context: f"must be at most {context['le']:g}",
        "too_long": lambda _, context: f"has more than {context['max_length']} entries",
    }
)
