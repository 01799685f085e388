"""In which order the tests of the core run."""

import pytest

RANKS = {"test_echoes_without_an_id": 1, "test_random_days": 2}


def _cost(item: pytest.Item) -> int:
    """Rank examples before scenarios before properties."""
    if item.get_closest_marker("hypothesis") is not None:
        return 2
    return RANKS.get(item.path.stem, 0)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is quick first: a fault shows sooner, and more plainly."""
    items.sort(key=_cost)
