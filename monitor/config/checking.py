"""Checks one YAML text against a model; collects what is wrong instead of stopping at it.

This module must not know any key.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.document import DocumentError, Value, read_document
from monitor.config.problems import ConfigError, KeyPath, Problem, format_path
from monitor.config.values import kind_of
from monitor.config.wording import ONLY_A_CONSEQUENCE, keys_at, sentence_for

_MAX_BYTES = 16 * 1024 * 1024

_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)
_Place: TypeAlias = Callable[[KeyPath], KeyPath]


def read_text(path: Path) -> str:
    """Read a config file.

    Raises:
        ConfigError: it cannot be read, is too large, or is no text.
    """

    def broken(message: str, line: int | None = None) -> ConfigError:
        return ConfigError([Problem(str(path), line, "", message)])

    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise broken(f"cannot read the config: {reason}") from None
    if len(raw) > _MAX_BYTES:
        raise broken(f"a config has at most {_MAX_BYTES // 1024 // 1024} MiB")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise broken("not UTF-8 text", line) from None


def _itself(path: KeyPath) -> KeyPath:
    return path


class Checking:
    """One text while it is checked.

    Args:
        text: the YAML.
        source: what to call it in problems.
        directory: where relative paths start.

    Raises:
        ConfigError: the text is not YAML.
    """

    def __init__(self, text: str, source: str, directory: Path) -> None:
        self._source = source
        self._context = {"directory": directory}
        self._problems: dict[Problem, None] = {}  # ordered, and each only once
        try:
            self.document = read_document(text)
        except DocumentError as error:
            raise ConfigError([Problem(source, error.line, "", error.message)]) from None

    def root(self) -> dict[str, Value]:
        """Return the outermost mapping; what is wrong with the text itself is noted.

        Raises:
            ConfigError: it is no mapping.
        """
        root = self.document.root
        if not isinstance(root, dict):
            message = "the config is empty"
            if root is not None:
                message = f"the config must be a mapping, found {kind_of(root)}"
            raise ConfigError([Problem(self._source, 1, "", message)])
        for fault in self.document.faults:
            self._add_at(fault.line, fault.path, fault.message)
        return root

    def check(
        self,
        model: type[_Model],
        data: dict[str, Value],
        place: _Place = _itself,
        ignore: frozenset[str] = frozenset(),
        more_keys: tuple[str, ...] = (),
    ) -> _Model | None:
        """Return the checked values, or None after noting what is wrong with them.

        Args:
            model: what they should be.
            data: the values.
            place: where in the text a value stands that has a path in the model.
            ignore: kinds of errors that are none here.
            more_keys: keys that may stand beside the model's, for suggestions.
        """
        try:
            return model.model_validate(data, context=self._context)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                if detail["type"] not in ignore | {ONLY_A_CONSEQUENCE}:
                    self._add_detail(model, detail, place, more_keys)
        return None

    def add(self, path: KeyPath, message: str, *, of_key: bool = False) -> None:
        """Note a problem, unless the value at its place could not even be read."""
        known_bad = self.document.unreadable
        if any(path[:length] in known_bad for length in range(len(path) + 1)):
            return
        self._add_at(self.document.line_of(path, of_key=of_key), path, message)

    def finish(self, checked: _T | None) -> _T:
        """Return what was checked, if nothing at all was wrong.

        Raises:
            ConfigError: with every problem noted, by line.
        """
        if self._problems or checked is None:
            raise ConfigError(sorted(self._problems, key=lambda problem: problem.line or 0))
        return checked

    def _add_detail(
        self,
        model: type[BaseModel],
        detail: ErrorDetails,
        place: _Place,
        more_keys: tuple[str, ...],
    ) -> None:
        path: KeyPath = detail["loc"]
        of_key = path[-1:] == ("[key]",)
        path = path[:-1] if of_key else path
        known = keys_at(model, path[:-1])
        if len(path) == 1:
            known.extend(more_keys)
        sentence = sentence_for(detail, known)
        if detail["type"] == "missing":
            whole = (*place(path[:-1]), path[-1]) if len(path) > 1 else place(path)
            if self.document.has(whole):
                sentence = "this key is required and has no value"
            self.add(whole, sentence)
            return
        unknown = detail["type"] == "extra_forbidden"
        self.add(place(path), sentence, of_key=of_key or unknown)

    def _add_at(self, line: int, path: KeyPath, message: str) -> None:
        self._problems[Problem(self._source, line, format_path(path), message)] = None
