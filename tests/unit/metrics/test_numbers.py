"""Numbers are written as `prometheus_client` writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from monitor.metrics.numbers import (
    REMEMBERED,
    Ends,
    write_bound,
    write_end,
    write_ends,
    write_number,
)

NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.integers(0, 2**21),
    st.floats(),
    st.floats(1e5, 1e17),
    st.booleans(),
)


@given(NUMBERS)
def test_any_number_is_written_as_the_library_does(number: float) -> None:
    """Whatever it is; a zero has no sign here."""
    unsigned = 0 if number == 0 else number
    assert write_number(number) == floatToGoString(unsigned)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0.0"),
        (-0.0, "0.0"),
        (2048, "2048.0"),
        (-5, "-5.0"),
        (-(10**30), "-1e+30"),
        (999_999, "999999.0"),
        (1_000_000, "1e+06"),
        (1_732_579_200.125, "1.732579200125e+09"),
        (2.5e15, "2.5e+15"),
        (1e16, "1e+16"),
        (1.5e17, "1.5e+17"),
        (-1_000_000, "-1000000.0"),
        (999_999.5, "999999.5"),
        (1_234_567.5, "1.2345675e+06"),
        (1e-7, "1e-07"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_how_numbers_look(number: float, written: str) -> None:
    """The edges of every way to write them."""
    assert write_number(number) == written


def test_infinity_bounds_the_last_bucket() -> None:
    """And is written as the formats have it."""
    assert [write_bound(bound) for bound in (0.005, 30.0, float("inf"))] == [
        "0.005",
        "30.0",
        "+Inf",
    ]


@given(NUMBERS)
def test_the_end_of_a_line_follows_its_labels(number: float) -> None:
    """Whether it is remembered or not."""
    end = f"}} {write_number(number)}\n".encode()
    assert [write_end(number), Ends()[number]] == [end, end]


@given(st.lists(st.floats(allow_nan=False) | st.floats(0, 1e7), min_size=1))
def test_many_ends_are_written_as_one_is(numbers: list[float]) -> None:
    """Whether they can be written in one go or not."""
    assert write_ends(numbers) == list(map(write_end, numbers))


def test_equal_numbers_are_remembered_once() -> None:
    """Whole or not."""
    ends = Ends()
    assert ends[17.0] is ends[17]


def test_only_so_many_numbers_are_remembered() -> None:
    """Every sum of RTTs would be, for ever."""
    ends = Ends()
    sizes = [len(ends) for number in range(2 * REMEMBERED) if ends[number + 0.5]]
    assert max(sizes) == REMEMBERED
