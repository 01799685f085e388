"""A config as it may be shown on a page."""

from typing import Any

from monitor.config.schema import Config


def redacted(config: Config) -> dict[str, Any]:
    """The config as plain JSON values, complete, with nothing secret in it.

    Secrets are `<env NAME>` or `<file PATH>`, URLs end after the port, other text that stands in
    a query or a header is `<hidden>`; durations and sizes are written as in the config.
    """
    shown: dict[str, Any] = config.model_dump(mode="json")
    shown["probes"] = [
        {"name": probe.pop("name"), "url": probe.pop("url"), **probe} for probe in shown["probes"]
    ]
    return shown
