"""The `ping` protocol: keys in the payloads of control frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.dialects.control import Control, ping_key, ping_payload

PAYLOAD_LIMIT = 125
"""Most bytes in a control frame's payload (RFC 6455 section 5.5)."""

KEYS = st.integers(0, 10**20 - 1)


class TestPingPayloads:
    """Only a pong that repeats our payload to the byte answers a ping."""

    def test_a_payload_names_the_connection_and_the_heartbeat(self) -> None:
        assert ping_payload(b"c0ffee", 17) == b"c0ffee-17"

    @given(nonce=st.binary(max_size=32), key=KEYS)
    def test_a_pong_with_a_pings_payload_answers_it(self, nonce: bytes, key: int) -> None:
        assert ping_key(nonce, ping_payload(nonce, key)) == key

    @given(key=KEYS)
    def test_a_payload_fits_into_a_control_frame(self, key: int) -> None:
        assert len(ping_payload(bytes(16), key)) <= PAYLOAD_LIMIT

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"17",
            b"-17",
            b"c0ffee",
            b"c0ffee-",
            b"c0ffee17",
            b"c0ffee--17",
            b"c0ffee-017",
            b"c0ffee-+17",
            b"c0ffee- 17",
            b"c0ffee-17 ",
            b"c0ffee-17\n",
            b"c0ffee-1_7",
            b"c0ffee-\xd9\xa1",
            b"c0ffee-0x11",
            b"c0ffee-17-17",
            b"c0ffef-17",
            b"xc0ffee-17",
            b"c0ffee-" + b"9" * 21,
            b"c0ffee-" + b"9" * 5000,
        ],
    )
    def test_no_other_payload_answers_anything(self, payload: bytes) -> None:
        assert ping_key(b"c0ffee", payload) is None

    @given(nonce=st.binary(max_size=8), payload=st.binary())
    def test_any_payload_is_read_and_only_our_own_names_a_key(
        self, nonce: bytes, payload: bytes
    ) -> None:
        key = ping_key(nonce, payload)
        assert key is None or payload == ping_payload(nonce, key)


class TestControl:
    """A connection that is only pinged."""

    def test_the_accepted_upgrade_is_enough(self) -> None:
        assert Control().usable_at_once
        assert Control().opening() == ()

    def test_it_has_no_message_heartbeat(self) -> None:
        assert not Control().numbered
        with pytest.raises(NotImplementedError, match=r"no message heartbeat \(asked for 3\)$"):
            Control().heartbeat(3)

    @given(data=st.binary(), text=st.booleans())
    def test_no_message_concerns_it(self, data: bytes, text: bool) -> None:
        assert Control().read(data, text=text) is None

    @pytest.mark.parametrize("code", [1000, 1006, 3000])
    def test_no_close_code_is_special(self, code: int) -> None:
        assert Control().closed(code) == ""
