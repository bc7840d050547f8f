"""The collector of cycles: what a long collection has looked at is not looked at again."""

import gc
import weakref

import pytest

from farm.api.pauses import LONG_S, short_pauses


def clock(seconds):
    """Each collection takes so long."""
    now = 0.0

    def read():
        nonlocal now
        now += seconds
        return now

    return read


class Node:
    pass


def cycle():
    node = Node()
    node.self = node
    return weakref.ref(node)


def test_after_a_long_collection_what_is_in_use_is_not_looked_at_any_more():
    with short_pauses(clock(LONG_S * 2)):
        at_first = gc.get_freeze_count()
        assert at_first > 10_000
        more = [[] for _ in range(1_000)]
        gc.collect()
        kept = gc.get_freeze_count()
        assert kept >= at_first + len(more)
        later = cycle()
        gc.collect()
        assert later() is None  # new ones are found as before
        assert gc.get_freeze_count() >= kept
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(("seconds", "generation"), [(LONG_S / 2, 2), (LONG_S * 2, 1)])
def test_short_collections_and_those_of_young_objects_change_nothing(seconds, generation):
    with short_pauses(clock(seconds)):
        at_first = gc.get_freeze_count()
        more = [[] for _ in range(1_000)]
        gc.collect(generation)
        assert gc.get_freeze_count() <= at_first
        assert len(more) == 1_000


def test_nothing_is_left_behind_whatever_happens():
    before = list(gc.callbacks)

    def fail():
        with short_pauses(clock(LONG_S * 2)):
            gc.collect()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.callbacks == before
    assert gc.get_freeze_count() == 0
