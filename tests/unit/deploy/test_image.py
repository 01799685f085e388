"""What the Dockerfile says, as far as it shows without an engine that builds it."""

import re

import pytest
import yaml

from monitor import __version__
from tests.unit.deploy.dockerfile import Dockerfile, in_context
from tests.unit.project.tree import ROOT, name_of, tracked_files

FILE = Dockerfile((ROOT / "Dockerfile").read_text())
IGNORE = (ROOT / ".dockerignore").read_text()
CONTEXT = [path for path in map(name_of, tracked_files()) if in_context(path, IGNORE)]
DEPLOYMENT = yaml.safe_load((ROOT / "deploy/kubernetes/base/deployment.yaml").read_text())
POD = DEPLOYMENT["spec"]["template"]["spec"]


class TestTheImage:
    """What it is made from, and how it runs."""

    def test_every_stage_has_the_same_base_pinned_to_a_patch_release(self) -> None:
        bases = {base.split()[0] for base in FILE.all("FROM")}
        assert bases == {"python:${PYTHON}"}
        assert len(FILE.all("FROM")) == 2
        assert re.fullmatch(r"3\.\d+\.\d+-slim-[a-z]+", FILE.arguments["PYTHON"])

    def test_it_runs_as_the_user_of_the_manifest_which_is_not_root(self) -> None:
        context = POD["securityContext"]
        assert FILE.last("USER") == f"{context['runAsUser']}:{context['runAsGroup']}"
        assert FILE.last("USER") == "65532:65532"
        assert FILE.instructions.index(("USER", "65532:65532")) > max(
            place for place, (name, _) in enumerate(FILE.instructions) if name in ("RUN", "COPY")
        )

    def test_it_starts_without_a_shell_and_by_default_as_the_manifest_starts_it(self) -> None:
        assert FILE.command("ENTRYPOINT") == ["/opt/ws-monitor/bin/ws-monitor"]
        assert FILE.command("CMD") == POD["containers"][0]["args"]

    def test_it_leaves_health_to_kubernetes(self) -> None:
        assert FILE.all("HEALTHCHECK") == []

    def test_it_takes_nothing_that_the_locks_do_not_name(self) -> None:
        installs = [
            step.split()
            for run in FILE.all("RUN")
            for step in run.split("&&")
            if " install " in step
        ]
        assert len(installs) == 3
        for words in installs:
            assert "--no-deps" in words
            assert "--require-hashes" in words or "--no-index" in words

    def test_it_says_what_it_is_in_the_labels_of_the_oci(self) -> None:
        prefix = "org.opencontainers.image."
        labels = {name.removeprefix(prefix): value for name, value in FILE.labels.items()}
        assert labels.keys() == {
            "title",
            "description",
            "licenses",
            "base.name",
            "version",
            "revision",
            "created",
            "source",
        }
        assert labels["licenses"] == "Apache-2.0"
        assert FILE.arguments["VERSION"] == __version__


class TestTheBuildContext:
    """What the engine is sent."""

    def test_everything_that_is_copied_is_there(self) -> None:
        missing = [
            source
            for source in FILE.copied
            if not any(path == source or path.startswith(f"{source}/") for path in CONTEXT)
        ]
        assert FILE.copied
        assert missing == []

    def test_nothing_else_is(self) -> None:
        needless = [
            path
            for path in CONTEXT
            if not any(path == source or path.startswith(f"{source}/") for source in FILE.copied)
        ]
        assert needless == []

    @pytest.mark.parametrize(
        ("path", "kept"),
        [
            ("monitor/app.py", True),
            ("monitor/__pycache__/app.pyc", False),
            ("tests/conftest.py", False),
            (".git/config", False),
            ("requirements.lock", True),
        ],
    )
    def test_it_is_read_as_the_engine_reads_it(self, path: str, kept: bool) -> None:
        assert in_context(path, IGNORE) is kept
