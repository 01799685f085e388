"""Durations, sizes and addresses: what is read, what is refused, and that it comes back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import ListenAddress, format_duration, parse_duration
from monitor.config.values import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("25s", 25.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("2.5ms", 0.0025),
        ("100us", 0.0001),
        ("1m0.5s", 60.5),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    """As a float, whatever the unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "25",
        "s",
        "25 s",
        " 25s",
        "25S",
        "-1s",
        "+1s",
        "1.s",
        ".5s",
        "1e3s",
        "1s1s",
        "1s1m",
        "1:30",
        "٣s",
        "1s\n",
        "1_0s",
        "0.1us",
        "9" * 40 + "s",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(ValueError, match=r"^[a-z]{1,6} "):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=400 * 86_400 * 1_000_000))
def test_a_duration_comes_back_from_its_text(microseconds: int) -> None:
    """To the microsecond, for more than a year."""
    seconds = microseconds / 1_000_000
    assert parse_duration(format_duration(seconds)) == seconds


@given(
    st.integers(0, 999),
    st.integers(0, 999),
    st.sampled_from([("h", 3600), ("m", 60), ("s", 1), ("ms", Fraction(1, 1000))]),
)
def test_decimals_are_exact(whole: int, thousandths: int, unit: tuple[str, int | Fraction]) -> None:
    """They go through whole microseconds, not through float arithmetic."""
    name, scale = unit
    exact = (whole + Fraction(thousandths, 1000)) * scale
    assert parse_duration(f"{whole}.{thousandths:03}{name}") == float(exact)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "90s"), (5400, "90m"), (7200, "2h"), (0.0025, "2.5ms"), (1.5, "1.5s"), (0, "0us")],
)
def test_a_duration_is_written_the_short_way(seconds: float, text: str) -> None:
    """As a person would."""
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_size_comes_back_from_its_text(size: int) -> None:
    """To the byte."""
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("text", ["", "5", "1KB", "1kib", "1.5MiB", "-1B", "1 MiB", "B", "1BB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Units of 1000 too: nobody agrees what KB means."""
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:10440", "0.0.0.0", 10440),
        ("[::1]:10440", "::1", 10440),
        (":10440", "", 10440),
        ("localhost:0", "localhost", 0),
    ],
)
def test_an_address_is_read_and_written(text: str, host: str, port: int) -> None:
    """The text is the same again."""
    address = ListenAddress.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "10440", "::1:80", "[::1]", "h:", "h:-1", "h:65536", "1.2.3:80", "[h]:80", "a b:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(ValueError, match=r"^[a-z]{1,6} "):
        ListenAddress.parse(text)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (":80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_addresses_clash_on_the_same_port_and_host(one: str, other: str, clash: bool) -> None:
    """Every interface includes each; port 0 is a different one each time."""
    assert ListenAddress.parse(one).overlaps(ListenAddress.parse(other)) is clash


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        (":1", False),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("example.org:1", False),
    ],
)
def test_loopback_is_told_from_the_rest(text: str, loopback: bool) -> None:
    """What is not certainly loopback is not."""
    assert ListenAddress.parse(text).is_loopback is loopback
