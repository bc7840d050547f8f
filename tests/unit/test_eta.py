"""The outlook of campaigns, from attempts that are known to the second."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.bench.eta import measure
from farm.bench.recording import moments, simulated
from farm.scheduling.eta import NO_OUTLOOK, Moment, Open, paces_of
from farm.scheduling.eta import outlooks as outlooks_of
from farm.scheduling.history import History
from farm.scheduling.values import Limits, Pool
from farm.simulation.foresight import foreseen
from farm.simulation.trace import Trace, Work
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
        "history": History(loads={"m": 0.0}),
    }
    return Moment(**{**values, **changes})


def outlooks(known):
    paces = paces_of(known)
    return outlooks_of(known, paces, foreseen(known, paces))


def test_an_even_campaign_ends_when_its_pace_says():
    outlook = outlooks(moment())[1]
    assert outlook.renders_per_s == pytest.approx(0.5)
    assert outlook.megapixel_steps_per_s == pytest.approx(1.0)
    assert outlook.eta == pytest.approx(NOW + 100, abs=3)
    assert outlook.eta_low < outlook.eta < outlook.eta_high


def test_workers_that_it_may_have_share_the_rest():
    four = {f"w{k}": "c" for k in range(1, 5)}
    assert outlooks(moment(workers=four))[1].eta == pytest.approx(NOW + 25, abs=3)
    bound = outlooks(moment(one(max_workers=2), workers=four))[1]
    assert bound.eta == pytest.approx(NOW + 50, abs=3)
    mixed = {"w1": "c", "w2": "other", "w3": None}
    pinned = outlooks(moment(one(numerics_class="c"), workers=mixed))[1]
    assert pinned.eta == pytest.approx(NOW + 50, abs=3), "one that starts may be of its class"


def test_the_part_of_a_chunk_that_is_painted_is_not_painted_again():
    later = outlooks(moment(now=NOW + 4))[1]
    assert later.eta == pytest.approx(NOW + 100, abs=3), (
        "the estimate stands still while all goes well"
    )


def test_another_campaign_takes_its_share_until_it_is_done():
    both = moment(one(), one(2, left=10, ended=0, megapixel_steps=20.0))
    found = outlooks(both)
    assert found[2].eta == pytest.approx(NOW + 40, abs=3), "by the pace of its model"
    assert found[1].eta == pytest.approx(NOW + 120, abs=3)
    assert found[2].renders_per_s is None, "nothing of it is under way"


def test_nothing_is_said_that_nothing_tells():
    assert outlooks(moment(attempts=[]))[1] == NO_OUTLOOK
    assert outlooks(moment(workers={}))[1].eta is None
    assert outlooks(moment(replace(one(), budget_left=20)))[1].eta is None
    assert outlooks(moment(replace(one(), budget_left=50)))[1].eta is not None
    other = moment(replace(one(), model="other"), attempts=[past(campaign=7)])
    assert outlooks(other)[1].eta is None


def test_a_campaign_of_a_known_model_whose_size_nobody_knows_has_no_end_yet():
    new = moment(one(), replace(one(2), ended=0, megapixel_steps=0.0))
    assert outlooks(new)[2].eta is None
    assert outlooks(new)[1].eta is not None


def test_the_newest_attempts_count_most():
    slow = [past(NOW - 500 + k, given_s=50.0) for k in range(40)]
    fast = [past(NOW - 10 * k) for k in range(39, -1, -1)]
    assert outlooks(moment(attempts=slow + fast))[1].eta == pytest.approx(NOW + 100, rel=0.1)


@given(st.lists(st.floats(0.5, 60), min_size=1, max_size=30), st.integers(1, 500))
def test_an_estimate_lies_within_its_range_and_never_in_the_past(seconds, left):
    attempts = [past(NOW - k, given_s=s) for k, s in enumerate(reversed(seconds))][::-1]
    outlook = outlooks(moment(one(left=left), attempts=attempts))[1]
    assert NOW <= outlook.eta_low <= outlook.eta <= outlook.eta_high


# --- replays of recorded attempts ---


def test_what_is_replayed_is_what_was_known_then():
    trace = Trace(
        works=[
            Work(name="first", model="m", renders=40, batch_s=4.0, load_s=0.0),
            Work(name="later", model="m", renders=8, batch_s=4.0, load_s=0.0, arrives_s=20.0),
        ],
        pools=[Pool(name="gpu")],
        limits=Limits(ceiling=1),
    )
    replay = simulated("two", trace)
    assert sum(attempt.renders for attempt in replay.attempts) == 48
    assert {attempt.worker.partition("-")[0] for attempt in replay.attempts} == {"gpu"}
    for known in moments(replay):
        assert all(attempt.ended_at <= known.now for attempt in known.attempts)
        assert {one.id for one in known.campaigns} <= ({1} if known.now < 20 else {1, 2})
        for one in known.campaigns:
            done = sum(a.renders for a in known.attempts if a.campaign_id == one.id)
            assert (one.ended, one.left + one.ended) == (done, {1: 40, 2: 8}[one.id])


def test_estimates_on_recordings_are_near_and_mostly_within_their_range():
    """What `farm bench eta` reports: the figures repeat, as no clock is read."""
    figures = measure()["figures"]
    assert set(figures) == {"day", "rested", "alone", "uneven", "losses", "all"}
    assert figures["all"]["median_error"] <= 0.15
    assert figures["all"]["within_range"] >= 0.7


def test_a_campaign_that_no_worker_may_paint_has_no_end():
    pinned = moment(one(numerics_class="gone"), workers={"w1": "c"})
    assert outlooks(pinned)[1].eta is None
    with_quota = moment(quotas={"p": 1}, workers={"w1": "c", "w2": "c"})
    assert outlooks(with_quota)[1].eta == pytest.approx(NOW + 100, abs=3)
