"""From a file or a text to a checked config, or to all that is wrong with it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from monitor.config import rules
from monitor.config.checking import Checking, read_text
from monitor.config.document import Value
from monitor.config.merge import complete_probe
from monitor.config.probe import ProbeConfig, ProbeDefaults
from monitor.config.problems import KeyPath
from monitor.config.schema import Config
from monitor.config.values import kind_of

NO_LABELS: Mapping[str, str] = MappingProxyType({})


def load_config(path: Path, labels: Mapping[str, str] = NO_LABELS) -> Config:
    """Read and check a config file, and that the TLS files it names are there.

    Args:
        path: the file.
        labels: top-level labels that win over the file's.

    Raises:
        ConfigError: with every problem found, each on one line.
    """
    text = read_text(path)
    return _Loading(text, str(path), path.parent, labels).finish(check_files=True)


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


class _Loading:
    """One text on its way to a config; collects what is wrong instead of stopping at it."""

    def __init__(
        self, text: str, source: str, directory: Path, labels: Mapping[str, str] = NO_LABELS
    ) -> None:
        self._labels = labels
        self._checking = Checking(text, source, directory)
        self._document = self._checking.document

    def finish(self, *, check_files: bool) -> Config:
        """The config.

        Raises:
            ConfigError: something is wrong with it.
        """
        root = self._with_labels(self._checking.root())
        config = self._sections(root)
        probes = self._probes(root, check_files=check_files)
        return self._checking.finish(config).model_copy(update={"probes": tuple(probes)})

    def _with_labels(self, root: dict[str, Value]) -> dict[str, Value]:
        """Put the labels that win over those of the file; a wrong section stays, to be told of."""
        labels = root.get("labels") or {}
        if not self._labels or not isinstance(labels, dict):
            return root
        return {**root, "labels": {**labels, **self._labels}}

    def _sections(self, root: dict[str, Value]) -> Config | None:
        sections = {key: root[key] for key in root if key not in ("defaults", "probes")}
        config = self._checking.check(Config, sections, more_keys=("defaults",))
        if config is not None:
            for finding in rules.config_findings(config):
                self._checking.add(finding.path, finding.message)
        return config

    def _probes(self, root: dict[str, Value], *, check_files: bool) -> list[ProbeConfig]:
        defaults = self._mapping(root, "defaults")
        labels = root.get("labels")
        globals_ = labels if isinstance(labels, dict) else {}
        self._check_defaults(defaults)
        probes = root.get("probes")
        if not isinstance(probes, list):
            if probes is not None:
                self._checking.add(("probes",), f"expected a list, found {kind_of(probes)}")
            return []
        self._check_names(probes)
        checked = []
        for index, raw in enumerate(probes):
            if not isinstance(raw, dict):
                self._checking.add(("probes", index), f"expected a mapping, found {kind_of(raw)}")
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
            self._checking.add((key,), f"expected a mapping, found {kind_of(value)}")
        return {}

    def _check_defaults(self, defaults: dict[str, Value]) -> None:
        """Check them by themselves: a key may fit no probe's protocol and still be wrong."""
        self._checking.check(
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
                self._checking.add(("probes", index, "name"), message)
            first.setdefault(name, index)

    def _probe(
        self,
        index: int,
        complete: dict[str, Value],
        check_files: bool,  # noqa: FBT001 - private, one caller
    ) -> ProbeConfig | None:
        def place(path: KeyPath) -> KeyPath:
            return self._place(index, path)

        probe = self._checking.check(ProbeConfig, complete, place)
        if probe is None:
            return None
        findings = list(rules.probe_findings(probe))
        if check_files:
            findings += rules.file_findings(probe)
        for finding in findings:
            self._checking.add(place(finding.path), finding.message)
        return probe

    def _place(self, index: int, path: KeyPath) -> KeyPath:
        """Where a probe's value really stands: in the probe, the defaults or the global labels."""
        own: KeyPath = ("probes", index, *path)
        candidates = [own, ("defaults", *path)]
        if path[:1] == ("labels",):
            candidates.append(path)
        return next((place for place in candidates if self._document.has(place)), own)
