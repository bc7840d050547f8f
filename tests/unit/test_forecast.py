"""What a campaign will take, and what binds: values alone."""

import math

import pytest

from farm.scheduling.binding import Outcome, Rule, bindings
from farm.scheduling.forecast import (
    Basis,
    Part,
    Short,
    bytes_of,
    load_s_of,
    planned_fleet,
    work_of,
)
from farm.scheduling.values import Limits, Pool
from storage.spent import PastChunk, PastPace


def chunk(shape="small", *, given_s=20.0, painted_s=10.0, work=10.0, **changes):
    pace = PastPace(
        campaign_id=1,
        model="m",
        worker="gpu-1",
        ended_at=0.0,
        given_s=given_s,
        painted_s=painted_s,
        renders=10,
        megapixel_steps=work,
    )
    return PastChunk(
        **{"pace": pace, "pool": "gpu", "shape": shape, "numerics_class": "c"} | changes
    )


def part(shape="small", work=100.0):
    return Part(shape=shape, renders=10, megapixel_steps=work)


def test_without_attempts_nothing_is_said_of_time():
    work = work_of([part()], [])
    assert (work.basis, work.device_s, work.megapixel_steps) == (Basis.NONE, None, 100.0)


def test_each_shape_counts_by_its_own_pace():
    past = [chunk("small"), chunk("large", given_s=60.0, painted_s=30.0)]
    work = work_of([part("small"), part("large")], past)
    assert work.basis is Basis.SHAPE
    assert work.device_s == pytest.approx(100 * 1 + 100 * 3)
    usual = 80 / 20  # seconds of a worker for a megapixel-step of the model
    assert work.weighed * usual == pytest.approx(100 * 2 + 100 * 6)
    assert work.megapixel_steps == 200


def test_a_shape_that_was_never_painted_counts_as_the_others():
    work = work_of([part("other")], [chunk("small")])
    assert (work.basis, work.device_s, work.weighed) == (Basis.MODEL, 100.0, 100.0)


def test_attempts_of_the_campaign_s_numerics_class_tell_it_if_there_are_any():
    past = [chunk(painted_s=10.0, numerics_class="a"), chunk(painted_s=90.0, numerics_class="b")]
    assert work_of([part()], past, "a").device_s == pytest.approx(100)
    assert work_of([part()], past, "b").device_s == pytest.approx(900)
    assert work_of([part()], past, "c").device_s == pytest.approx(500), "all of them, then"


def test_the_newest_attempts_tell_the_pace():
    past = [chunk(painted_s=1000.0)] * 50 + [chunk(painted_s=10.0)] * 40
    assert work_of([part()], past).device_s == pytest.approx(100)


def test_loads_are_told_by_those_that_were_made():
    assert load_s_of([chunk()]) is None
    assert load_s_of([chunk(loads=2, load_s=10.0), chunk(), chunk(loads=1, load_s=2.0)]) == 4.0


def test_bytes_are_those_of_the_same_size_or_of_as_many_pixels():
    files = [((10, 10), 100), ((10, 10), 300), ((20, 20), 600)]
    assert bytes_of({(10, 10): 5}, files) == 1000
    assert bytes_of({(10, 10): 5, (10, 20): 1}, files) == 1000 + round(200 * 1000 / 600)
    assert bytes_of({(10, 10): 5}, []) is None


POOLS = [
    Pool(name="dear", price=4.0, start_s=5.0),
    Pool(name="cheap", price=1.0, limit=2, start_s=60.0),
]


def plan(count, present=(), limits=None, pools=POOLS):
    return planned_fleet(
        dict.fromkeys(present, "c"),
        {name: name.rpartition("-")[0] for name in present},
        count,
        pools,
        limits or Limits(ceiling=100),
        {"cheap": "slow"},
    )


def test_a_planned_fleet_has_who_is_there_then_the_cheapest():
    fleet = plan(4, ["dear-1"])
    assert sorted(fleet.workers) == ["cheap-new0", "cheap-new1", "dear-1", "dear-new1"]
    assert fleet.coming == {"cheap-new0": 60.0, "cheap-new1": 60.0, "dear-new1": 5.0}
    assert fleet.workers["cheap-new0"] == "slow"
    assert fleet.workers["dear-new1"] is None, "nothing tells its class"
    assert fleet.short is None


def test_a_smaller_fleet_than_there_is_starts_nobody():
    fleet = plan(1, ["dear-1", "dear-2"])
    assert (list(fleet.workers), fleet.coming, fleet.short) == (["dear-1"], {}, None)


def test_a_fleet_falls_short_by_its_pools_or_by_their_price():
    assert plan(5, pools=POOLS[1:]).short is Short.POOLS
    by_price = plan(5, limits=Limits(ceiling=100, price=6.0))
    assert (len(by_price.workers), by_price.short) == (3, Short.PRICE)
    assert plan(3, ["gone-1"], pools=POOLS).short is None, "a pool that the file does not name"


