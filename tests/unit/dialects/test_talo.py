"""Talo's socket protocol: what its messages mean, and what they only seem to mean."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.dialects.dialect import Echo, Frame, Meaning, Remark, Usable
from monitor.dialects.talo import CLOSE_MEANINGS, ERROR_CODES, Talo

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def read(message: object) -> Meaning:
    """Read a message, given as bytes or as the JSON that it consists of."""
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Talo().read(data, text=True)


class TestTheHeartbeat:
    """A plain string, and its echo the same."""

    def test_it_is_always_the_same_and_carries_no_id(self) -> None:
        talo = Talo()
        assert not talo.numbered
        assert talo.heartbeat(1) == talo.heartbeat(2) == Frame(b"v1.heartbeat", text=True)

    def test_its_echo_is_recognised(self) -> None:
        assert read(b"v1.heartbeat") == Echo(None)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"v1.heartbea",
            b"v1.heartbeats",
            b" v1.heartbeat",
            b"v1.heartbeat ",
            b"v1.heartbeat\n",
            b"V1.HEARTBEAT",
            b"v1xheartbeat",
            b'"v1.heartbeat"',
            b'{"res":"v1.heartbeat"}',
            b'{"res":"v1.heartbeat","data":{}}',
        ],
    )
    def test_nothing_else_is_its_echo(self, data: bytes) -> None:
        assert read(data) is None

    def test_a_binary_message_is_no_echo(self) -> None:
        assert Talo().read(b"v1.heartbeat", text=False) is None


class TestTheOpening:
    """The connection is usable once the server has said so."""

    def test_the_accepted_upgrade_is_not_enough(self) -> None:
        assert not Talo().usable_at_once
        assert Talo().opening() == ()

    def test_the_server_says_so(self) -> None:
        assert read(b'{"res":"v1.connected","data":{}}') == Usable()
        assert read(b' { "data" : [1] , "res" : "v1.connected" } ') == Usable()

    def test_a_binary_message_does_not(self) -> None:
        assert Talo().read(b'{"res":"v1.connected","data":{}}', text=False) is None

    @pytest.mark.parametrize(
        "message",
        [
            b"v1.connected",
            b'"v1.connected"',
            b'["v1.connected"]',
            b'["res", "v1.connected"]',
            b'{"v1.connected":"res"}',
            b'{"RES":"v1.connected"}',
            b'{"res":["v1.connected"]}',
            b'{"res":{"res":"v1.connected"}}',
            b'{"res":"v1.message","data":{"res":"v1.connected"}}',
            b'{"res":"v1.message","data":"{\\"res\\":\\"v1.connected\\"}"}',
            b'{"res":"v1.channels.message","data":{"message":"v1.connected"}}',
            b'{"res":"v1.channels.message","data":{"message":["v1.connected"]}}',
            b'{"data":{"res":"v1.connected"}}',
            b'{"res":"v1.connected","res":"v1.message"}',
            b'{"res":"v1.connected"',
            b'{"res":"v1.connected"}}',
            b'{"res":"v1.connected"} {}',
            b"{'res':'v1.connected'}",
            b'{"res":"v1.connected\\u0000"}',
        ],
    )
    def test_no_message_that_only_mentions_it_does(self, message: bytes) -> None:
        assert read(message) is None

    @given(data=JSON)
    def test_whatever_players_write_to_each_other(self, data: object) -> None:
        pushed = {"res": "v1.channels.message", "data": [data, "v1.connected", "v1.error"]}
        assert read(pushed) is None


class TestErrors:
    """What the server complains about, reduced to a closed set of names."""

    @pytest.mark.parametrize("code", sorted(ERROR_CODES))
    def test_each_code_is_a_remark(self, code: str) -> None:
        error = {"res": "v1.error", "data": {"errorCode": code, "message": "secret"}}
        assert read(error) == Remark(f"talo_error_{code.lower()}")

    def test_a_name_is_lower_case_and_says_whose_it_is(self) -> None:
        error = {"res": "v1.error", "data": {"errorCode": "RATE_LIMIT_EXCEEDED"}}
        assert read(error) == Remark("talo_error_rate_limit_exceeded")

    def test_these_codes_are_known(self) -> None:
        assert len(ERROR_CODES) == 12
        assert {"RATE_LIMIT_EXCEEDED", "INVALID_SOCKET_TOKEN", "LISTENER_ERROR"} <= ERROR_CODES

    @pytest.mark.parametrize(
        "data",
        [
            {"errorCode": "SOMETHING_NEW"},
            {"errorCode": "rate_limit_exceeded"},
            {"errorCode": ""},
            {"errorCode": None},
            {"errorCode": 7},
            {"errorCode": ["RATE_LIMIT_EXCEEDED"]},
            {"errorCode": {"RATE_LIMIT_EXCEEDED": 1}},
            {"code": "RATE_LIMIT_EXCEEDED"},
            {},
            [],
            "RATE_LIMIT_EXCEEDED",
            None,
        ],
    )
    def test_any_other_is_just_an_error(self, data: object) -> None:
        assert read({"res": "v1.error", "data": data}) == Remark("talo_error_other")

    def test_an_error_without_data_is_one_too(self) -> None:
        assert read({"res": "v1.error"}) == Remark("talo_error_other")


class TestCloseCodes:
    """What the server means by them."""

    @pytest.mark.parametrize("code", CLOSE_MEANINGS)
    def test_a_code_that_means_something_here_is_explained(self, code: int) -> None:
        assert Talo().closed(code) == CLOSE_MEANINGS[code]
        assert Talo().closed(code).startswith("the ")

    def test_a_refused_ticket_is_told_from_a_rate_limit(self) -> None:
        assert "ticket" in Talo().closed(3000)
        assert "rate limit" in Talo().closed(1008)

    @pytest.mark.parametrize("code", [1000, 1001, 1006, 4000])
    def test_no_other_code_is(self, code: int) -> None:
        assert Talo().closed(code) == ""


class TestHostileMessages:
    """Reading never raises, and never finds an echo where there is none."""

    @pytest.mark.parametrize(
        "data",
        [
            b"\xff\xfe",
            b'{"res":"v1.connected","data":"\xff"}',
            b'\xef\xbb\xbf{"data":"v1.connected"}',
            '{"res":"v1.connected"}'.encode("utf-16"),
            b'"v1.connected"' + b"\x00" * 3,
            b'{"res":"v1.message","data":["v1.connected",' + b"9" * 100_000 + b"]}",
            b'{"res":"v1.message","data":["v1.error",1e999999,-1e999999,NaN]}',
            b'{"a":"v1.error","b":' + b"[" * 200_000,
            b'{"a":"v1.connected","b":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001,
            b'"v1.connected"' * 10_000,
            b'{"res":"v1.message","data":"\\ud800","x":"v1.error"}',
        ],
    )
    def test_what_means_nothing_means_nothing(self, data: bytes) -> None:
        assert read(data) is None

    def test_large_numbers_beside_it_do_not_hide_that_the_server_is_ready(self) -> None:
        assert read(b'{"res":"v1.connected","data":1e99999}') == Usable()

    @given(data=st.binary(), text=st.booleans())
    @example(data=b"v1.heartbeat", text=False)
    def test_any_bytes_can_be_read(self, data: bytes, text: bool) -> None:
        meaning = Talo().read(data, text=text)
        assert isinstance(meaning, Echo) == (data == b"v1.heartbeat" and text)

    @given(envelope=JSON | st.dictionaries(st.sampled_from(["res", "data", "errorCode"]), JSON))
    def test_any_json_can_be_read(self, envelope: object) -> None:
        assert read(envelope) is None

    @given(
        res=st.sampled_from(["v1.connected", "v1.error"]),
        cut=st.integers(0, 60),
        noise=st.binary(max_size=4),
    )
    def test_any_damaged_envelope_can_be_read(self, res: str, cut: int, noise: bytes) -> None:
        data = json.dumps({"res": res, "data": {"errorCode": "NO_PLAYER_FOUND"}}).encode()
        assert not isinstance(read(data[:cut] + noise + data[cut:]), Echo)
