"""How long to wait before the next connect attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.backoff import RETRY_AFTER_LIMIT, Backoff, BackoffPolicy

POLICY = BackoffPolicy(base=2.0, cap=100.0, stable_after=60.0)
NORMAL, SERVICE_RESTART, TRY_AGAIN_LATER = 1000, 1012, 1013


class TestBackoff:
    """Exponential, with full jitter, forgiving only what is stable."""

    def test_each_failure_doubles_the_longest_wait_up_to_the_cap(self) -> None:
        backoff = Backoff(POLICY)
        assert [backoff.after_failure(1.0) for _ in range(8)] == [2, 4, 8, 16, 32, 64, 100, 100]

    def test_chance_spreads_the_wait_over_all_of_it(self) -> None:
        assert Backoff(POLICY).after_failure(0.0) == 0.0
        assert Backoff(POLICY).after_failure(0.25) == 0.5

    def test_a_base_beyond_the_cap_is_capped(self) -> None:
        assert (
            Backoff(BackoffPolicy(base=9.0, cap=5.0, stable_after=60.0)).after_failure(1.0) == 5.0
        )

    def test_failures_are_counted_until_a_connection_is_stable(self) -> None:
        backoff = Backoff(POLICY)
        assert backoff.failures == 0
        backoff.after_failure(1.0)
        backoff.after_connection(1.0, ready_for=59.9, code=NORMAL)
        assert backoff.failures == 2
        backoff.after_connection(1.0, ready_for=60.0, code=NORMAL)
        assert backoff.failures == 1

    def test_a_stable_connection_ends_the_row_of_failures(self) -> None:
        backoff = Backoff(POLICY)
        for _ in range(5):
            backoff.after_failure(1.0)
        assert backoff.after_connection(0.5, ready_for=60.0, code=NORMAL) == 1.0
        assert backoff.after_failure(1.0) == 4.0

    def test_after_a_stable_connection_the_wait_may_be_nothing(self) -> None:
        assert Backoff(POLICY).after_connection(0.0, ready_for=60.0, code=NORMAL) == 0.0

    def test_a_peer_that_accepts_and_closes_is_never_dialled_again_at_once(self) -> None:
        backoff = Backoff(POLICY)
        assert backoff.after_connection(0.0, ready_for=59.9, code=NORMAL) == 1.0
        assert backoff.after_connection(0.0, ready_for=0.0, code=NORMAL) == 1.0
        assert backoff.after_connection(0.5, ready_for=0.0, code=NORMAL) == 1.0 + 0.5 * 7.0

    def test_the_floor_stands_even_above_the_cap(self) -> None:
        backoff = Backoff(BackoffPolicy(base=9.0, cap=4.0, stable_after=60.0))
        assert backoff.after_connection(0.5, ready_for=0.0, code=NORMAL) == 4.5

    def test_retry_after_is_honoured_when_it_asks_for_more(self) -> None:
        assert Backoff(POLICY).after_failure(1.0, retry_after=30.0) == 30.0
        assert Backoff(POLICY).after_failure(1.0, retry_after=1.0) == 2.0

    def test_retry_after_is_honoured_beyond_the_cap_but_not_for_ever(self) -> None:
        assert Backoff(POLICY).after_failure(0.0, retry_after=1e9) == RETRY_AFTER_LIMIT == 3600.0

    def test_any_other_close_code_asks_for_nothing(self) -> None:
        backoff = Backoff(BackoffPolicy(base=0.5, cap=100.0, stable_after=60.0))
        assert backoff.after_connection(0.5, ready_for=60.0, code=NORMAL) == 0.25

    @pytest.mark.parametrize(
        ("code", "chance", "seconds"),
        [
            (SERVICE_RESTART, 0.0, 5.0),
            (SERVICE_RESTART, 0.5, 17.5),
            (SERVICE_RESTART, 1.0, 30.0),
            (TRY_AGAIN_LATER, 0.0, 30.0),
            (TRY_AGAIN_LATER, 0.5, 45.0),
        ],
    )
    def test_close_codes_that_ask_to_wait_are_honoured(
        self, code: int, chance: float, seconds: float
    ) -> None:
        assert Backoff(POLICY).after_connection(chance, ready_for=99.0, code=code) == seconds

    def test_what_a_close_code_asks_for_stays_within_the_cap(self) -> None:
        backoff = Backoff(BackoffPolicy(base=2.0, cap=20.0, stable_after=60.0))
        assert backoff.after_connection(0.9, ready_for=99.0, code=TRY_AGAIN_LATER) == 20.0

    def test_a_long_row_of_failures_waits_longer_than_a_close_code_asks_for(self) -> None:
        backoff = Backoff(POLICY)
        for _ in range(7):
            backoff.after_failure(1.0)
        assert backoff.after_connection(0.9, ready_for=0.0, code=SERVICE_RESTART) == 1 + 99 * 0.9

    @given(
        base=st.floats(0.01, 60.0),
        cap=st.floats(60.0, 3600.0),
        steps=st.lists(st.tuples(st.booleans(), st.floats(0, 0.999), st.floats(0, 120.0))),
    )
    def test_every_wait_is_within_its_bounds(
        self, base: float, cap: float, steps: list[tuple[bool, float, float]]
    ) -> None:
        backoff = Backoff(BackoffPolicy(base, cap, stable_after=60.0))
        for connected, chance, ready_for in steps:
            if connected:
                wait = backoff.after_connection(chance, ready_for=ready_for, code=NORMAL)
                assert (0 if ready_for >= 60.0 else base / 2) <= wait <= cap
            else:
                assert 0 <= backoff.after_failure(chance) <= cap
