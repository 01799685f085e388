"""The image that the Dockerfile makes, built without an engine (see `image`), and run from it."""

import re
import signal
import time
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import pytest

from tests.integration.container import Container, Image, PodSpec, lay_out_volume
from tests.integration.harness import Lab
from tests.integration.harness.program import ROOT
from tests.integration.image import Builder
from tests.integration.kustomize import of_kind, overlay
from tests.unit.deploy.test_locks import RUNTIME, applies, entries, pins

TAG = "ws-monitor:test"
REVISION = "0123456789abcdef"
STOPS_WITHIN = 5.0
"""Seconds; what the manifest's comment on its grace period says."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder that has built the image once."""
    builder = Builder(tmp_path_factory.mktemp("image"))
    builder.build(TAG, REVISION=REVISION)
    yield builder
    builder.remove()


@pytest.fixture(scope="module")
def config(builder: Builder) -> dict[str, Any]:
    """What the image says of how it is run."""
    return builder.config(TAG)


@pytest.fixture(scope="module")
def files(builder: Builder) -> Path:
    """The image's files, without its shell: nothing that follows may need one."""
    files = builder.unpack(TAG)
    (files / "usr/bin/sh").unlink()
    return files


@pytest.fixture(scope="module")
def image(config: dict[str, Any], files: Path) -> Image:
    """The image, to be run."""
    env = dict(each.split("=", 1) for each in config["Env"])
    python = "/usr/local/bin/python"
    return Image(entrypoint=config["Entrypoint"], env=env, python=python, root=files)


@pytest.fixture
def container(lab: Lab, image: Image, tmp_path: Path) -> Iterator[Container]:
    """A container of the overlay `single`, from the image."""
    objects = overlay("single")
    (deployment,) = of_kind(objects, "Deployment")
    spec = PodSpec(deployment["spec"]["template"]["spec"])
    (config_map,) = of_kind(objects, "ConfigMap")
    volumes = {volume["name"]: tmp_path / volume["name"] for volume in spec.pod["volumes"]}
    lay_out_volume(volumes["config"], config_map["data"], 0o644, 0)
    volumes["secrets"].mkdir()
    container = Container(lab, spec, volumes, image=image)
    yield container
    container.end()


def installed(files: Path) -> dict[str, str]:
    """The version of each package that the program can import."""
    found = {}
    for path in files.glob("opt/ws-monitor/lib/python*/site-packages/*.dist-info/METADATA"):
        metadata = HeaderParser().parsestr(path.read_text())
        found[re.sub(r"[-_.]+", "-", metadata["Name"]).lower()] = metadata["Version"]
    return found


class TestWhatIsInIt:
    """Its files and what it says of itself."""

    def test_it_holds_what_the_lock_names_and_the_monitor(self, files: Path) -> None:
        wanted = pins(RUNTIME)
        here = {each.name for each, _ in entries(RUNTIME) if applies(each)}
        found = installed(files)
        found.pop("ws-monitor")
        assert found == {name: wanted[name] for name in here}

    def test_the_monitor_in_it_is_this_one(self, files: Path) -> None:
        (package,) = files.glob("opt/ws-monitor/lib/python*/site-packages/monitor")
        ours = {
            path.relative_to(ROOT / "monitor"): path.read_text()
            for path in (ROOT / "monitor").rglob("*.py")
        }
        theirs = {path.relative_to(package): path.read_text() for path in package.rglob("*.py")}
        assert theirs == ours

    def test_pip_stayed_behind(self, files: Path) -> None:
        assert [str(path) for path in files.rglob("*") if path.name == "pip"] == []

    def test_it_is_started_as_the_manifest_starts_it(self, config: dict[str, Any]) -> None:
        assert config["User"] == "65532:65532"
        assert config["ExposedPorts"] == {"10440/tcp": {}}
        assert [*config["Entrypoint"], *config["Cmd"]] == [
            "/opt/ws-monitor/bin/ws-monitor",
            *("run", "--config", "/etc/ws-monitor/config.yaml"),
        ]

    def test_it_says_which_commit_it_is_made_from(self, config: dict[str, Any]) -> None:
        assert config["Labels"]["org.opencontainers.image.revision"] == REVISION

    def test_a_second_build_makes_the_same_image_to_the_last_byte(self, builder: Builder) -> None:
        builder.build("ws-monitor:again", REVISION=REVISION)
        assert builder.identity("ws-monitor:again") == builder.identity(TAG)


class TestTheMonitorInIt:
    """The image under the conditions of the manifest, without a shell."""

    async def test_it_starts_watches_and_stops(self, container: Container) -> None:
        await container.started()
        assert await container.probe("livenessProbe")
        await container.watches()
        assert container.complaints() == []
        began = time.monotonic()
        container.signal(signal.SIGTERM)
        assert await container.program.wait(within=container.spec.grace) == 0
        assert time.monotonic() - began < STOPS_WITHIN

    def test_nothing_had_to_be_compiled_for_it(self, files: Path) -> None:
        """Byte code is there for every module, and none is made where nothing can be written."""
        packages = list(files.glob("opt/ws-monitor/lib/python*/site-packages/monitor/**/*.py"))
        compiled = list(files.glob("opt/ws-monitor/lib/python*/site-packages/monitor/**/*.pyc"))
        assert len(compiled) == len(packages) > 0
