"""Print what building the package needs, as pyproject.toml names it, one requirement a line."""

import sys
import tomllib
from pathlib import Path

pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
sys.stdout.write("\n".join(pyproject["build-system"]["requires"]) + "\n")
