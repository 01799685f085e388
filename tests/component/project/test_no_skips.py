"""A test that shows nothing is not taken for one that passed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

WAYS_TO_SHOW_NOTHING = {
    "a_mark": "@pytest.mark.skip(reason='by a mark')\ndef test_it(): assert True",
    "a_condition": "@pytest.mark.skipif(True, reason='by a condition')\ndef test_it(): assert True",
    "a_call": "def test_it(): pytest.skip('by a call')",
    "a_fixture": (
        "@pytest.fixture\ndef missing(): pytest.skip('by a fixture')\n"
        "def test_it(missing): assert True"
    ),
    "a_module": "pytest.skip('by a module', allow_module_level=True)",
    "an_import": "pytest.importorskip('no_such_module', reason='by an import')",
    "an_expectation": "@pytest.mark.xfail(reason='by an expectation')\ndef test_it(): assert False",
}

RunPytest = Callable[[dict[str, str]], tuple[str, Path]]


@pytest.fixture
def run_pytest(tmp_path: Path) -> RunPytest:
    """Run pytest on modules, with this project's conftest; return its output and its report."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    report = tmp_path / "report.xml"
    options = ["-q", "--continue-on-collection-errors", "--junit-xml", str(report)]

    def run(modules: dict[str, str]) -> tuple[str, Path]:
        for name, text in modules.items():
            (tmp_path / f"test_{name}.py").write_text(f"import pytest\n\n{text}\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=tmp_path,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout, report

    return run


def tally(*reports: Path) -> tuple[int, str]:
    """Add up reports as `make test` does; return the exit code and what is printed."""
    command = [sys.executable, str(ROOT / "scripts/tally.py"), *map(str, reports)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


class TestSkips:
    """However a test comes not to run."""

    def test_every_skip_fails_and_tells_its_reason(self, run_pytest: RunPytest) -> None:
        output, report = run_pytest(WAYS_TO_SHOW_NOTHING)
        count = len(WAYS_TO_SHOW_NOTHING)
        assert output.count("Nothing may be skipped here.") >= count
        for name in WAYS_TO_SHOW_NOTHING:
            assert f"by {name.replace('_', ' ')}" in output
        assert tally(report) == (1, f"0 passed, {count} failed\n")

    def test_a_skip_that_got_past_the_conftest_does_not_pass(self, tmp_path: Path) -> None:
        report = tmp_path / "report.xml"
        report.write_text('<testsuite tests="3" failures="0" errors="0" skipped="1"/>')
        assert tally(report) == (1, "2 passed, 0 failed, 1 skipped\n")


class TestTheTally:
    """The last line of `make test`."""

    def test_tests_that_pass_are_added_up_over_all_reports(self, run_pytest: RunPytest) -> None:
        passing = "def test_one(): assert True\ndef test_two(): assert True"
        _, report = run_pytest({"passing": passing})
        assert tally(report, report) == (0, "4 passed, 0 failed\n")

    def test_failures_and_errors_both_count_as_failed(self, run_pytest: RunPytest) -> None:
        failing = "def test_one(): assert False\ndef test_two(no_such_fixture): assert True"
        _, report = run_pytest({"failing": failing, "passing": "def test_it(): assert True"})
        assert tally(report) == (1, "1 passed, 2 failed\n")

    def test_a_run_without_any_test_does_not_pass(self, run_pytest: RunPytest) -> None:
        _, report = run_pytest({"empty": ""})
        assert tally(report) == (1, "0 passed, 0 failed\n")
