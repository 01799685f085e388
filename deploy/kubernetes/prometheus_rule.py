"""Put the files of deploy/prometheus/rules into one PrometheusRule: the operator reads no files."""

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus" / "rules"
RESULT = HERE / "overlays" / "prometheus-operator" / "prometheus-rule.yaml"
HEADING = "# Made from deploy/prometheus/rules by `make manifests`.\n"


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _text)


def prometheus_rule() -> dict[str, Any]:
    """Return the object with every group of every file."""
    groups = [
        group
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "ws-monitor",
            "labels": {"app.kubernetes.io/name": "ws-monitor"},
        },
        "spec": {"groups": groups},
    }


def text() -> str:
    """Return the file's text."""
    dumped = yaml.dump(prometheus_rule(), Dumper=_Readable, sort_keys=False, width=100)
    return HEADING + dumped


if __name__ == "__main__":
    RESULT.write_text(text())
