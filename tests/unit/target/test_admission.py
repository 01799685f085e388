"""The checks between the 101 and `v1.connected`."""

from monitor.target.admission import Admission, Verdict
from monitor.target.credentials import Credentials
from monitor.target.faults import Faults
from monitor.target.tickets import TicketBook

NO_FAULT = Faults()


class Desk:
    """A ticket book with one ticket, `t`, of a known key."""

    def __init__(self) -> None:
        self.tickets = TicketBook(ttl=300)
        self.tickets.issue("t", "a.b.c", now=0)
        self.credentials = Credentials(None)
        self.credentials.key_from("Bearer a.b.c")

    def advance(self, admission: Admission, now: float, faults: Faults = NO_FAULT) -> Verdict:
        """Let the admission go as far as it can."""
        return admission.advance(now, faults, self.tickets, self.credentials)


def test_a_good_ticket_admits_once() -> None:
    """The second socket with it is refused."""
    desk = Desk()
    assert desk.advance(Admission("t"), 0) is Verdict.ADMITTED
    assert desk.advance(Admission("t"), 0) is Verdict.REFUSED


def test_an_unknown_and_an_expired_ticket_are_refused() -> None:
    """They look the same to the client."""
    assert Desk().advance(Admission(""), 0) is Verdict.REFUSED
    assert Desk().advance(Admission("t"), 300) is Verdict.REFUSED


def test_a_revoked_key_is_refused() -> None:
    """Even if its ticket is older than the revocation."""
    desk = Desk()
    desk.credentials.revoke()
    assert desk.advance(Admission("t"), 0) is Verdict.REFUSED


def test_with_redis_frozen_the_ticket_is_not_looked_up_yet() -> None:
    """So it can expire in the meantime, and another socket can be first."""
    desk, admission = Desk(), Admission("t")
    assert desk.advance(admission, 0, Faults(stall_messages=True)) is Verdict.WAITING
    assert desk.advance(Admission("t"), 1) is Verdict.ADMITTED
    assert desk.advance(admission, 2) is Verdict.REFUSED


def test_with_the_database_stalled_the_ticket_is_used_up_and_good_on_release() -> None:
    """It does not expire any more."""
    desk, admission = Desk(), Admission("t")
    assert desk.advance(admission, 0, Faults(database_stalled=True)) is Verdict.WAITING
    assert desk.advance(Admission("t"), 1) is Verdict.REFUSED
    assert desk.advance(admission, 1000) is Verdict.ADMITTED


def test_with_the_database_stalled_an_unknown_ticket_is_refused_at_once() -> None:
    """Redis has said so before the database is asked."""
    verdict = Desk().advance(Admission(""), 0, Faults(database_stalled=True))
    assert verdict is Verdict.REFUSED


def test_with_the_database_down_the_ticket_is_used_up_and_refused() -> None:
    """Also when it goes down while the socket waits for it."""
    desk, admission = Desk(), Admission("t")
    desk.advance(admission, 0, Faults(database_stalled=True))
    assert desk.advance(admission, 0, Faults(database_down=True)) is Verdict.REFUSED