def outcome(**changes):
    values = {
        "project": "p",
        "basis": Basis.SHAPE,
        "renders": 100,
        "workers": 2,
        "asked": 2,
        "present": 2,
        "ceiling": 4,
        **changes,
    }
    return Outcome(**values)


def rules(**changes):
    return [bind.rule for bind in bindings(outcome(**changes))]


@pytest.mark.parametrize(
    ("changes", "rule", "says"),
    [
        ({"basis": Basis.NONE}, Rule.NO_HISTORY, "--probe 8"),
        ({"present": 0}, Rule.NO_WORKER, "No worker is there now."),
        ({"device_s": 7200.0, "budget_s": 3600.0}, Rule.BUDGET, "after about 50 of 100 renders"),
        ({"money": 8.0, "budget_money": 2.0}, Rule.BUDGET, "about 8.00, and its budget is 2.00"),
        ({"no_room": "Its quota is 30."}, Rule.NO_ROOM, "It would be refused. Its quota is 30."),
        (
            {"device_s": 7200.0, "month_left_s": 1800.0},
            Rule.MONTH,
            "0.5 more device hours in this month: about 25 of 100 renders are painted in it",
        ),
        (
            {"month_left_s": -5.0, "device_s": None},
            Rule.MONTH,
            "about 0 of 100 renders are painted",
        ),
        ({"quota": 1}, Rule.QUOTA, "The project p may have 1 worker at a time, of 2"),
        ({"max_workers": 1}, Rule.MAX_WORKERS, "lets it have 1 worker, of 2"),
        ({"asked": 9}, Rule.CEILING, "`farm scale --ceiling 9`"),
        ({"asked": 9, "is_frozen": True}, Rule.FROZEN, "--thaw"),
        ({"asked": 3, "short": Short.POOLS}, Rule.POOLS, "give 2 workers, and 3 were asked"),
        ({"asked": 3, "short": Short.PRICE}, Rule.PRICE, "pays for 2 workers"),
        (
            {"starting": 1, "start_s": 90.0, "load_s": 12.0},
            Rule.COLD_START,
            "1 worker must start first, which takes up to 90 s, and loading the model about 12 s",
        ),
        ({"seconds": 120.0, "alone_s": 60.0}, Rule.OTHERS, "alone it would take 60 s"),
        ({"has_proofs": True}, Rule.REVIEW, "approved its proofs"),
    ],
)
def test_each_limit_is_named_alone_and_in_words(changes, rule, says):
    found = bindings(outcome(**changes))
    assert [bind.rule for bind in found] == [rule]
    assert says in found[0].text


def test_nothing_binds_what_is_within_all_limits_or_is_reused_wholly():
    within = {
        "quota": 2, "max_workers": 2, "device_s": 10.0, "budget_s": 10.0, "money": 1.0,
        "budget_money": 1.0, "seconds": 60.0, "alone_s": 59.0, "start_s": math.inf,
    }  # fmt: skip
    assert rules(**within) == []
    assert rules(renders=0, basis=Basis.NONE, present=0) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"present": 1, "is_frozen": True, "asked": 1, "workers": 1},
        {"asked": 4, "ceiling": 4},
        {"quota": 2, "workers": 2},
        {"month_left_s": 50.0, "device_s": 50.0},
        {"month_left_s": 50.0, "device_s": None},
        {"max_workers": 3, "workers": 2},
        {"starting": 1, "start_s": 0.4, "load_s": 12.0},
        {"seconds": 66.0, "alone_s": 60.0},
        {"seconds": 120.0},
        {"device_s": None, "budget_s": 1.0, "money": None, "budget_money": 0.1},
        {"device_s": 0.0, "budget_s": 0.0},
    ],
)
def test_a_limit_that_is_just_kept_or_cannot_be_told_is_not_named(changes):
    assert rules(**changes) == []


def test_limits_that_bind_together_are_named_by_weight():
    assert rules(
        basis=Basis.NONE, present=0, device_s=9.0, budget_s=1.0, asked=9, quota=1, max_workers=1,
        short=Short.PRICE, starting=2, start_s=5.0, seconds=9.0, alone_s=1.0, has_proofs=True,
    ) == [
        Rule.NO_HISTORY, Rule.BUDGET, Rule.NO_WORKER, Rule.CEILING, Rule.PRICE, Rule.QUOTA,
        Rule.MAX_WORKERS, Rule.COLD_START, Rule.OTHERS, Rule.REVIEW,
    ]  # fmt: skip
    assert Rule.CEILING not in rules(asked=9, is_frozen=True), "raising it would start nobody"
