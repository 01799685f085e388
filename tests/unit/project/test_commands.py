"""The commands that the project offers are the ones that it writes about."""

import re

from tests.unit.project.tree import ROOT, markdown_files, name_of, tracked_files

MAKEFILE = "".join((ROOT / name).read_text() for name in ("Makefile", "deploy/deploy.mk"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))
PRE_COMMIT = (ROOT / ".pre-commit-config.yaml").read_text()


def made_in(text: str) -> set[str]:
    """The targets that a text calls: `make x` as code, or at the start of a line of its own."""
    return set(re.findall(r"(?:`|^[ \t]*)make ([a-z][a-z-]*)", text, re.MULTILINE))


class TestTheMakefile:
    """What the pages say about `make`."""

    def test_every_page_names_only_targets_that_exist(self) -> None:
        unknown = {name_of(page): made_in(page.read_text()) - TARGETS for page in markdown_files()}
        assert {page: targets for page, targets in unknown.items() if targets} == {}

    def test_the_pages_for_beginners_name_the_commands_that_matter(self) -> None:
        assert "run" in made_in((ROOT / "README.md").read_text())
        assert {"check", "test"} <= made_in((ROOT / "CONTRIBUTING.md").read_text())

    def test_no_file_can_keep_a_target_from_running(self) -> None:
        assert [target for target in TARGETS if f".PHONY: {target}\n" not in MAKEFILE] == []

    def test_its_help_fits_a_terminal(self) -> None:
        helped = re.findall(r"^([a-z-]+):.*## (.+)$", MAKEFILE, re.MULTILINE)
        lines = [f"  make {target:12} {text}" for target, text in helped]
        assert [line for line in lines if len(line) > 80] == []


class TestWhoCallsMake:
    """The hooks and continuous integration do what a developer does."""

    def test_hooks_call_targets_that_exist(self) -> None:
        entries = re.findall(r"entry: (.+)", PRE_COMMIT)
        assert entries
        assert [entry for entry in entries if entry.removeprefix("make ") not in TARGETS] == []

    def test_hooks_fetch_nothing(self) -> None:
        assert re.findall(r"repo: (\S+)", PRE_COMMIT) == ["local"]

    def test_continuous_integration_runs_make_test(self) -> None:
        assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "make test"

    def test_what_begins_like_a_script_can_be_run(self) -> None:
        scripts = [path for path in tracked_files() if path.read_bytes().startswith(b"#!")]
        assert [name_of(path) for path in scripts if not path.stat().st_mode & 0o111] == []
