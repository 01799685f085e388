"""YAML becomes plain values by YAML 1.2's rules, and every value keeps its line."""

import pytest
import yaml

from monitor.config import document
from monitor.config.document import DocumentError, read_document


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ('"5"', "5"),
        ("'true'", "true"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_what_yaml_1_1_would_turn_into_something_else_stays_text(written: str, meant: str) -> None:
    """PyYAML's own loader makes booleans, 90, 8, a date or a ValueError of them."""
    assert read_document(f"key: {written}").root == {"key": meant}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("1.50", 1.5),
        ("", None),
        ("~", None),
        ("null", None),
        ("[1, [a]]", [1, ["a"]]),
    ],
)
def test_plain_numbers_booleans_and_nulls_are_what_they_look_like(
    written: str, meant: object
) -> None:
    """And of exactly that type: True is no 1."""
    value = read_document(f"key: {written}").root
    assert value == {"key": meant}
    assert isinstance(value, dict)
    assert type(value["key"]) is type(meant)


def test_every_key_is_text() -> None:
    """A header or a query parameter may well be called `on`."""
    assert read_document("{on: 1, 010: 2, true: 3, 5: 4}").root == {
        "on": 1,
        "010": 2,
        "true": 3,
        "5": 4,
    }


def test_a_scalar_has_its_own_line_and_a_collection_that_of_its_key() -> None:
    """Each is where one would put the cursor to mend it."""
    read = read_document(
        "a:\n"  # 1
        "  b:\n"  # 2
        "    1\n"  # 3
        "  c: {d: 1,\n"  # 4
        "      e:\n"  # 5
        "        2}\n"  # 6
        "f:\n"  # 7
        "  - g\n"  # 8
        "  - h: 1\n"  # 9
        "    i: |\n"  # 10
        "      text\n"  # 11
        "  - [1,\n"  # 12
        "     2]\n"  # 13
    )
    lines = {path: read.line_of(path) for path in read.value_lines if path}
    assert lines == {
        ("a",): 1,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", "d"): 4,
        ("a", "c", "e"): 6,
        ("f",): 7,
        ("f", 0): 8,
        ("f", 1): 9,
        ("f", 1, "h"): 9,
        ("f", 1, "i"): 10,
        ("f", 2): 12,
        ("f", 2, 0): 12,
        ("f", 2, 1): 13,
    }
    assert read.line_of(("a", "b"), of_key=True) == 2
    assert read.line_of(("f", 1, "missing", "deeper")) == 9


def test_the_first_of_two_equal_keys_counts_and_the_second_is_reported() -> None:
    """So that what else is wrong can be said in the same run."""
    read = read_document("a: 1\nb: 2\na: {c: [3]}\nd: 4\n")
    assert read.root == {"a": 1, "b": 2, "d": 4}
    assert [(fault.line, fault.path) for fault in read.faults] == [(3, ("a",))]


def test_an_alias_is_refused_before_it_can_expand() -> None:
    """Twenty doublings would make a million values."""
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    assert len(read_document(bomb).faults) == 1 + 20 * 3


def test_deep_nesting_ends_in_one_error_not_in_a_crash() -> None:
    """The reader recurses; its limit is far below Python's."""
    with pytest.raises(DocumentError, match="nested more than"):
        read_document("- " * 50_000)


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem() -> None:
    """Editors on Windows write both."""
    read = read_document("\ufeffa: 1\r\nb: 2\r\n")
    assert read.root == {"a": 1, "b": 2}
    assert read.line_of(("b",)) == 2


def test_half_a_surrogate_pair_is_refused_whichever_parser_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No UTF-8 could carry it to a page or a scrape."""
    text = 'a: 1\nb: "\\ud800"\n'
    with pytest.raises(DocumentError) as caught:
        read_document(text)
    assert caught.value.line == 2
    monkeypatch.setattr(document, "_PARSER", yaml.SafeLoader)
    assert [fault.line for fault in read_document(text).faults] == [2]
