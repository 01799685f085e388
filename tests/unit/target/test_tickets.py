"""A ticket is good once, and for a while."""

from monitor.target.tickets import TicketBook


def test_a_ticket_is_redeemed_once() -> None:
    """The second use finds nothing."""
    book = TicketBook(ttl=300)
    book.issue("t", "key", now=0)
    assert book.redeem("t", now=1) == "key"
    assert book.redeem("t", now=1) is None


def test_an_unknown_ticket_has_no_key() -> None:
    """Neither has the empty one, which a URL without a ticket brings."""
    book = TicketBook(ttl=300)
    assert book.redeem("t", now=0) is None
    assert book.redeem("", now=0) is None


def test_a_ticket_expires_at_its_ttl() -> None:
    """The interval is half-open."""
    book = TicketBook(ttl=300)
    book.issue("early", "key", now=0)
    book.issue("late", "key", now=0)
    assert book.redeem("early", now=299.9) == "key"
    assert book.redeem("late", now=300) is None


def test_expired_tickets_are_forgotten() -> None:
    """Tickets that nobody uses do not pile up."""
    book = TicketBook(ttl=300)
    for second in range(1000):
        book.issue(f"t{second}", "key", now=second)
    assert len(book) == 300
    assert book.redeem("t999", now=999) == "key"
