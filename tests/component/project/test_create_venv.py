"""Making the virtual environment says in one line what stands in its way."""

import subprocess
from pathlib import Path

CREATE_VENV = Path(__file__).parents[3] / "scripts/create-venv"


def create_venv(python: Path, directory: Path) -> tuple[int, str]:
    """Run the script; return its exit code and what it says is wrong."""
    command = [str(CREATE_VENV), str(python), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


class TestCreateVenv:
    """`scripts/create-venv`."""

    def test_a_python_that_is_too_old_is_named_with_its_version(self, tmp_path: Path) -> None:
        old = tmp_path / "python3.9"
        old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2"\nexit 1\n')
        old.chmod(0o755)
        assert create_venv(old, tmp_path / "venv") == (
            1,
            f"ws-monitor needs Python 3.11 or newer, and '{old}' is Python 3.9.2."
            " Name another: make PYTHON=python3.12\n",
        )
        assert not (tmp_path / "venv").exists()

    def test_a_python_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        missing = tmp_path / "python4"
        assert create_venv(missing, tmp_path / "venv") == (
            1,
            f"There is no '{missing}' here. ws-monitor needs Python 3.11 or newer.\n",
        )
