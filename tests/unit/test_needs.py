"""What campaigns need of the fleet, and how fast pools have shown to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.cost import budget_left_s
from farm.scheduling.history import History
from farm.scheduling.needs import as_measured, needs_of, rooms_of
from farm.scheduling.scaling import desired_fleet
from farm.scheduling.values import Limits, Need, Pool
from storage.rows import OpenCampaign

LIMITS = Limits(ceiling=100)


def campaign(**changes):
    values = {
        "id": 1, "project": "p", "name": "c", "model_digest": "m", "priority": 50,
        "max_workers": None, "deadline": None, "left": 100,
        "ended": 0, "running": 0, "device_s": 0.0, "megapixel_steps": 1000.0, "waiting": True,
        "workers": frozenset(),
    }  # fmt: skip
    return OpenCampaign(**{**values, **changes})


def need(seconds, most=1000, **others):
    return Need(seconds=seconds, most=most, **others)


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
    assert cheapest("m", at_m) == {"l4"}
    at_x = as_measured([L4, H100], [need(600, model="x")], CLASSES, SHOWN)
    assert cheapest("x", at_x) == {"h100"}


def cheapest(model, pools):
    """The pools that workers are asked from for ten minutes of work of one model."""
    counts = desired_fleet([need(600, model=model)], [], pools, LIMITS, waiting_chunks=1000)
    return {name for name, count in counts.items() if count}


def test_where_nothing_can_be_compared_the_file_counts():
    third = Pool(name="third", speed=2.0)
    assert as_measured([L4, H100], [need(100, model="m")], {"l4": {"a"}}, SHOWN) == [L4, H100]
    assert as_measured([L4, H100], [], CLASSES, SHOWN) == [L4, H100]
    assert as_measured([L4, H100, third], [need(100, model="m")], CLASSES, SHOWN)[2] == third
