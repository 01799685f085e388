"""Which shard a monitor is and where it stands, as its options and its environment say."""

import pytest

from monitor.core.sharding import ALONE, Shard
from monitor.place import NOWHERE, Place, PlaceError, read_place


def place(
    shard: str = "0/1",
    replication: str = "1",
    vantage: str = "",
    *,
    index: str | None = None,
    host: str = "laptop",
) -> Place:
    """The place that these options name, on this host."""
    environ = {} if index is None else {"WS_MONITOR_POD_INDEX": index}
    return read_place(shard, replication, vantage, environ=environ, hostname=lambda: host)


class TestShard:
    """`--shard` and `--replication`."""

    def test_a_monitor_that_is_told_nothing_is_alone(self) -> None:
        assert place() == NOWHERE
        assert NOWHERE.shard == ALONE == Shard(0, 1, 1)

    def test_the_number_comes_first_and_counts_from_0(self) -> None:
        assert place("0/3").shard == Shard(0, 3)
        assert place("2/3", "2").shard == Shard(2, 3, 2)

    def test_auto_is_the_ordinal_at_the_end_of_the_host_s_name(self) -> None:
        assert place("auto/30", host="ws-monitor-12").shard == Shard(12, 30)
        assert place("auto/3", host="2").shard == Shard(2, 3)
        assert place("auto/3", host="ws-monitor-1.ws-monitor.games.svc").shard == Shard(1, 3)

    def test_auto_is_what_the_variable_says_if_it_says_anything(self) -> None:
        assert place("auto/3", index="1", host="node-7").shard == Shard(1, 3)
        assert place("auto/3", index="", host="ws-monitor-2").shard == Shard(2, 3)

    def test_auto_may_be_beyond_the_last_as_a_pod_is_that_is_about_to_go(self) -> None:
        assert place("auto/2", host="ws-monitor-2").shard.is_surplus

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"shard": "3"}, '"3": write NUMBER/COUNT'),
            ({"shard": "auto"}, '"auto": write NUMBER/COUNT'),
            ({"shard": "-1/3"}, '"-1/3": write NUMBER/COUNT'),
            ({"shard": "1/3 "}, '"1/3 ": write NUMBER/COUNT'),
            ({"shard": "3/3"}, '"3/3": they count from 0, so the last is 2/3'),
            ({"shard": "0/0"}, '"0/0": there can be 1 to 1000 shards'),
            ({"shard": "0/1001"}, '"0/1001": there can be 1 to 1000 shards'),
            ({"shard": "auto/3"}, 'the host\'s name is "laptop"'),
            ({"shard": "auto/3", "host": "rack-1-"}, 'the host\'s name is "rack-1-"'),
            ({"shard": "auto/3", "host": "i7"}, 'the host\'s name is "i7"'),
            ({"shard": "auto/3", "host": "ws-monitor-1000"}, '"ws-monitor-1000"'),
            ({"shard": "auto/3", "index": "a-1"}, 'WS_MONITOR_POD_INDEX is "a-1"'),
            ({"replication": "0"}, '--replication: "0"'),
            ({"replication": "two"}, '--replication: "two"'),
            ({"replication": "1001"}, '--replication: "1001"'),
        ],
    )
    def test_nonsense_is_one_line_that_says_what_to_write(
        self, options: dict[str, str], said: str
    ) -> None:
        with pytest.raises(PlaceError) as refused:
            place(**options)
        assert said in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


class TestVantage:
    """`--vantage`."""

    def test_it_is_a_label_of_every_probe(self) -> None:
        assert place(vantage="eu-west").labels == {"vantage": "eu-west"}

    def test_none_is_no_label(self) -> None:
        assert place().labels == {}

    def test_one_that_cannot_be_a_label_is_refused(self) -> None:
        with pytest.raises(PlaceError, match="a label's value has 1 to 200 characters"):
            place(vantage="a" * 201)
