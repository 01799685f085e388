"""Which monitors watch which probe."""

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.sharding import ALONE, Shard, shards_of

COUNTS = st.integers(1, 12)
REPLICATIONS = st.integers(1, 4)
NAMES = st.text("abcxyz019_.:-", min_size=1, max_size=30)
PREFIXES = st.text("abcxyz019_.:-", max_size=10)

MANY = 10_000


def fleet(prefix: str = "probe-") -> list[str]:
    """Ten thousand names as alike as names in a config are."""
    return [f"{prefix}{number}" for number in range(MANY)]


def watchers(name: str, shards: Iterable[Shard]) -> set[int]:
    """Which of these shards watch a probe."""
    return {shard.index for shard in shards if shard.watches(name)}


def furthest_from_even(names: list[str], count: int, replication: int) -> float:
    """How far the share of a shard is from an even one, at most; 0.1 is ten percent."""
    shares = Counter(shard for name in names for shard in shards_of(name, count, replication))
    even = len(names) * min(replication, count) / count
    return max(abs(shares[shard] / even - 1) for shard in range(count))


class TestShardsOf:
    """Rendezvous hashing."""

    def test_they_are_the_same_for_ever(self) -> None:
        """Another answer would move probes when the monitor is upgraded."""
        found = {name: shards_of(name, 5, 5) for name in ("game-eu", "chat", "a")}
        assert found == {
            "game-eu": [1, 4, 2, 0, 3],
            "chat": [0, 1, 3, 2, 4],
            "a": [2, 0, 4, 3, 1],
        }

    def test_they_begin_with_the_largest_weight_and_end_after_as_many_as_asked_for(self) -> None:
        every = shards_of("chat", 5, 5)
        assert [shards_of("chat", 5, number) for number in (1, 2, 3)] == [
            every[:1],
            every[:2],
            every[:3],
        ]

    def test_one_alone_watches_everything(self) -> None:
        assert shards_of("a", 1, 1) == shards_of("b", 1, 3) == [0]

    @given(name=NAMES, count=COUNTS, replication=REPLICATIONS)
    def test_each_probe_is_on_exactly_as_many_as_asked_for_or_on_all(
        self, name: str, count: int, replication: int
    ) -> None:
        found = shards_of(name, count, replication)
        assert len(found) == len(set(found)) == min(replication, count)
        assert set(found) <= set(range(count))

    @given(name=NAMES, count=COUNTS, replication=REPLICATIONS)
    def test_a_shard_that_comes_takes_over_and_one_that_goes_gives_back_and_nothing_else_moves(
        self, name: str, count: int, replication: int
    ) -> None:
        fewer = shards_of(name, count, replication)
        more = shards_of(name, count + 1, replication)
        assert [shard for shard in more if shard != count] == fewer[: len(more) - (count in more)]

    @pytest.mark.parametrize("replication", [1, 2, 3])
    @pytest.mark.parametrize("count", [2, 3, 5, 9])
    def test_no_more_than_its_share_moves_when_one_comes_or_goes(
        self, count: int, replication: int
    ) -> None:
        pairs = [
            (set(shards_of(name, count, replication)), set(shards_of(name, count + 1, replication)))
            for name in fleet()
        ]
        moved = sum(len(after - before) for before, after in pairs)
        assert 0 < moved <= (1 / count + 0.05) * sum(len(after) for _, after in pairs)

    @pytest.mark.parametrize("replication", [1, 2, 3])
    @pytest.mark.parametrize("count", [2, 3, 5, 10])
    def test_ten_thousand_probes_are_spread_within_ten_percent_of_evenly(
        self, count: int, replication: int
    ) -> None:
        assert furthest_from_even(fleet(), count, replication) < 0.1

    @given(prefix=PREFIXES, count=st.integers(2, 5), replication=st.integers(1, 2))
    def test_whatever_they_are_called(self, prefix: str, count: int, replication: int) -> None:
        # Five standard deviations: with more shards, one name in many would be enough to fail.
        assert furthest_from_even(fleet(prefix), count, replication) < 0.1


class TestShard:
    """What one of them watches."""

    def test_a_monitor_alone_watches_everything(self) -> None:
        assert all(ALONE.watches(name) for name in fleet()[:100])
        assert not ALONE.is_surplus

    @given(name=NAMES, count=COUNTS, replication=REPLICATIONS)
    def test_together_they_watch_what_is_shared_out(
        self, name: str, count: int, replication: int
    ) -> None:
        shards = [Shard(index, count, replication) for index in range(count)]
        assert watchers(name, shards) == set(shards_of(name, count, replication))

    def test_the_last_one_is_needed_and_the_one_after_it_is_surplus(self) -> None:
        assert [Shard(index, 3).is_surplus for index in range(5)] == [
            False,
            False,
            False,
            True,
            True,
        ]

    def test_a_surplus_one_watches_what_it_would_if_it_were_the_last(self) -> None:
        names = fleet()[:200]
        surplus = {name for name in names if Shard(4, 2).watches(name)}
        assert surplus == {name for name in names if 4 in shards_of(name, 5, 1)}
        assert 0 < len(surplus) < 100

    @given(name=NAMES, index=st.integers(0, 8), more=COUNTS, replication=REPLICATIONS)
    def test_a_surplus_one_lets_nothing_go_that_it_watched(
        self, name: str, index: int, more: int, replication: int
    ) -> None:
        before = Shard(index, index + more, replication)
        assert Shard(index, max(1, index), replication).watches(name) or not before.watches(name)


def stages(old: int, new: int) -> Iterator[tuple[list[tuple[int, int]], int | None]]:
    """Every stage of a change of the number of shards: (index, count) of each pod, and who is away.

    As a StatefulSet does it, where the number is changed first when it shrinks. Pods that are new
    come first, with the new number; then the others are restarted one at a time, the last first;
    then those go that are surplus.
    """
    pods = dict.fromkeys(range(old), old)
    for index in range(old, new):
        pods[index] = new
        yield list(pods.items()), None
    for index in reversed(range(old)):
        yield list(pods.items()), index
        pods[index] = new
        yield list(pods.items()), None
    for index in reversed(range(new, old)):
        del pods[index]
        yield list(pods.items()), None


class TestAChangeOfTheirNumber:
    """A rolling update, pod by pod."""

    @given(name=NAMES, old=COUNTS, new=COUNTS, replication=REPLICATIONS)
    def test_a_probe_is_unwatched_at_most_while_its_one_watcher_restarts(
        self, name: str, old: int, new: int, replication: int
    ) -> None:
        wanted = min(replication, old, new)
        for pods, away in stages(old, new):
            running = [Shard(index, count, replication) for index, count in pods if index != away]
            assert len(watchers(name, running)) >= wanted - (away is not None)

    @given(name=NAMES, old=COUNTS, new=COUNTS, replication=REPLICATIONS)
    def test_at_its_end_each_probe_is_where_it_belongs(
        self, name: str, old: int, new: int, replication: int
    ) -> None:
        *_, (pods, _) = stages(old, new)
        shards = [Shard(index, count, replication) for index, count in pods]
        assert watchers(name, shards) == set(shards_of(name, new, replication))

    def test_the_pods_before_the_count_would_leave_probes_to_nobody(self) -> None:
        """Why the count comes first when it goes down."""
        left = [Shard(index, 3) for index in range(2)]
        assert any(not watchers(name, left) for name in fleet()[:100])
