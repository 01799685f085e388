"""The `text` protocol: a payload out, a payload back, with or without `{id}`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.dialects.dialect import Echo, Frame
from monitor.dialects.text import Template, Text

KEYS = st.integers(0, 10**20 - 1)
LITERALS = st.binary(max_size=12).filter(lambda literal: b"{id}" not in literal)


def text(send: bytes, expect: bytes | None = None) -> Text:
    """A dialect that expects what it sends, unless told otherwise."""
    return Text(Template(send), Template(send if expect is None else expect))


class TestTemplates:
    """Payloads with a place for a number."""

    def test_a_template_with_an_id_is_numbered(self) -> None:
        assert Template(b"beat {id}").numbered
        assert not Template(b"beat {ID} {}").numbered

    def test_every_placeholder_takes_the_key(self) -> None:
        assert Template(b"{id}, {id}!").fill(12) == Frame(b"12, 12!", text=True)

    def test_a_payload_without_a_placeholder_is_always_the_same(self) -> None:
        assert Template(b"\x00beat", text=False).fill(12) == Frame(b"\x00beat", text=False)


class TestWithoutAnId:
    """Every echo is the same."""

    def test_heartbeats_are_what_the_config_says(self) -> None:
        dialect = text(b"beat")
        assert not dialect.numbered
        assert dialect.heartbeat(1) == dialect.heartbeat(2) == Frame(b"beat")

    def test_the_expected_payload_is_an_echo(self) -> None:
        assert text(b"ping", b"pong").read(b"pong", text=True) == Echo(None)

    @pytest.mark.parametrize(
        "data", [b"", b"pon", b"pongs", b" pong", b"pong\n", b"Pong", b"ping", b"pong pong"]
    )
    def test_anything_else_is_none(self, data: bytes) -> None:
        assert text(b"ping", b"pong").read(data, text=True) is None

    def test_text_and_binary_are_not_the_same(self) -> None:
        assert text(b"beat").read(b"beat", text=False) is None
        binary = Text(Template(b"beat"), Template(b"beat", text=False))
        assert binary.read(b"beat", text=True) is None
        assert binary.read(b"beat", text=False) == Echo(None)

    def test_an_empty_payload_can_be_expected(self) -> None:
        assert text(b"beat", b"").read(b"", text=True) == Echo(None)
        assert text(b"beat", b"").read(b"\n", text=True) is None

    @pytest.mark.parametrize("data", [b"a.b*c", b"(a|b)", b"[x]\\", b"^$", b"a\nb", b"\x00\xff"])
    def test_no_byte_has_a_second_meaning(self, data: bytes) -> None:
        assert text(data).read(data, text=True) == Echo(None)

    def test_a_dot_is_a_dot(self) -> None:
        assert text(b"a.c").read(b"abc", text=True) is None

    @given(expect=LITERALS, data=st.binary(), as_text=st.booleans())
    def test_only_the_expected_payload_is_an_echo(
        self, expect: bytes, data: bytes, as_text: bool
    ) -> None:
        meaning = text(b"beat", expect).read(data, text=as_text)
        assert (meaning == Echo(None)) == (data == expect and as_text)


class TestWithAnId:
    """Every echo names its heartbeat."""

    def test_heartbeats_carry_their_key(self) -> None:
        dialect = text(b"beat {id}")
        assert dialect.numbered
        assert dialect.heartbeat(17) == Frame(b"beat 17")

    @pytest.mark.parametrize("key", [0, 1, 9, 10, 12345678901234567890])
    def test_an_echo_is_of_the_key_that_it_carries(self, key: int) -> None:
        dialect = text(b"p{id}", b"{id} ok")
        assert dialect.read(b"%d ok" % key, text=True) == Echo(key)

    @pytest.mark.parametrize(
        "data",
        [
            b"beat ",
            b"beat x",
            b"beat 007",
            b"beat 00",
            b"beat -1",
            b"beat +1",
            b"beat 1.0",
            b"beat 1_0",
            b"beat 1 ",
            b"beat 1\n",
            b"beat  1",
            b"beat {id}",
            b"beat \xd9\xa1",
            b"beat \xc2\xb2",
            b"beat " + b"1" * 21,
            b"beat " + b"1" * 5000,
        ],
    )
    def test_what_no_heartbeat_of_ours_wrote_is_no_echo(self, data: bytes) -> None:
        assert text(b"beat {id}").read(data, text=True) is None

    def test_every_place_must_hold_the_same_number(self) -> None:
        dialect = text(b"{id}", b"<{id}|{id}|{id}>")
        assert dialect.read(b"<12|12|12>", text=True) == Echo(12)
        for data in (b"<12|12|13>", b"<12|13|12>", b"<12|12|12", b"<12||12>", b"<1|12|123>"):
            assert dialect.read(data, text=True) is None

    @pytest.mark.parametrize(
        ("expect", "data", "key"),
        [
            (b"1{id}", b"112", 12),
            (b"{id}1", b"121", 12),
            (b"{id}0", b"00", 0),
            (b"0{id}", b"00", 0),
            (b"{id}{id}", b"1212", 12),
            (b"{id}{id}", b"11", 1),
            (b"{id}1{id}", b"11111", 11),
            (b"{id}{id}{id}", b"777777", 77),
        ],
    )
    def test_digits_beside_it_are_not_taken_for_it(
        self, expect: bytes, data: bytes, key: int
    ) -> None:
        assert text(b"{id}", expect).read(data, text=True) == Echo(key)

    def test_text_and_binary_are_not_the_same(self) -> None:
        dialect = Text(Template(b"{id}"), Template(b"{id}", text=False))
        assert dialect.heartbeat(5) == Frame(b"5", text=True)
        assert dialect.read(b"5", text=True) is None
        assert dialect.read(b"5", text=False) == Echo(5)

    @given(literals=st.lists(LITERALS, min_size=2, max_size=4), key=KEYS)
    def test_whatever_the_template_an_echo_of_a_heartbeat_is_recognised(
        self, literals: list[bytes], key: int
    ) -> None:
        dialect = text(b"{id}".join(literals))
        assert dialect.read(dialect.heartbeat(key).data, text=True) == Echo(key)

    @given(
        literals=st.lists(st.sampled_from([b"", b"0", b"1", b"a"]), min_size=2, max_size=4),
        data=st.one_of(st.binary(), st.text("01a").map(str.encode)),
        as_text=st.booleans(),
    )
    def test_an_echo_is_what_a_heartbeat_wrote_to_the_byte(
        self, literals: list[bytes], data: bytes, as_text: bool
    ) -> None:
        dialect = text(b"{id}".join(literals))
        meaning = dialect.read(data, text=as_text)
        if isinstance(meaning, Echo):
            assert as_text
            assert meaning.key is not None
            assert dialect.heartbeat(meaning.key).data == data
        else:
            assert meaning is None


class TestText:
    """What goes for both kinds."""

    def test_the_accepted_upgrade_is_enough(self) -> None:
        assert text(b"beat").usable_at_once
        assert text(b"beat").opening() == ()

    @pytest.mark.parametrize(("send", "expect"), [(b"a {id}", b"a"), (b"a", b"a {id}")])
    def test_an_id_in_one_template_only_is_refused(self, send: bytes, expect: bytes) -> None:
        with pytest.raises(ValueError, match=r"^\{id\} must be in both send and expect, or in nei"):
            text(send, expect)

    @pytest.mark.parametrize("code", [1000, 1006, 3000])
    def test_no_close_code_is_special(self, code: int) -> None:
        assert text(b"beat").closed(code) == ""
