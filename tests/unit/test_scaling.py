"""How many workers there are to be: by cases, and by what must hold whatever the case."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.cost import budget_left_s
from farm.scheduling.history import History
from farm.scheduling.scaling import (
    NO_CLASSES,
    Change,
    Limits,
    Member,
    Need,
    Pool,
    as_measured,
    changes,
    desired_fleet,
    needs_of,
    rooms_of,
    surplus_of,
)
from storage.rows import OpenCampaign

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


def campaign(**changes):
    values = {
        "id": 1, "project": "p", "name": "c", "model_digest": "m", "priority": 50,
        "max_workers": None, "deadline": None, "left": 100,
        "ended": 0, "running": 0, "device_s": 0.0, "megapixel_steps": 1000.0, "waiting": True,
        "workers": frozenset(),
    }  # fmt: skip
    return OpenCampaign(**{**values, **changes})


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


def test_a_campaigns_need_is_what_nobody_has_begun():
    (only,) = needs_of(
        [campaign(left=100, running=40, max_workers=3, deadline=500.0, workers=frozenset("ab"))],
        7,
        now=200.0,
    )
    assert only == Need(seconds=600.0, model="m", most=3, due_in_s=300.0)
    assert needs_of([campaign(waiting=False)], 7, now=0.0) == []


def test_a_need_is_no_more_than_its_budget_has_room_for():
    (only,) = needs_of([campaign(left=100, running=10, budget_s=190.0)], 7, now=0.0)
    assert only == Need(seconds=90.0, model="m", most=2), (
        "a minute's chunk, and half a minute for another"
    )
    (only,) = needs_of(
        [campaign(left=100, ended=10, device_s=50.0, budget_s=1e6, workers=frozenset("ab"))],
        7,
        now=0.0,
    )
    assert only == Need(seconds=500.0, model="m", most=9)
    assert needs_of([campaign(running=19, budget_s=190.0)], 7, now=0.0) == []
    assert needs_of([campaign(device_s=190.0, ended=1, budget_s=190.0)], 7, now=0.0) == []


def test_campaigns_of_a_project_share_its_quota():
    three = [
        campaign(id=1, max_workers=1),
        campaign(id=2),
        campaign(id=3),
        campaign(id=4, project="q"),
    ]
    needs = needs_of(three, 7, 0.0, {"p": 3})
    assert [(one.seconds, one.most) for one in needs] == [
        (1000.0, 1),
        (1000.0, 2),
        (1000.0, 0),
        (1000.0, 7),
    ]


def test_chunks_that_would_find_no_worker_ask_for_none():
    spent = campaign(id=1, budget_s=9.0, device_s=9.0, ended=1)
    scarce = campaign(id=2, budget_s=90.0)
    some = [
        spent,
        scarce,
        campaign(id=3, budget_s=1e9),
        campaign(id=4),
        campaign(id=5, project="q", workers=frozenset("ab")),
    ]
    assert rooms_of(some, {"q": 3}, 100) == [({1}, 0), ({2}, 2), ({5}, 1)]
    assert rooms_of(some, {"q": 1}, 100) == [({1}, 0), ({2}, 2), ({5}, 0)]
    assert rooms_of(some, {"p": 4, "q": 3, "r": 1}, 100) == [({1}, 0), ({2, 3, 4}, 4), ({5}, 1)]
    assert rooms_of(some, {"q": 3}, 1) == [({1}, 0)], (
        "what is more than there may be at all is no bound"
    )


open_campaigns = st.lists(
    st.builds(
        campaign, id=st.integers(1, 99), project=st.sampled_from("pq"), left=st.integers(1, 1000),
        running=st.integers(0, 10), device_s=st.floats(0, 100), ended=st.integers(0, 10),
        max_workers=st.none() | st.integers(1, 9),
        budget_s=st.none() | st.floats(0.1, 1e4),
        workers=st.frozensets(st.sampled_from("abcdefgh"), max_size=4),
    ),
    max_size=6, unique_by=lambda c: c.id,
)  # fmt: skip


@given(open_campaigns, st.integers(1, 9), st.integers(1, 9), st.integers(0, 100))
def test_no_more_workers_are_asked_for_than_quotas_allow(some, p, q, waiting):
    counts = desired_fleet(
        needs_of(some, waiting, 0.0, {"p": p, "q": q}),
        [],
        [Pool()],
        LIMITS,
        waiting_chunks=waiting,
    )
    assert counts["worker"] <= sum(
        {"p": p, "q": q}[project] for project in {c.project for c in some}
    )


@given(open_campaigns, st.integers(0, 100))
def test_no_need_is_more_than_what_is_left_of_its_budget(some, waiting):
    limited = [c for c in some if c.budget_s is not None]
    needs = needs_of(limited, waiting, 0.0)
    assert (
        sum(need.seconds for need in needs)
        <= sum(max(0.0, c.budget_s - c.device_s) for c in limited) + 1e-6
    )
    assert len(needs) == sum(budget_left_s(c) > 0 for c in limited)


# --- speeds that were measured ---

L4, H100 = (
    Pool(name="l4", price=0.3, start_s=60),
    Pool(name="h100", price=1.0, speed=6.0, start_s=60),
)
CLASSES = {"l4": {"a"}, "h100": {"b"}}
SHOWN = History(paces={("m", "s"): {"a": 1.0, "b": 0.5}, ("x", "s"): {"a": 1.0, "b": 0.1}})


def test_pools_are_as_fast_as_they_have_shown_at_what_is_to_be_painted():
    at_m = as_measured([L4, H100], [need(100, model="m")], CLASSES, SHOWN)
    assert [pool.speed for pool in at_m] == [3.0, 6.0], "on the scale of the file"
    both = as_measured([L4, H100], [need(100, model="m"), need(100, model="x")], CLASSES, SHOWN)
    assert both[0].speed == pytest.approx(6 * 200 / (100 / 0.5 + 100 / 0.1))
    # So the cheaper one for the work is asked, whatever the file says.
    assert (
        desired([need(600, model="m")], pools=at_m)["l4"]
        > 0
        == desired([need(600, model="m")], pools=at_m)["h100"]
    )
    at_x = as_measured([L4, H100], [need(600, model="x")], CLASSES, SHOWN)
    assert (
        desired([need(600, model="x")], pools=at_x)["h100"]
        > 0
        == desired([need(600, model="x")], pools=at_x)["l4"]
    )


def test_where_nothing_can_be_compared_the_file_counts():
    third = Pool(name="third", speed=2.0)
    assert as_measured([L4, H100], [need(100, model="m")], {"l4": {"a"}}, SHOWN) == [L4, H100]
    assert as_measured([L4, H100], [], CLASSES, SHOWN) == [L4, H100]
    assert as_measured([L4, H100, third], [need(100, model="m")], CLASSES, SHOWN)[2] == third


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
