"""What `kubectl kustomize` makes of the project's overlays."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.integration.harness.program import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())

Manifest = dict[str, Any]


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl."""
    return subprocess.run(["kubectl", *arguments], check=False, capture_output=True, text=True)


def kustomize_version() -> tuple[int, ...]:
    """Return the version of the Kustomize in kubectl; (0,) for one too old to say."""
    said = json.loads(kubectl("version", "--client", "--output=json").stdout)
    return tuple(
        int(part) for part in said.get("kustomizeVersion", "v0").removeprefix("v").split(".")
    )


def render(directory: Path) -> list[Manifest]:
    """Return the objects that a kustomization makes; a warning is a failure."""
    rendered = kubectl("kustomize", str(directory))
    assert rendered.returncode == 0, rendered.stderr
    assert rendered.stderr == ""
    return list(yaml.safe_load_all(rendered.stdout))


@cache
def overlay(name: str) -> tuple[Manifest, ...]:
    """Return the objects of one of the overlays."""
    return tuple(render(KUBERNETES / "overlays" / name))


def of_kind(manifests: tuple[Manifest, ...] | list[Manifest], kind: str) -> list[Manifest]:
    """Return the objects of one kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def with_component(component: str, over: str, directory: Path) -> tuple[Manifest, ...]:
    """Return the objects of an overlay with a component; `directory` gets the kustomization."""
    here = Path(os.path.relpath(KUBERNETES, directory))
    text = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [str(here / "overlays" / over)],
        "components": [str(here / "components" / component)],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(text))
    return tuple(render(directory))
