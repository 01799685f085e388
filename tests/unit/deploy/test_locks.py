"""The locks name every package that is needed, each with the hashes of its files."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.project.tree import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = ROOT / "requirements.lock"
BUILD = ROOT / "requirements-build.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"
LOCKS = [RUNTIME, BUILD, DEVELOPMENT]


def entries(lock: Path) -> Iterator[tuple[Requirement, list[str]]]:
    """Each package that a lock names, and its hashes."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    for entry in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = entry.split(" --hash=")
        yield Requirement(requirement.strip()), [found.strip() for found in hashes]


def pins(lock: Path) -> dict[str, str]:
    """Each package's one version."""
    found = {}
    for requirement, _ in entries(lock):
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found[canonicalize_name(requirement.name)] = specifier.version
    return found


def development() -> Iterator[str]:
    """What the dependency groups ask for."""
    for group in PYPROJECT["dependency-groups"].values():
        yield from (wanted for wanted in group if isinstance(wanted, str))


def pins_here(lock: Path) -> dict[str, str]:
    """Each package's version on this machine: other Pythons may need another."""
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement, _ in entries(lock)
        if applies(requirement)
    }


def applies(requirement: Requirement) -> bool:
    """Whether a requirement is one here, without extras."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
class TestALock:
    """Each of them by itself."""

    def test_every_package_has_hashes(self, lock: Path) -> None:
        found = list(entries(lock))
        assert found
        for requirement, hashes in found:
            assert hashes, requirement
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)

    def test_it_does_not_say_where_packages_come_from(self, lock: Path) -> None:
        assert "//" not in lock.read_text()
        assert "--index" not in lock.read_text()


class TestWhatIsPinned:
    """Against what asks for it."""

    @pytest.mark.parametrize(
        ("lock", "wanted"),
        [
            (RUNTIME, PYPROJECT["project"]["dependencies"]),
            (BUILD, PYPROJECT["build-system"]["requires"]),
            (DEVELOPMENT, list(development())),
        ],
        ids=["run time", "build", "development"],
    )
    def test_what_the_project_asks_for_is_pinned_to_a_version_that_it_allows(
        self, lock: Path, wanted: list[str]
    ) -> None:
        pinned = pins_here(lock)
        for requirement in map(Requirement, wanted):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement} is missing: run `make lock`"
            assert requirement.specifier.contains(version), f"{requirement} has {version}"

    @pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT], ids=["run time", "development"])
    def test_what_the_packages_themselves_need_is_pinned_as_well(self, lock: Path) -> None:
        pinned = pins(lock)
        here = {requirement.name for requirement, _ in entries(lock) if applies(requirement)}
        assert here
        for name in here:
            for needed in map(Requirement, metadata.requires(name) or ()):
                if applies(needed):
                    assert canonicalize_name(needed.name) in pinned, f"{name} needs {needed}"

    def test_the_locks_agree(self) -> None:
        """They are installed into one environment."""
        versions = {lock: pins_here(lock) for lock in LOCKS}
        for lock in (RUNTIME, BUILD):
            shared = versions[lock].keys() & versions[DEVELOPMENT].keys()
            assert shared
            for name in shared:
                assert versions[lock][name] == versions[DEVELOPMENT][name], name


class TestWhatIsInstalled:
    """What `make` puts into its virtual environment."""

    def test_it_is_what_the_locks_name(self) -> None:
        """Each file by its hash, and no other."""
        for lock in LOCKS:
            for name, version in pins_here(lock).items():
                assert metadata.version(name) == version, f"{name}: run make"

    def test_nothing_else_installs_anything(self) -> None:
        made = (ROOT / "Makefile").read_text() + (ROOT / "deploy/deploy.mk").read_text()
        scripts = "".join(path.read_text() for path in (ROOT / "scripts").iterdir())
        installing = [
            line.strip()
            for line in (made + scripts).splitlines()
            if re.search(r"pip.* install", line)
        ]
        assert installing == [
            "install := $(bin)/pip install -qq --disable-pip-version-check --no-deps"
        ]
        used = re.findall(r"\$\((?:install|locked)\) (.*)", made)
        assert used == [
            "--require-hashes --only-binary :all:",
            "-r requirements.lock -r requirements-build.lock",
            "--no-index --no-build-isolation --editable .",
            "-r requirements-dev.lock",
        ]
