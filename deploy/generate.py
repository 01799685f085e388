"""Make the files that repeat what deploy/prometheus says, for readers that cannot read it there.

The operator takes rules in an object of its own, and compose.yaml has an Alertmanager without
anybody to notify. `make manifests` writes both anew.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parent
PROMETHEUS = DEPLOY / "prometheus"


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as such, and repeats what a file says twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library asks for it
        """Never write an anchor."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _text)


def prometheus_rule() -> dict[str, Any]:
    """Return a PrometheusRule with every group of every file of rules."""
    groups = [
        group
        for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "ws-monitor", "labels": {"app.kubernetes.io/name": "ws-monitor"}},
        "spec": {"groups": groups},
    }


def silent_alertmanager() -> dict[str, Any]:
    """Return an Alertmanager's config that mutes as the real one does, and notifies nobody."""
    real = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())
    return {
        "route": {"receiver": "nobody", "group_by": real["route"]["group_by"]},
        "receivers": [{"name": "nobody"}],
        "inhibit_rules": real["inhibit_rules"],
    }


FILES: dict[Path, Callable[[], dict[str, Any]]] = {
    DEPLOY / "kubernetes/overlays/prometheus-operator/prometheus-rule.yaml": prometheus_rule,
    DEPLOY / "compose/alertmanager.yml": silent_alertmanager,
}


def text_of(make: Callable[[], dict[str, Any]]) -> str:
    """Return the text of the file that holds what `make` returns."""
    heading = "# Made from deploy/prometheus by `make manifests`. Do not edit.\n"
    return heading + yaml.dump(make(), Dumper=_Readable, sort_keys=False, width=100)


if __name__ == "__main__":
    for path, make in FILES.items():
        path.write_text(text_of(make))
