"""How many messages are too many, and when our own delay is to blame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.flood import Flood


class TestFlood:
    """A hundred messages a second are taken."""

    @pytest.fixture
    def flood(self) -> Flood:
        return Flood(100)

    def test_as_many_as_are_allowed_may_come_at_once(self, flood: Flood) -> None:
        assert flood.take(100, 50.0, 50.0) is False

    def test_one_more_in_the_same_second_is_too_many(self, flood: Flood) -> None:
        flood.take(100, 50.0, 50.0)
        assert flood.take(1, 51.0, 51.0) is True

    def test_a_second_later_as_many_may_come_again(self, flood: Flood) -> None:
        flood.take(100, 50.0, 50.0)
        assert flood.take(100, 51.001, 51.001) is False
        assert flood.take(1, 51.5, 51.5) is True

    def test_messages_that_come_a_few_at_a_time_add_up(self, flood: Flood) -> None:
        verdicts = [flood.take(10, 50.0 + read / 20, 50.0 + read / 20) for read in range(11)]
        assert verdicts == [False] * 10 + [True]

    def test_what_waited_for_us_may_have_come_all_the_while(self, flood: Flood) -> None:
        """We were away for ten seconds: a thousand messages are no flood."""
        assert flood.take(1000, 50.0, 60.0) is False
        assert Flood(100).take(1001, 50.0, 60.0) is True

    def test_that_holds_also_in_a_second_that_has_begun(self, flood: Flood) -> None:
        flood.take(100, 60.0, 60.0)
        assert flood.take(150, 57.5, 60.0) is False

    def test_a_second_that_began_before_is_as_long_as_any_other(self, flood: Flood) -> None:
        flood.take(100, 60.0, 60.0)
        assert flood.take(1, 59.9, 60.5) is True

    @given(
        limit=st.integers(1, 50),
        gaps=st.lists(st.floats(0.0, 1.0), max_size=100),
    )
    def test_who_keeps_to_the_limit_is_never_accused(self, limit: int, gaps: list[float]) -> None:
        flood, now = Flood(limit), 0.0
        for gap in gaps:
            now += max(gap, 1.001 / limit)
            assert flood.take(1, now, now) is False
