"""A config as it may be shown on a page."""

from collections.abc import Iterator
from typing import Any

import yaml

from monitor.config.schema import Config
from monitor.config.secret import Inline

HIDDEN = Inline("")
"""What stands for text that may hold a secret."""


def redacted(config: Config) -> dict[str, Any]:
    """The config as plain JSON values, complete, with nothing secret in it.

    Secrets are `<env NAME>` or `<file PATH>`, URLs end after the port, other text that stands in
    a query, a header or a message is `<hidden>`; durations and sizes are written as in the config.
    """
    shown: dict[str, Any] = config.model_dump(mode="json", exclude={"probes"})
    shown["probes"] = list(_probes(config))
    return shown


def redacted_text(config: Config) -> Iterator[str]:
    """The same as YAML, in pieces that are each made quickly: there may be thousands of probes."""
    yield _yaml(config.model_dump(mode="json", exclude={"probes"}))
    yield "probes:\n" if config.probes else "probes: []\n"
    for probe in _probes(config):
        yield _yaml([probe])


def _probes(config: Config) -> Iterator[dict[str, Any]]:
    for probe in config.probes:
        shown = probe.model_dump(mode="json")
        if probe.text is not None:
            shown["text"] = dict.fromkeys(shown["text"], str(HIDDEN))
        yield {"name": shown.pop("name"), "url": shown.pop("url"), **shown}


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
