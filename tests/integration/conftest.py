"""Real processes for the tests, ended after each; their last lines when a test fails."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.integration.harness import Lab


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the processes said to the report of a test that failed."""
    report = yield
    if report.failed:
        report.sections += [("Processes", lab.report()) for lab in Lab.at_work]
    return report


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Start processes for one test, and end them."""
    lab = Lab(tmp_path)
    try:
        yield lab
    finally:
        lab.close()
