"""What a source said last is kept, part by part, until it says something else."""

from monitor.config import target_with
from monitor.discovery.source import Failed, Known

A, B, C = (target_with(address, {}) for address in ("a", "b", "c"))


def test_a_part_that_fails_keeps_its_last_answer_and_the_others_do_not_wait_for_it() -> None:
    """One broken file out of many."""
    known = Known({}).after({"x": (A,), "y": (B,)})
    assert (known.targets, known.problems) == ((A, B), ())
    known = known.after({"x": Failed("x is broken"), "y": (C,)})
    assert (known.targets, known.problems) == ((A, C), ("x is broken",))
    known = known.after({"x": (), "y": (C,)})
    assert (known.targets, known.problems) == ((C,), ())


def test_a_part_that_is_left_out_is_gone() -> None:
    """A file that was deleted."""
    known = Known({}).after({"x": (A,), "y": (B,)}).after({"y": (B,)})
    assert known.targets == (B,)


def test_a_part_that_never_answered_has_no_targets() -> None:
    """And stays known, so that it can fail again."""
    known = Known({}).after({"x": Failed("no")})
    assert (known.targets, known.problems) == ((), ("no",))
    assert known.after({"x": Failed("no")}).targets == ()


def test_a_source_that_cannot_be_asked_keeps_everything() -> None:
    """And says why."""
    known = Known({}).after({"x": (A,), "y": Failed("old")}).after_failure("no answer")
    assert (known.targets, known.problems) == ((A,), ("no answer",))


def test_the_order_of_answers_does_not_matter_and_each_target_counts_once() -> None:
    """Name servers shuffle their records."""
    assert Known({}).after({"x": (C, A), "y": (B, A)}).targets == (A, B, C)
