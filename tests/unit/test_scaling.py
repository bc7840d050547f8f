"""How many workers there are to be: by cases, and by what must hold whatever the case."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.scheduling.scaling import changes, desired_fleet, surplus_of
from farm.scheduling.values import NO_CLASSES, Change, Limits, Member, Need, Pool

POOL = Pool(start_s=60)
SPOT = Pool(name="spot", price=0.3, start_s=120, grace_s=300)
DEMAND = Pool(name="on-demand", price=1.0, start_s=120)
LIMITS = Limits(ceiling=100)


def member(
    name="w1", pool="worker", *, since=0.0, ready=True, idle=None, draining=False, numerics=None
):
    return Member(
        name=name,
        pool=pool,
        since=since,
        is_ready=ready,
        idle_since=idle,
        is_draining=draining,
        numerics_class=numerics,
    )


def need(seconds, most=1000, **others):
    return Need(seconds=seconds, most=most, **others)


def desired(
    needs, fleet=(), pools=(POOL,), limits=LIMITS, *, waiting=1000, cooling=(), classes=NO_CLASSES
):
    return desired_fleet(
        needs, fleet, pools, limits, waiting_chunks=waiting, cooling=cooling, classes=classes
    )


def test_nothing_to_do_wants_nobody_and_anything_wants_somebody():
    assert desired([]) == {"worker": 0}
    assert desired([need(0.1)]) == {"worker": 1}


def test_as_many_as_paint_for_as_long_as_they_take_to_come():
    assert desired([need(600)]) == {"worker": 10}
    assert desired([need(600)], pools=[Pool()]) == {"worker": 100}, (
        "where they come at once, as many as may be"
    )


def test_nobody_is_started_for_work_that_ends_before_they_come():
    fleet = [member("w1"), member("w2")]
    assert desired([need(119)], fleet) == {"worker": 2}
    assert desired([need(100_000)], fleet) == {"worker": 100}


def test_more_workers_than_chunks_find_nothing_to_do():
    assert desired([need(6000)], waiting=3) == {"worker": 3}
    assert desired([need(6000, most=2), need(6000, most=3)]) == {"worker": 5}


def test_a_deadline_asks_for_more_than_would_pay():
    assert desired([need(600, due_in_s=90)]) == {"worker": 20}
    assert desired([need(600, due_in_s=30)]) == {"worker": 10}, (
        "one that is lost already gets what the others get"
    )


def test_the_cheapest_for_what_it_paints_comes_first():
    fast = Pool(name="fast", price=1.0, speed=4.0, start_s=120, limit=2)
    assert desired([need(12_000)], pools=[DEMAND, fast, SPOT], limits=Limits(ceiling=10)) == {
        "on-demand": 0,
        "fast": 2,
        "spot": 8,
    }


def test_a_pool_that_cools_off_is_not_asked_but_keeps_what_it_has():
    fleet = [member("s1", "spot")]
    assert desired([need(12_000)], fleet, [SPOT, DEMAND], Limits(ceiling=5), cooling={"spot"}) == {
        "spot": 1,
        "on-demand": 4,
    }


def test_limits_have_the_last_word():
    assert desired([need(1e6)], limits=Limits(ceiling=7)) == {"worker": 7}
    assert desired([], limits=Limits(floor=3, ceiling=7)) == {"worker": 3}
    assert desired([need(1e6)], pools=[SPOT, DEMAND], limits=Limits(ceiling=50, price=1.0)) == {
        "spot": 3,
        "on-demand": 0,
    }
    assert desired([need(1e6)], [member()], limits=Limits(ceiling=50, is_frozen=True)) == {
        "worker": 1
    }


def test_workers_of_another_numerics_class_are_no_use():
    fleet = [member("s1", "spot", numerics="a"), member("d1", "on-demand", numerics="b")]
    assert desired([need(12_000, most=4, numerics_class="b")], fleet, [SPOT, DEMAND]) == {
        "spot": 0,
        "on-demand": 4,
    }
    both = [need(12_000, most=2, numerics_class="a"), need(12_000, most=2, numerics_class="b")]
    assert desired(both, fleet, [SPOT, DEMAND]) == {"spot": 2, "on-demand": 2}


def test_who_drains_is_replaced():
    fleet = [member("w1", draining=True), member("w2")]
    assert changes(
        desired([need(1e6)], fleet, limits=Limits(ceiling=2)),
        fleet,
        [POOL],
        Limits(ceiling=2),
        0.0,
    ).start == ("worker",)


def test_up_fast_but_few_at_a_time():
    assert changes({"worker": 50}, [], [POOL], LIMITS, 0.0).start == ("worker",) * 4
    starting = [member(f"w{k}", ready=False) for k in range(3)]
    assert changes({"worker": 50}, starting, [POOL], LIMITS, 0.0).start == ("worker",)
    many = [member(f"w{k}") for k in range(40)]
    assert len(changes({"worker": 100}, many, [POOL], LIMITS, 0.0).start) == 40


def test_down_only_after_a_time_of_idleness_and_those_that_paint_stay():
    fleet = [
        member("busy"),
        member("just", idle=90.0),
        member("long", idle=10.0),
        member("longer", idle=5.0),
    ]
    assert changes({"worker": 0}, fleet, [POOL], Limits(ceiling=9, idle_s=60), 100.0).end == (
        "longer",
        "long",
    )
    assert changes({"worker": 3}, fleet, [POOL], Limits(ceiling=9, idle_s=60), 100.0).end == (
        "longer",
    )
    assert (
        changes({"worker": 0}, fleet, [POOL], Limits(ceiling=9, idle_s=60, is_frozen=True), 100.0)
        == Change()
    )


def test_who_has_not_come_is_withdrawn_if_nobody_needs_it_and_asked_for_elsewhere_if_late():
    fleet = [member("w1", "spot", ready=False), member("w2", "spot", since=200.0, ready=False)]
    assert changes({"spot": 1, "on-demand": 0}, fleet, [SPOT, DEMAND], LIMITS, 250.0).withdraw == (
        "w2",
    )
    change = changes({"spot": 2, "on-demand": 0}, fleet, [SPOT, DEMAND], LIMITS, 301.0)
    assert (change.withdraw, change.cool) == (("w1",), {"spot"})


# --- numerics classes ---

L4, H100 = (
    Pool(name="l4", price=0.3, start_s=60),
    Pool(name="h100", price=1.0, speed=6.0, start_s=60),
)
CLASSES = {"l4": {"a"}, "h100": {"b"}}


def test_the_seconds_of_a_class_are_those_of_its_own_workers():
    """A campaign that takes ten minutes of an H100 has work for as many of them, however fast they
    are.
    """
    assert desired([need(600, numerics_class="b")], pools=[H100], classes=CLASSES) == {"h100": 10}
    assert desired([need(600)], pools=[H100]) == {"h100": 1}


def test_a_pool_without_workers_is_known_by_those_that_it_had():
    assert desired([need(600, numerics_class="b")], pools=[L4, H100], classes=CLASSES) == {
        "l4": 0,
        "h100": 10,
    }


needs = st.lists(
    st.builds(
        Need, seconds=st.floats(0, 1e7), most=st.integers(0, 500),
        due_in_s=st.none() | st.floats(-10, 1e5),
        numerics_class=st.sampled_from([None, "a", "b"]),
    ),
    max_size=5,
)  # fmt: skip
pools = st.lists(
    st.builds(
        Pool, name=st.sampled_from(["p", "q", "r"]), limit=st.integers(0, 50),
        price=st.floats(0, 5), speed=st.floats(0.1, 10),
        start_s=st.floats(0, 600), grace_s=st.none() | st.floats(0, 600),
    ),
    min_size=1, max_size=3, unique_by=lambda pool: pool.name,
)  # fmt: skip
fleets = st.lists(
    st.builds(
        Member, name=st.uuids().map(str), pool=st.sampled_from(["p", "q", "r"]),
        since=st.floats(0, 1000), is_ready=st.booleans(),
        idle_since=st.none() | st.floats(0, 1000), is_draining=st.booleans(),
        numerics_class=st.sampled_from([None, "a", "b"]),
    ),
    max_size=20,
)  # fmt: skip
limits = st.builds(
    Limits, floor=st.integers(0, 5), ceiling=st.integers(5, 60),
    price=st.floats(0, 50) | st.just(math.inf), idle_s=st.floats(0, 600),
    is_frozen=st.booleans(),
)  # fmt: skip


@given(needs, fleets, pools, limits, st.integers(0, 100))
def test_no_case_breaks_a_limit(needs, fleet, pools, limits, waiting):
    fleet = [one for one in fleet if one.pool in {pool.name for pool in pools}]
    counts = desired_fleet(needs, fleet, pools, limits, waiting_chunks=waiting, cooling=())
    if limits.is_frozen:
        assert changes(counts, fleet, pools, limits, 1000.0) == Change()
        return
    assert sum(counts.values()) <= limits.ceiling
    assert sum(counts[pool.name] * pool.price for pool in pools) <= limits.price + 1e-9
    if not any(one.seconds for one in needs):
        assert sum(counts.values()) <= max(limits.floor, len(fleet))
    for pool in pools:
        assert counts[pool.name] <= max(pool.limit, sum(one.pool == pool.name for one in fleet))


@given(needs, fleets, pools, limits, st.integers(0, 100))
def test_no_change_touches_who_paints_or_goes_below_what_is_desired(
    needs, fleet, pools, limits, waiting
):
    fleet = [one for one in fleet if one.pool in {pool.name for pool in pools}]
    counts = desired_fleet(needs, fleet, pools, limits, waiting_chunks=waiting, cooling=())
    change = changes(counts, fleet, pools, limits, 1000.0)
    by_name = {one.name: one for one in fleet}
    assert all(
        by_name[name].idle_since is not None and by_name[name].is_ready for name in change.end
    )
    assert all(not by_name[name].is_ready for name in change.withdraw)
    for pool in pools:
        there = [one for one in fleet if one.pool == pool.name and not one.is_draining]
        gone = sum(by_name[name].pool == pool.name for name in change.end)
        ready = sum(one.is_ready for one in there)
        assert ready - gone >= min(
            ready, counts[pool.name] - sum(not one.is_ready for one in there)
        )


@given(needs, pools, limits)
def test_a_fleet_comes_to_rest(needs, pools, limits):
    """What is desired of a fleet that is as desired is that fleet."""
    limits = Limits(
        floor=limits.floor, ceiling=limits.ceiling, price=limits.price, idle_s=limits.idle_s
    )
    counts = desired_fleet(needs, [], pools, limits, waiting_chunks=100, cooling=())
    fleet = [member(f"{name}-{k}", name) for name, count in counts.items() for k in range(count)]
    again = desired_fleet(needs, fleet, pools, limits, waiting_chunks=100, cooling=())
    assert sum(again.values()) <= max(sum(counts.values()), limits.floor) or again == counts


@pytest.mark.parametrize("count", [1, 5, 50])
def test_more_work_never_wants_fewer(count):
    assert (
        desired([need(60 * count)])["worker"]
        <= desired([need(60 * count + 1)])["worker"]
        <= desired([need(120 * count)])["worker"]
    )


def test_beyond_the_ceiling_are_those_whose_going_costs_least():
    fleet = [
        member("paints-1", since=1),
        member("paints-2", since=2),
        member("idle", idle=5.0),
        member("comes", ready=False),
    ]
    for ceiling, gone in [
        (4, set()),
        (3, {"comes"}),
        (2, {"comes", "idle"}),
        (1, {"comes", "idle", "paints-2"}),
    ]:
        assert surplus_of(fleet, Limits(ceiling=ceiling)) == gone
    assert len(surplus_of(fleet, Limits(ceiling=0))) == 4
    assert surplus_of(fleet, Limits(ceiling=0, is_frozen=True)) == set()
    assert surplus_of([member("goes", draining=True), member("stays")], Limits(ceiling=1)) == set()
