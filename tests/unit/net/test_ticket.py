"""What a ticket endpoint says is read narrowly, and what it is shown is never shown again."""

import pytest

from monitor.net.ticket import TicketPlan, TicketRefusedError, _ticket_in, parse_retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("1.5", 0),
        ("-5", 0),
        ("+5", 0),
        ("5s", 0),
        ("\N{ARABIC-INDIC DIGIT FIVE}", 0),
        ("\N{SUPERSCRIPT TWO}", 0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
        ("9" * 400, 999_999_999),
    ],
)
def test_retry_after_counts_in_seconds_only(value: str | None, seconds: float) -> None:
    """A date would need the peer's clock to be right; nonsense asks for nothing."""
    assert parse_retry_after(value) == seconds


def test_a_ticket_is_a_string_in_a_json_object() -> None:
    """As Talo answers."""
    assert _ticket_in(b'{"ticket": "abc", "more": 1}') == "abc"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hidden",
        b"\xff\xfe\xfd hidden",
        b'"hidden"',
        b'["hidden"]',
        b'{"tocket": "hidden"}',
        b'{"ticket": ""}',
        b'{"ticket": null, "x": "hidden"}',
        b'{"ticket": 5}',
        b'{"ticket": ["hidden"]}',
        b"[" * 60_000,
    ],
)
def test_anything_else_is_no_ticket_and_is_not_repeated(body: bytes) -> None:
    """The text is ours alone."""
    with pytest.raises(TicketRefusedError) as caught:
        _ticket_in(body)
    assert str(caught.value) == "the ticket endpoint's answer holds no ticket"
    assert caught.value.retry_after == 0


def test_a_plan_does_not_show_its_secrets() -> None:
    """Neither the key nor the URL."""
    plan = TicketPlan("https://h.example/hidden", "hidden")
    assert "hidden" not in f"{plan} {plan!r}"
