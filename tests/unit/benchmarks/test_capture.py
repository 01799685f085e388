"""Pairing packets, and matching our round trips with them."""

import pytest

from benchmarks.capture import Trip, compare, pair

PORT = 9000
CLIENT, SERVER, OTHER = "127.0.0.1", "127.1.0.1", "127.1.0.2"


def request(at: float, sequence: int, length: int, server: str = SERVER) -> str:
    """A segment with data from the client."""
    return f"{at}\t{CLIENT}\t{server}\t5000\t{PORT}\t{sequence}\t1\t{length}"


def answer(at: float, acknowledged: int, server: str = SERVER) -> str:
    """A segment with data from the server."""
    return f"{at}\t{server}\t{CLIENT}\t{PORT}\t5000\t1\t{acknowledged}\t10"


class TestPairing:
    """Which answer belongs to which request."""

    def test_an_answer_acknowledges_the_whole_request(self) -> None:
        lines = [request(1.0, 100, 20), answer(1.1, 110), answer(1.5, 120)]
        assert pair(lines, PORT) == [Trip(SERVER, 1.5, 0.5)]

    def test_sequence_numbers_begin_again(self) -> None:
        near_the_end = (1 << 32) - 10
        assert pair([request(1.0, near_the_end, 20), answer(1.5, 10)], PORT) == [
            Trip(SERVER, 1.5, 0.5)
        ]

    def test_a_request_in_two_segments_begins_with_the_first(self) -> None:
        lines = [request(1.0, 100, 20), request(1.1, 120, 5), answer(1.5, 125)]
        assert pair(lines, PORT) == [Trip(SERVER, 1.5, 0.5)]

    def test_connections_are_told_apart_by_their_addresses(self) -> None:
        lines = [
            request(1.0, 100, 20),
            request(1.1, 100, 20, OTHER),
            answer(1.5, 120, OTHER),
            answer(1.75, 120),
        ]
        trips = {trip.whose: trip.rtt for trip in pair(lines, PORT)}
        assert trips == {SERVER: 0.75, OTHER: pytest.approx(0.4)}

    def test_what_nobody_asked_for_is_no_answer(self) -> None:
        assert pair([answer(1.0, 120), request(2.0, 120, 20)], PORT) == []


class TestComparing:
    """Ours against the capture's."""

    def test_an_error_is_ours_less_the_captures(self) -> None:
        errors = compare([Trip("a", 1.5, 0.5)], [Trip("a", 1.25, 0.25)], within=0.1)
        assert errors.values == [0.25]
        assert errors.unmatched == 0

    def test_the_next_one_of_the_same_connection_is_meant(self) -> None:
        captured = [Trip("a", 2.0, 0.5), Trip("b", 1.5, 0.5), Trip("a", 1.0, 0.5)]
        errors = compare([Trip("a", 1.5, 0.25), Trip("b", 1.5, 0.5)], captured, within=0.3)
        assert errors.values == [-0.25, 0.0]

    def test_one_that_was_not_captured_is_told(self) -> None:
        errors = compare(
            [Trip("a", 9.0, 0.5), Trip("c", 1.0, 0.5)], [Trip("a", 1.0, 0.5)], within=1
        )
        assert errors.values == []
        assert errors.unmatched == 2
