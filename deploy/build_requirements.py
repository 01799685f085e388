"""Print what building the package needs, as pyproject.toml names it, one requirement a line.

Also what its build tool needs to install it in place, as `make` does.
"""

import sys
import tomllib
from pathlib import Path

IN_PLACE = "editables>=0.5"

pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
sys.stdout.write("\n".join([*pyproject["build-system"]["requires"], IN_PLACE]) + "\n")
