"""How hard Hypothesis tries, and in which order the tests of the core run.

Set `HYPOTHESIS_PROFILE` to `fast` (the default), `thorough` or `mutants`. All but `thorough` always
draw the same examples, so that no verdict depends on luck.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

_COMMON = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)

settings.register_profile("fast", _COMMON, max_examples=50, derandomize=True)
settings.register_profile("thorough", _COMMON, max_examples=2000, stateful_step_count=100)
settings.register_profile("mutants", _COMMON, max_examples=10, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run plain examples before properties: what is wrong shows sooner, and more plainly."""
    items.sort(key=lambda item: item.get_closest_marker("hypothesis") is not None)
