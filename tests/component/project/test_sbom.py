"""The list of what the image contains, as others read it."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def sbom() -> str:
    """Make it; what is installed already is not installed again."""
    subprocess.run(
        ["make", "--always-make", "--old-file=.venv/.dev-installed", "sbom"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return (ROOT / "build/sbom.json").read_text()


def test_it_is_valid_cyclonedx(sbom: str) -> None:
    """By the schema, which notices a wrong word."""
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(sbom) is None
    assert validator.validate_str(sbom.replace('"library"', '"libary"', 1)) is not None


def test_it_lists_what_the_lock_names(sbom: str) -> None:
    """Each package with its version and its name for others (purl)."""
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    bom = json.loads(sbom)
    assert {part["name"]: part["version"] for part in bom["components"]} == locked
    assert all(part["purl"].startswith("pkg:pypi/") for part in bom["components"])
    assert bom["metadata"]["component"]["name"] == "ws-monitor"
