"""What lasts is set aside, so that a collection has little to look at."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from monitor.heap import Heap


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Leave nothing set aside."""
    yield
    gc.unfreeze()


class Circle:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.me = self


def circle() -> "weakref.ref[Circle]":
    """Return a reference to a circle that nobody else refers to."""
    return weakref.ref(Circle())


class TestTheStart:
    """Until every probe has tried to connect."""

    def test_what_is_new_is_set_aside_again_and_again(self) -> None:
        heap = Heap(lambda: ["a"], lambda: False)
        heap.look()
        before, new = gc.get_freeze_count(), [[] for _ in range(1000)]
        heap.look()
        assert gc.get_freeze_count() - before >= len(new)

    def test_what_is_garbage_already_is_not(self) -> None:
        heap, garbage = Heap(lambda: ["a"], lambda: False), circle()
        heap.look()
        assert garbage() is None


class TestLater:
    """Once they have."""

    def test_nothing_more_is_set_aside_while_the_probes_stay(self) -> None:
        probes = [f"p{number}" for number in range(8)]
        heap = Heap(lambda: probes, lambda: True)
        heap.look()
        before = gc.get_freeze_count()
        probes = [*probes, "another", "and another"]
        heap.changed()
        kept = [[] for _ in range(1000)]
        heap.look()
        assert gc.get_freeze_count() <= before
        assert kept

    def test_what_was_set_aside_is_looked_at_again_when_many_came_or_went(self) -> None:
        probes = [f"p{number}" for number in range(8)]
        heap, held = Heap(lambda: probes, lambda: True), Circle()
        garbage = weakref.ref(held)
        heap.look()
        del held
        gc.collect()
        assert garbage() is not None
        probes = probes[:5]
        heap.changed()
        heap.look()
        assert garbage() is None
        before = gc.get_freeze_count()
        heap.look()
        assert gc.get_freeze_count() <= before

    def test_nothing_is_compared_while_nobody_says_that_they_changed(self) -> None:
        """Ten thousand names would be gone through every two seconds."""
        asked: list[bool] = []

        def probes() -> list[str]:
            asked.append(True)
            return ["a"]

        heap = Heap(probes, lambda: True)
        heap.look()
        asked.clear()
        heap.look()
        assert not asked
        heap.changed()
        heap.look()
        heap.look()
        assert len(asked) == 1


class TestRest:
    """Somebody makes much that is soon gone."""

    def test_nothing_is_collected_meanwhile(self) -> None:
        heap = Heap(lambda: ["a"], lambda: False)
        with heap.rest():
            assert not gc.isenabled()
            garbage = circle()
            heap.look()
            assert garbage() is not None
        assert gc.isenabled()
        heap.look()
        assert garbage() is None

    def test_it_ends_with_the_last_one_who_wants_it(self) -> None:
        heap = Heap(lambda: ["a"], lambda: False)
        with heap.rest():
            with heap.rest():
                pass
            assert not gc.isenabled()
        assert gc.isenabled()

    def test_it_ends_also_when_something_goes_wrong(self) -> None:
        heap = Heap(lambda: ["a"], lambda: False)
        with pytest.raises(RuntimeError), heap.rest():
            raise RuntimeError
        assert gc.isenabled()
