"""Why the fleet is changed, in sentences."""

from farm.scheduling.scaling_reasons import change_reasons
from farm.scheduling.values import Change, Limits, Member

LIMITS = Limits(floor=2, ceiling=8, idle_s=300)


def member(name, pool="gpu", idle=None, *, ready=True, draining=False):
    return Member(
        name=name, pool=pool, since=0, is_ready=ready, idle_since=idle, is_draining=draining
    )


def reasons(change, fleet=(), waiting=0, now=1_000.0):
    return change_reasons(change, fleet, LIMITS, waiting_chunks=waiting, now=now)


def test_no_change_has_no_reason():
    assert reasons(Change(), waiting=9) == []


def test_workers_are_asked_for_because_chunks_wait():
    fleet = [member("a"), member("b"), member("leaves", draining=True)]
    rest = "14 chunks wait, and 2 workers are there of 8 at most."
    assert reasons(Change(start=("gpu", "gpu", "spot")), fleet, waiting=14) == [
        f"2 workers of pool gpu were asked for: {rest}",
        f"1 worker of pool spot was asked for: {rest}",
    ]


def test_below_the_floor_they_are_asked_for_whatever_waits():
    for waiting in (0, 5):
        (sentence,) = reasons(Change(start=("gpu",)), [member("a")], waiting)
        assert sentence.endswith("there must be 2 at least, and 1 worker is there.")


def test_idle_workers_end_with_how_long_they_waited():
    (sentence,) = reasons(Change(end=("a",)), [member("a", idle=650.0)])
    assert sentence == (
        "a has ended: it had nothing to paint for 350 s, and workers stay idle for 300 s at most."
    )


def test_a_pool_that_gives_none_is_told_once_and_not_for_each_worker():
    fleet = [member("a", "spot", ready=False), member("b", ready=False)]
    assert reasons(Change(withdraw=("a", "b"), cool=frozenset({"spot"})), fleet) == [
        "b was asked for and is not needed any more.",
        "No worker came from pool spot in time: it is left alone for 10 minutes.",
    ]
