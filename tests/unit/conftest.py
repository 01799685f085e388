"""How hard Hypothesis tries.

Set `HYPOTHESIS_PROFILE` to `fast` (the default), `thorough` or `mutants`. All but `thorough` draw
the same examples each time, so that no verdict depends on luck.
"""

import os

from hypothesis import HealthCheck, settings

_COMMON = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("fast", _COMMON, max_examples=50, derandomize=True)
settings.register_profile("thorough", _COMMON, max_examples=2000, stateful_step_count=100)
settings.register_profile(
    "mutants",
    _COMMON,
    max_examples=10,
    derandomize=True,
    # One process runs the tests several times over.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
