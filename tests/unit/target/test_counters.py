"""The target's books as JSON."""

from monitor.target.counters import Counters


def test_close_codes_become_text_in_order() -> None:
    """JSON has no other keys."""
    counters = Counters(echoes_sent=2)
    counters.close_codes_received.update([3000, 1000, 1000])
    values = counters.to_json()
    assert values["echoes_sent"] == 2
    assert list(values["close_codes_received"].items()) == [("1000", 2), ("3000", 1)]
