"""From a file or a text to a checked config, or to all that is wrong with it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from monitor.config import placeholders, rules
from monitor.config.checking import Checking, read_text
from monitor.config.document import Value
from monitor.config.probe import ProbeConfig, ProbeDefaults
from monitor.config.problems import KeyPath
from monitor.config.schema import Config
from monitor.config.section import share_sections
from monitor.config.template import Template
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
        self._directory = directory
        self._checking = Checking(text, source, directory)
        self._document = self._checking.document

    def finish(self, *, check_files: bool) -> Config:
        """The config.

        Raises:
            ConfigError: something is wrong with it.
        """
        root = self._with_labels(self._checking.root())
        beneath = self._beneath(root)
        config = self._sections(root, check_files=check_files)
        probes = self._probes(root, beneath, check_files=check_files)
        templates = self._templates(root, beneath, check_files=check_files)
        config = self._checking.finish(config)
        discovery = [
            source.model_copy(update={"probe": template})
            for source, template in zip(config.discovery, templates, strict=True)
        ]
        return config.model_copy(update={"probes": tuple(probes), "discovery": tuple(discovery)})

    def _beneath(self, root: dict[str, Value]) -> Template:
        """What stands beneath every probe, as a template without keys of its own."""
        defaults = self._mapping(root, "defaults")
        self._check_defaults(defaults)
        labels = root.get("labels")
        return Template({}, defaults, labels if isinstance(labels, dict) else {}, self._directory)

    def _with_labels(self, root: dict[str, Value]) -> dict[str, Value]:
        """Put the labels that win over those of the file; a wrong section stays, to be told of."""
        labels = root.get("labels") or {}
        if not self._labels or not isinstance(labels, dict):
            return root
        return {**root, "labels": {**labels, **self._labels}}

    def _sections(self, root: dict[str, Value], *, check_files: bool) -> Config | None:
        sections = {key: root[key] for key in root if key not in ("defaults", "probes")}
        config = self._checking.check(Config, sections, more_keys=("defaults",))
        if config is not None:
            findings = list(rules.config_findings(config))
            if check_files:
                findings += rules.source_file_findings(config)
            for finding in findings:
                self._checking.add(finding.path, finding.message)
        return config

    def _probes(
        self, root: dict[str, Value], beneath: Template, *, check_files: bool
    ) -> list[ProbeConfig]:
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
            probe = self._probe(("probes", index), beneath.complete(raw), check_files)
            if probe is not None:
                checked.append(probe)
        return checked

    def _templates(
        self, root: dict[str, Value], beneath: Template, *, check_files: bool
    ) -> list[Template]:
        sources = root.get("discovery")
        templates = []
        for index, source in enumerate(sources if isinstance(sources, list) else ()):
            raw = source.get("probe") if isinstance(source, dict) else None
            if isinstance(raw, dict):  # if it is not, that has been said
                templates.append(replace(beneath, raw=raw))
                self._try_template(("discovery", index, "probe"), templates[-1], check_files)
        return templates

    def _try_template(
        self,
        own: KeyPath,
        template: Template,
        check_files: bool,  # noqa: FBT001 - private, one caller
    ) -> None:
        """Check the placeholders, and then the probe that they make with values that always fit."""
        wrong = list(placeholders.findings(template.raw))
        for path, message in wrong:
            self._checking.add((*own, *path), message)
        if not wrong:
            values = placeholders.sample_values(template.raw)
            probe = placeholders.expand(template.raw, values)
            self._probe(own, template.complete(probe), check_files)

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
        own: KeyPath,
        complete: dict[str, Value],
        check_files: bool,  # noqa: FBT001 - private, one caller
    ) -> ProbeConfig | None:
        def place(path: KeyPath) -> KeyPath:
            return self._place(own, path)

        probe = self._checking.check(ProbeConfig, complete, place)
        if probe is None:
            return None
        findings = list(rules.probe_findings(probe))
        if check_files:
            findings += rules.file_findings(probe)
        for finding in findings:
            self._checking.add(place(finding.path), finding.message)
        share_sections(probe)
        return probe

    def _place(self, own: KeyPath, path: KeyPath) -> KeyPath:
        """Where a probe's value really stands: in the probe, the defaults or the global labels."""
        candidates = [(*own, *path), ("defaults", *path)]
        if path[:1] == ("labels",):
            candidates.append(path)
        return next((place for place in candidates if self._document.has(place)), candidates[0])
