"""What each client may have."""

import pytest

from monitor.web.shares import MOST_REMEMBERED, Pace, Place, Shares, client_of


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

    @pytest.fixture
    def gone(self) -> list[str]:
        """Clients that had to give a place up."""
        return []

    def take(self, shares: Shares, gone: list[str], client: str) -> Place | None:
        """Take a place for a client."""
        return shares.take(client, lambda: gone.append(client))

    def test_there_are_so_many_for_all(self, gone: list[str]) -> None:
        """And one that is left can be taken."""
        shares = Shares(most=2, each=2)
        first = self.take(shares, gone, "a")
        assert first is not None
        assert self.take(shares, gone, "b") is not None
        assert self.take(shares, gone, "c") is None
        shares.leave(first)
        assert self.take(shares, gone, "c") is not None
        assert gone == []

    def test_there_are_so_many_for_each(self, gone: list[str]) -> None:
        """What one cannot have, others can."""
        shares = Shares(most=3, each=2)
        assert [self.take(shares, gone, "a") is None for _ in range(3)] == [False, False, True]
        assert self.take(shares, gone, "b") is not None
        assert gone == []

    def test_who_has_the_most_makes_room(self, gone: list[str]) -> None:
        """For one who has fewer, and only as long as that is fairer."""
        shares = Shares(most=5, each=4)
        for client in "aaaab":
            self.take(shares, gone, client)
        assert self.take(shares, gone, "a") is None
        assert self.take(shares, gone, "c") is not None
        assert self.take(shares, gone, "b") is not None
        assert gone == ["a", "a"]
        assert self.take(shares, gone, "c") is None
        assert shares.taken == 5

    def test_the_latest_place_is_given_up(self) -> None:
        """The oldest may be a scraper's."""
        shares = Shares(most=2, each=2)
        gone: list[int] = []
        shares.take("a", lambda: gone.append(1))
        shares.take("a", lambda: gone.append(2))
        assert shares.take("b", lambda: gone.append(3)) is not None
        assert gone == [2]

    def test_a_place_that_was_taken_away_is_not_given_back_twice(self, gone: list[str]) -> None:
        """Its client leaves all the same."""
        shares = Shares(most=2, each=2)
        places = [self.take(shares, gone, "a") for _ in range(2)]
        self.take(shares, gone, "b")
        for place in places:
            assert place is not None
            shares.leave(place)
        assert shares.taken == 1

    def test_nobody_is_remembered_who_has_no_place(self, gone: list[str]) -> None:
        """Or a scan would fill the memory."""
        shares = Shares(most=2, each=1)
        for number in range(100):
            place = self.take(shares, gone, str(number))
            assert place is not None
            shares.leave(place)
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
