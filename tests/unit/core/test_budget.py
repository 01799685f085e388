"""A budget of connect attempts."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.budget import Budget


class TestBudget:
    """Reservations, in the order in which they were asked."""

    def test_a_burst_may_begin_at_once_and_the_rest_at_the_rate(self) -> None:
        budget = Budget(per_second=4.0, burst=3)
        assert [budget.reserve(10.0) for _ in range(6)] == [0, 0, 0, 0.25, 0.5, 0.75]

    def test_without_a_burst_attempts_keep_their_distance(self) -> None:
        budget = Budget(per_second=0.5, burst=1)
        assert [budget.reserve(10.0) for _ in range(3)] == [0, 2, 4]

    def test_time_that_passes_fills_the_budget_up_again_but_no_higher(self) -> None:
        budget = Budget(per_second=4.0, burst=2)
        assert [budget.reserve(10.0) for _ in range(3)] == [0, 0, 0.25]
        assert [budget.reserve(10.5) for _ in range(3)] == [0, 0.25, 0.5]
        assert [budget.reserve(99.0) for _ in range(3)] == [0, 0, 0.25]

    def test_what_may_not_begin_at_once_can_be_left(self) -> None:
        budget = Budget(per_second=4.0, burst=2)
        assert [budget.take(10.0) for _ in range(5)] == [True, True, False, False, False]
        assert [budget.take(now) for now in (10.24, 10.25, 10.26)] == [False, True, False]
        assert budget.reserve(10.25) == 0.25

    def test_a_closed_budget_opens_at_the_time_given_and_then_at_the_rate(self) -> None:
        budget = Budget(per_second=4.0, burst=3)
        budget.close_until(15.0)
        assert [budget.reserve(10.0) for _ in range(3)] == [5, 5.25, 5.5]

    def test_closing_a_budget_never_opens_it_earlier(self) -> None:
        budget = Budget(per_second=0.5, burst=1)
        budget.close_until(30.0)
        budget.close_until(15.0)
        assert budget.reserve(10.0) == 20.0

    @given(
        per_second=st.floats(0.1, 100.0),
        burst=st.integers(1, 10),
        pauses=st.lists(st.floats(0, 5.0), min_size=1, max_size=50),
    )
    def test_no_stretch_of_time_sees_more_attempts_than_the_budget_allows(
        self, per_second: float, burst: int, pauses: list[float]
    ) -> None:
        budget = Budget(per_second=per_second, burst=burst)
        now = 1000.0
        starts = []
        for pause in pauses:
            now += pause
            wait = budget.reserve(now)
            assert wait >= 0.0
            starts.append(now + wait)
        assert starts == sorted(starts)
        for first, start in enumerate(starts):
            for last in range(first, len(starts)):
                allowed = burst + (starts[last] - start) * per_second
                assert last - first + 1 <= allowed + 1e-6
