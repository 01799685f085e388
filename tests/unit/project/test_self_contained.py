"""The project's files speak of the project only: no registry's host, no path of some machine."""

import re

import pytest

from tests.unit.project.tree import ROOT, name_of, tracked_files

# In brackets, so that this file does not itself hold what it forbids.
FORBIDDEN = re.compile(
    r"pypi[.]org|python[h]osted|npmj[s]|deb[.]debian|yarn[p]kg"
    r"|/wor[k]/|/roo[t]/|/hom[e]/[a-z]|/tm[p]/[a-z]"
)


class TestWhatNoFileNames:
    """Where packages come from, and where the files lie, is each machine's own affair."""

    def test_no_file_names_a_registry_or_a_machine(self) -> None:
        offences = {
            name_of(path): FORBIDDEN.findall(path.read_text(errors="replace"))
            for path in tracked_files()
        }
        assert offences
        assert {name: found for name, found in offences.items() if found} == {}

    @pytest.mark.parametrize(
        "parts",
        [("https://pypi", ".org/simple"), ("registry.npm", "js.org"), ("cd /wor", "k/main")],
    )
    def test_an_offence_is_noticed(self, parts: tuple[str, str]) -> None:
        assert FORBIDDEN.search("".join(parts))

    def test_the_lock_file_says_what_to_expect_and_not_where_from(self) -> None:
        """Unasked, npm writes its registry's host into each entry."""
        lock = (ROOT / "tests/node/package-lock.json").read_text()
        assert '"resolved"' not in lock
        assert lock.count('"integrity"') == lock.count('"node_modules/') > 0
