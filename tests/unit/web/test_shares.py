"""What each client may have."""

import pytest

from monitor.web.shares import MOST_REMEMBERED, Pace, Shares, client_of


class TestClients:
    """Who counts as one client."""

    @pytest.mark.parametrize(
        ("peer", "client"),
        [
            (("192.0.2.1", 4711), "192.0.2.1"),
            (("::ffff:192.0.2.1", 4711, 0, 0), "192.0.2.1"),
            (("2001:db8:1:2:3:4:5:6", 4711, 0, 0), "2001:db8:1:2::/64"),
            (("fe80::1%eth0", 4711, 0, 2), "fe80::/64"),
            (("::1", 4711, 0, 0), "::/64"),
            ("", ""),
            (None, ""),
        ],
    )
    def test_an_address_or_its_network(self, peer: object, client: str) -> None:
        """Of IPv6, the network that one machine usually has to itself."""
        assert client_of(peer) == client


class TestShares:
    """Places."""

    def test_there_are_so_many_for_all(self) -> None:
        """And one that is left can be taken."""
        shares = Shares(most=2, each=2)
        assert shares.take("a")
        assert shares.take("b")
        assert not shares.take("c")
        shares.leave("a")
        assert shares.take("c")

    def test_there_are_so_many_for_each(self) -> None:
        """What one cannot have, others can."""
        shares = Shares(most=3, each=2)
        assert [shares.take("a") for _ in range(3)] == [True, True, False]
        assert shares.take("b")

    def test_nobody_is_remembered_who_has_no_place(self) -> None:
        """Or a scan would fill the memory."""
        shares = Shares(most=2, each=1)
        for number in range(100):
            assert shares.take(str(number))
            shares.leave(str(number))
            assert not shares._taken


class TestPace:
    """So many things a second."""

    def test_a_burst_goes_through_and_then_each_waits_longer(self) -> None:
        """In the order they came."""
        pace = Pace(per_second=10, burst=2)
        assert [pace.wait("a", 0.0) for _ in range(4)] == pytest.approx([0, 0, 0.1, 0.2])

    def test_clients_do_not_wait_for_each_other(self) -> None:
        """Each has its own budget."""
        pace = Pace(per_second=10, burst=1)
        pace.wait("a", 0.0)
        assert pace.wait("a", 0.0) > 0
        assert pace.wait("b", 0.0) == 0

    def test_the_one_seen_longest_ago_is_forgotten(self) -> None:
        """The memory is bounded."""
        pace = Pace(per_second=1, burst=1)
        pace.wait("busy", 0.0)
        for number in range(2 * MOST_REMEMBERED):
            pace.wait(str(number), 0.0)
            assert pace.wait("busy", 0.0) > 0
        assert len(pace._budgets) == MOST_REMEMBERED
