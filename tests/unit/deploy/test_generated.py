"""Files that repeat others say the same as those."""

from pathlib import Path

import pytest

from deploy.generate import FILES, text_of
from tests.unit.project.tree import name_of


class TestGeneratedFiles:
    """What `make manifests` writes."""

    @pytest.mark.parametrize("path", FILES, ids=name_of)
    def test_it_is_what_make_manifests_would_write(self, path: Path) -> None:
        assert path.read_text() == text_of(FILES[path]), "run `make manifests`"
