"""The outlook of campaigns, from attempts that are known to the second."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.scheduling.eta import NO_OUTLOOK, Moment, Open, outlooks
from storage.spent import PastPace

NOW = 1000.0


def past(ended_at=NOW, *, worker="w1", campaign=1, given_s=10.0, renders=5, model="m"):
    return PastPace(
        campaign_id=campaign,
        model=model,
        worker=worker,
        ended_at=ended_at,
        given_s=given_s,
        painted_s=given_s,
        renders=renders,
        megapixel_steps=renders * 2.0,
    )


def one(number=1, **changes):
    given = {"left": 50, "ended": 50, "megapixel_steps": 200.0, **changes}
    return Open(id=number, project="p", model="m", priority=50, **{"max_workers": None, **given})


def moment(*campaigns, **changes):
    values = {
        "now": NOW,
        "campaigns": campaigns or (one(),),
        "attempts": [past(NOW - 10 * k) for k in range(9, -1, -1)],
        "under_way": {(1, "w1"): 5},
        "workers": {"w1": "c"},
    }
    return Moment(**{**values, **changes})


def test_an_even_campaign_ends_when_its_pace_says():
    outlook = outlooks(moment())[1]
    assert outlook.renders_per_s == pytest.approx(0.5)
    assert outlook.megapixel_steps_per_s == pytest.approx(1.0)
    assert outlook.eta == pytest.approx(NOW + 100)
    assert outlook.eta_low < outlook.eta < outlook.eta_high


def test_workers_that_it_may_have_share_the_rest():
    four = {f"w{k}": "c" for k in range(1, 5)}
    assert outlooks(moment(workers=four))[1].eta == pytest.approx(NOW + 25)
    bound = outlooks(moment(one(max_workers=2), workers=four))[1]
    assert bound.eta == pytest.approx(NOW + 50)
    mixed = {"w1": "c", "w2": "other", "w3": None}
    pinned = outlooks(moment(one(numerics_class="c"), workers=mixed))[1]
    assert pinned.eta == pytest.approx(NOW + 50), "one that starts may be of its class"


def test_the_part_of_a_chunk_that_is_painted_is_not_painted_again():
    later = outlooks(moment(now=NOW + 4))[1]
    assert later.eta == pytest.approx(NOW + 100), "the estimate stands still while all goes well"


def test_another_campaign_takes_its_share_until_it_is_done():
    both = moment(one(), one(2, left=10, ended=0, megapixel_steps=20.0))
    found = outlooks(both)
    assert found[2].eta == pytest.approx(NOW + 40), "by the pace of its model"
    assert found[1].eta == pytest.approx(NOW + 120)
    assert found[2].renders_per_s is None, "nothing of it is under way"


def test_nothing_is_said_that_nothing_tells():
    assert outlooks(moment(attempts=[]))[1] == NO_OUTLOOK
    assert outlooks(moment(workers={}))[1].eta is None
    assert outlooks(moment(replace(one(), budget_left=20)))[1].eta is None
    assert outlooks(moment(replace(one(), budget_left=50)))[1].eta is not None
    other = moment(replace(one(), model="other"), attempts=[past(campaign=7)])
    assert outlooks(other)[1].eta is None


def test_the_newest_attempts_count_most():
    slow = [past(NOW - 500 + k, given_s=50.0) for k in range(40)]
    fast = [past(NOW - 10 * k) for k in range(39, -1, -1)]
    assert outlooks(moment(attempts=slow + fast))[1].eta == pytest.approx(NOW + 100, rel=0.1)


@given(st.lists(st.floats(0.5, 60), min_size=1, max_size=30), st.integers(1, 500))
def test_an_estimate_lies_within_its_range_and_never_in_the_past(seconds, left):
    attempts = [past(NOW - k, given_s=s) for k, s in enumerate(reversed(seconds))][::-1]
    outlook = outlooks(moment(one(left=left), attempts=attempts))[1]
    assert NOW <= outlook.eta_low <= outlook.eta <= outlook.eta_high
