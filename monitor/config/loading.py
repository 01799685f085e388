"""From a file or a text to a checked config, or to all that is wrong with it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config import rules
from monitor.config.document import DocumentError, Value, read_document
from monitor.config.merge import complete_probe
from monitor.config.probe import ProbeConfig, ProbeDefaults
from monitor.config.problems import ConfigError, KeyPath, Problem, format_path
from monitor.config.schema import Config
from monitor.config.values import kind_of
from monitor.config.wording import ONLY_A_CONSEQUENCE, keys_at, sentence_for

_MAX_BYTES = 16 * 1024 * 1024

_Model = TypeVar("_Model", bound=BaseModel)
_Place: TypeAlias = Callable[[KeyPath], KeyPath]


def load_config(path: Path) -> Config:
    """Read and check a config file, and that the TLS files it names are there.

    Raises:
        ConfigError: with every problem found, each on one line.
    """
    text = _read_text(path)
    return _Loading(text, str(path), path.parent).finish(check_files=True)


def parse_config(text: str, source: str, *, directory: Path | None = None) -> Config:
    """Check a config's text without touching the disk.

    Args:
        text: the YAML.
        source: what to call it in problems.
        directory: where relative paths start.

    Raises:
        ConfigError: with every problem found, each on one line.
    """
    return _Loading(text, source, directory or Path()).finish(check_files=False)


def _read_text(path: Path) -> str:
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


class _Loading:
    """One text on its way to a config; collects what is wrong instead of stopping at it."""

    def __init__(self, text: str, source: str, directory: Path) -> None:
        self._source = source
        self._context = {"directory": directory}
        self._problems: dict[Problem, None] = {}  # ordered, and each only once
        try:
            self._document = read_document(text)
        except DocumentError as error:
            raise ConfigError([Problem(source, error.line, "", error.message)]) from None

    def finish(self, *, check_files: bool) -> Config:
        """The config.

        Raises:
            ConfigError: something is wrong with it.
        """
        root = self._document.root
        if not isinstance(root, dict):
            message = "the config is empty"
            if root is not None:
                message = f"the config must be a mapping, found {kind_of(root)}"
            raise ConfigError([Problem(self._source, 1, "", message)])
        for fault in self._document.faults:
            self._add_at(fault.line, fault.path, fault.message)
        config = self._sections(root)
        probes = self._probes(root, check_files=check_files)
        if self._problems or config is None:
            raise ConfigError(sorted(self._problems, key=lambda problem: problem.line or 0))
        return config.model_copy(update={"probes": tuple(probes)})

    def _sections(self, root: dict[str, Value]) -> Config | None:
        sections = {key: root[key] for key in root if key not in ("defaults", "probes")}
        config = self._check(Config, sections, lambda path: path)
        if config is not None:
            for finding in rules.config_findings(config):
                self._add(finding.path, finding.message)
        return config

    def _probes(self, root: dict[str, Value], *, check_files: bool) -> list[ProbeConfig]:
        defaults = self._mapping(root, "defaults")
        labels = root.get("labels")
        globals_ = labels if isinstance(labels, dict) else {}
        self._check_defaults(defaults)
        probes = root.get("probes")
        if not isinstance(probes, list):
            if probes is not None:
                self._add(("probes",), f"expected a list, found {kind_of(probes)}")
            return []
        self._check_names(probes)
        checked = []
        for index, raw in enumerate(probes):
            if not isinstance(raw, dict):
                self._add(("probes", index), f"expected a mapping, found {kind_of(raw)}")
                continue
            probe = self._probe(index, complete_probe(raw, defaults, globals_), check_files)
            if probe is not None:
                checked.append(probe)
        return checked

    def _mapping(self, root: dict[str, Value], key: str) -> dict[str, Value]:
        value = root.get(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self._add((key,), f"expected a mapping, found {kind_of(value)}")
        return {}

    def _check_defaults(self, defaults: dict[str, Value]) -> None:
        """Check them by themselves: a key may fit no probe's protocol and still be wrong."""
        self._check(
            ProbeDefaults,
            defaults,
            lambda path: ("defaults", *path),
            ignore=frozenset({"missing"}),
        )

    def _check_names(self, probes: list[Value]) -> None:
        first: dict[str, int] = {}
        for index, probe in enumerate(probes):
            name = probe.get("name") if isinstance(probe, dict) else None
            if not isinstance(name, str):
                continue
            if name in first:
                line = self._document.line_of(("probes", first[name], "name"))
                message = f"probes[{first[name]}] on line {line} has the same name"
                self._add(("probes", index, "name"), message)
            first.setdefault(name, index)

    def _probe(
        self,
        index: int,
        complete: dict[str, Value],
        check_files: bool,  # noqa: FBT001 - private, one caller
    ) -> ProbeConfig | None:
        def place(path: KeyPath) -> KeyPath:
            return self._place(index, path)

        probe = self._check(ProbeConfig, complete, place)
        if probe is None:
            return None
        findings = list(rules.probe_findings(probe))
        if check_files:
            findings += rules.file_findings(probe)
        for finding in findings:
            self._add(place(finding.path), finding.message)
        return probe

    def _place(self, index: int, path: KeyPath) -> KeyPath:
        """Where a probe's value really stands: in the probe, the defaults or the global labels."""
        own: KeyPath = ("probes", index, *path)
        candidates = [own, ("defaults", *path)]
        if path[:1] == ("labels",):
            candidates.append(path)
        return next((place for place in candidates if self._document.has(place)), own)

    def _check(
        self,
        model: type[_Model],
        data: dict[str, Value],
        place: _Place,
        ignore: frozenset[str] = frozenset(),
    ) -> _Model | None:
        try:
            return model.model_validate(data, context=self._context)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                if detail["type"] not in ignore | {ONLY_A_CONSEQUENCE}:
                    self._add_detail(model, detail, place)
        return None

    def _add_detail(self, model: type[BaseModel], detail: ErrorDetails, place: _Place) -> None:
        path: KeyPath = detail["loc"]
        of_key = path[-1:] == ("[key]",)
        path = path[:-1] if of_key else path
        known = keys_at(model, path[:-1])
        if model is Config and len(path) == 1:
            known.append("defaults")
        sentence = sentence_for(detail, known)
        if detail["type"] == "missing":
            whole = (*place(path[:-1]), path[-1]) if len(path) > 1 else place(path)
            if self._document.has(whole):
                sentence = "this key is required and has no value"
            self._add(whole, sentence)
            return
        unknown = detail["type"] == "extra_forbidden"
        self._add(place(path), sentence, of_key=of_key or unknown)

    def _add(self, path: KeyPath, message: str, *, of_key: bool = False) -> None:
        known_bad = self._document.unreadable
        if any(path[:length] in known_bad for length in range(len(path) + 1)):
            return
        self._add_at(self._document.line_of(path, of_key=of_key), path, message)

    def _add_at(self, line: int, path: KeyPath, message: str) -> None:
        self._problems[Problem(self._source, line, format_path(path), message)] = None
