"""Small versions of the benchmarks, as ratios with generous bounds."""

from pathlib import Path

from benchmarks import accuracy, cost


def test_scrapes_do_not_end_up_in_the_round_trips(tmp_path: Path) -> None:
    """A packet capture agrees with us, and far less with whoever stamps around send and recv."""
    ours, usual = accuracy.measure(tmp_path, probes=500, beats=200, seconds=4, scrape=True)
    assert len(ours.values) > 300
    assert ours.unmatched < 10
    assert ours.p99 * 3 < usual.p99


def test_a_beat_costs_little_more_than_the_library_needs(tmp_path: Path) -> None:
    """Against a bare loop over it, without any accounting."""
    load = cost.Load(400, 1.0, 4.0, scraped=False)
    costs = cost.measure(tmp_path, load, rounds=1, names=("ours", "floor"))
    assert costs["ours"] < 4 * costs["floor"]
