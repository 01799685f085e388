"""The image, built from the Dockerfile without a container engine and without a network.

buildah needs no daemon, and with chroot's isolation no runtime either; but it needs root. The base
is made here, of this machine's Python, C library and shell: the official one would be fetched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pip

from tests.integration.container import IS_ROOT, libraries_of
from tests.integration.harness.program import ROOT

WHEELS = ROOT / "build" / "wheels"
"""What both locks name; `make integration` fetches it."""

BASE = "of-this-machine"
"""The tag of the base: what the Dockerfile's argument PYTHON is set to."""

NOT_NEEDED = (
    *("site-packages", "dist-packages", "__pycache__", "config-*"),
    *("test", "idlelib", "tkinter", "_tkinter*", "turtledemo", "lib2to3", "ensurepip"),
)
ALWAYS_THERE = (
    *("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6"),
)
"""Libraries that packages for every Linux take for granted."""

LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib"}


def known_libraries() -> Iterator[Path]:
    """Yield those of `ALWAYS_THERE` that this machine has."""
    listing = subprocess.run(
        ["/sbin/ldconfig", "--print-cache"], check=True, capture_output=True, text=True
    )
    for name in ALWAYS_THERE:
        if found := re.search(rf"{re.escape(name)} .* => (/\S+)", listing.stdout):
            yield Path(found[1])


def add_python(root: Path) -> list[Path]:
    """Add Python with its library and pip; return what of it is linked with other libraries."""
    python = Path(os.path.realpath(sys.executable))
    stdlib = Path(sysconfig.get_path("stdlib"))
    library = root / "usr/local/lib" / stdlib.name
    shutil.copytree(stdlib, library, ignore=shutil.ignore_patterns(*NOT_NEEDED))
    shutil.copy(python, root / "usr/local/bin" / stdlib.name)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to(stdlib.name)

    ours = Path(pip.__file__).parent
    for part in (ours, *ours.parent.glob("pip-*.dist-info")):
        at = library / "site-packages" / part.name
        shutil.copytree(part, at, ignore=shutil.ignore_patterns("__pycache__"))
    script = root / "usr/local/bin/pip"
    script.write_text("#!/usr/local/bin/python\nfrom pip._internal.cli.main import main\nmain()\n")
    script.chmod(0o755)
    return [python, *library.glob("lib-dynload/*.so")]


def lay_out_base(root: Path) -> None:
    """Make what the official base has of the things that the Dockerfile uses, in its places."""
    for name in ("usr/bin", "usr/lib", "usr/local/bin", "etc", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    shell = Path(os.path.realpath("/bin/sh"))
    shutil.copy(shell, root / "usr/bin/sh")
    for library in {*libraries_of([shell, *add_python(root)]), *known_libraries()}:
        shutil.copy(library, root / "usr/lib")


PIP_CONFIG = """\
[global]
no-index = true
find-links = /wheels
"""

BASE_DOCKERFILE = """\
FROM scratch
COPY root /
ENV PATH=/usr/local/bin:/usr/bin:/bin
"""


class Builder:
    """Builds images into a store of its own.

    Args:
        directory: for the store and everything else; it must be empty.
    """

    def __init__(self, directory: Path) -> None:
        assert IS_ROOT, "building an image needs root"
        self._directory = directory
        lay_out_base(directory / "base/root")
        (directory / "base/Dockerfile").write_text(BASE_DOCKERFILE)
        (directory / "pip.conf").write_text(PIP_CONFIG)
        self.buildah("bud", "--isolation=chroot", f"--tag=python:{BASE}", f"{directory}/base")

    def buildah(self, *arguments: str) -> str:
        """Run buildah without a network; return what it prints."""
        places = [f"--root={self._directory}/store", f"--runroot={self._directory}/run"]
        done = subprocess.run(
            ["unshare", "--net", "buildah", "--storage-driver=vfs", *places, *arguments],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def build(self, tag: str, **arguments: str) -> None:
        """Build the project's Dockerfile, with further build arguments."""
        assert any(WHEELS.glob("*.whl")), (
            "no packages in build/wheels: `make integration` gets them"
        )
        given = {"PYTHON": BASE, **arguments}
        self.buildah(
            "bud",
            "--isolation=chroot",
            "--timestamp=0",  # or else every file would be as old as the build
            *(f"--build-arg={name}={value}" for name, value in given.items()),
            f"--volume={WHEELS}:/wheels:ro",
            f"--volume={self._directory}/pip.conf:/etc/pip.conf:ro",
            f"--tag={tag}",
            str(ROOT),
        )

    def config(self, tag: str) -> dict[str, Any]:
        """Return what the OCI calls the config of an image."""
        described: dict[str, Any] = json.loads(self.buildah("inspect", "--type=image", tag))
        config: dict[str, Any] = described["OCIv1"]["config"]
        return config

    def identity(self, tag: str) -> str:
        """Return the digest that stands for everything in an image."""
        return self.buildah("images", "--quiet", "--no-trunc", tag)

    def unpack(self, tag: str) -> Path:
        """Return a new directory with an image's files, for a container to run in."""
        return Path(self.buildah("mount", self.buildah("from", tag)))

    def remove(self) -> None:
        """Remove everything that it made."""
        shutil.rmtree(self._directory)
