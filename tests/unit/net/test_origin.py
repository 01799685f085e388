"""Requests that a page of another site made."""

import pytest

from monitor.net.origin import comes_from_elsewhere, names_this_machine

HOST = {"Host": "monitor.example:10440"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://monitor.example:10440"},
        {"Origin": "HTTPS://Monitor.Example:10440"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_programs_and_our_own_pages_are_at_home(headers: dict[str, str]) -> None:
    """A program sends neither header; a browser sends both."""
    assert not comes_from_elsewhere(HOST | headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://monitor.example"},
        {"Origin": "http://monitor.example:10441"},
        {"Origin": "http://monitor.example:10440.evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://monitor.example:10440"},
    ],
)
def test_other_pages_are_not(headers: dict[str, str]) -> None:
    """Nor one of the same host and another port."""
    assert comes_from_elsewhere(HOST | headers)


def test_without_a_host_no_origin_is_ours() -> None:
    """HTTP/1.0 knows none."""
    assert comes_from_elsewhere({"Origin": "http://monitor.example"})


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LocalHost:80", True),
        ("127.0.0.1:10442", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("[::1]:10442", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("192.0.2.1", False),
        ("[", False),
        ("", False),
    ],
)
def test_names_of_this_machine(host: str, *, here: bool) -> None:
    """Only those that nobody else can give to a machine."""
    assert names_this_machine(host) is here
