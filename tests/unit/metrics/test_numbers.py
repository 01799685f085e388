"""Numbers are written as `prometheus_client` writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from monitor.metrics.numbers import (
    REMEMBERED,
    write_bound,
    write_end,
    write_ends,
    write_moments,
    write_number,
)

WHOLE = st.integers(0, 2**21)

NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    WHOLE,
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
def test_the_end_of_a_line_is_its_number(number: float) -> None:
    """Whether it is remembered or not."""
    end = f"{write_number(number)}\n".encode()
    assert [write_end(number), write_end(number)] == [end, end]


SOME = st.one_of(st.floats(), st.floats(0, 1e7), st.floats(1e-7, 1e-3), WHOLE.map(float))


@given(st.lists(SOME, min_size=1))
def test_many_ends_are_written_as_one_is(numbers: list[float]) -> None:
    """Whether they need an exponent or not."""
    assert write_ends(numbers) == list(map(write_end, numbers))


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ([0.0, -0.0, 1.5, -1.5], [b"0.0\n", b"0.0\n", b"1.5\n", b"-1.5\n"]),
        ([0.0001, 0.000099, 1e-5, 2.1e-9], [b"0.0001\n", b"9.9e-05\n", b"1e-05\n", b"2.1e-09\n"]),
        ([999_999.5, 1e6, 1e16], [b"999999.5\n", b"1e+06\n", b"1e+16\n"]),
        ([float("inf"), 1.0, float("nan")], [b"+Inf\n", b"1.0\n", b"NaN\n"]),
    ],
)
def test_how_many_ends_look(numbers: list[float], written: list[bytes]) -> None:
    """The edges of what can be written in one go."""
    assert write_ends(numbers) == written


MOMENTS = st.integers(-(10**14), 10**14) | st.integers(10**12 - 2, 10**13 + 2)
ROUND = st.integers(1, 9).map(lambda digit: digit * 10**12)


@given(
    st.lists(MOMENTS, min_size=1) | st.lists(ROUND | st.integers(10**12, 10**13 - 1), min_size=1)
)
def test_moments_are_written_as_any_number_is(milliseconds: list[int]) -> None:
    """Whenever they are."""
    assert write_moments(milliseconds) == [write_end(each / 1000) for each in milliseconds]


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [
        (1_732_579_200_125, b"1.732579200125e+09\n"),
        (10**12, b"1e+09\n"),
        (2 * 10**12, b"2e+09\n"),
        (10**12 - 1, b"9.99999999999e+08\n"),
        (10**13, b"1e+10\n"),
        (0, b"0.0\n"),
    ],
)
def test_how_moments_look(milliseconds: int, written: bytes) -> None:
    """Round ones, and those before 2001 and from 2286 on."""
    assert write_moments([milliseconds, 1_732_579_200_000]) == [written, b"1.7325792e+09\n"]


def test_only_so_many_numbers_are_remembered() -> None:
    """Every sum of RTTs would be, for ever."""
    for number in range(2 * REMEMBERED):
        write_end(number + 0.5)
    assert write_end.cache_info().currsize == REMEMBERED
