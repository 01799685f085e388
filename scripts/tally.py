"""Add up what pytest wrote as JUnit XML, and print one line: ``12 passed, 0 failed``.

Fails when a test failed, when one was skipped, and when there was none: a suite that ran
nothing has shown nothing.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree

COUNTS = ("tests", "failures", "errors", "skipped")


def add_up(reports: list[Path]) -> dict[str, int]:
    """Return the sums of the four counts over all suites of all reports."""
    # The files are our own test runner's, so the parser need not fear them.
    suites = [
        suite
        for report in reports
        for suite in ElementTree.parse(report).iter("testsuite")  # noqa: S314
    ]
    return {name: sum(int(suite.get(name, "0")) for suite in suites) for name in COUNTS}


def main(arguments: list[str]) -> int:
    """Print the summary of the reports named; return 0 when everything ran and passed."""
    sums = add_up([Path(argument) for argument in arguments])
    failed = sums["failures"] + sums["errors"]
    passed = sums["tests"] - failed - sums["skipped"]
    skipped = f", {sums['skipped']} skipped" if sums["skipped"] else ""
    sys.stdout.write(f"{passed} passed, {failed} failed{skipped}\n")
    return 0 if passed and not failed and not sums["skipped"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
