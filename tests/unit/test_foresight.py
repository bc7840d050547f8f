"""The rest of a queue, foreseen by the dispatcher's own rules."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from farm.scheduling.eta import Moment, Open, begun_by, paces_of
from farm.scheduling.history import History
from farm.scheduling.share import Shares
from farm.simulation.foresight import CHUNKS, foresee, foreseen
from storage.rows import ANY_CLASS
from storage.spent import PastPace

NOW = 100.0


def past(campaign, worker, *, given_s=10.0, renders=10, model="m", ended_at=NOW):
    return PastPace(
        campaign_id=campaign,
        model=model,
        worker=worker,
        ended_at=ended_at,
        given_s=given_s,
        painted_s=given_s,
        renders=renders,
        megapixel_steps=float(renders),
    )


def one(number, left, **changes):
    values = {
        "project": "p",
        "model": "m",
        "priority": 50,
        "max_workers": None,
        "ended": 10,
        "megapixel_steps": float(left + 10),
        **changes,
    }
    return Open(id=number, left=left, **values)


def moment(campaigns, attempts, workers, **changes):
    return Moment(
        now=NOW,
        campaigns=campaigns,
        attempts=attempts,
        under_way=changes.pop("under_way", {}),
        workers=dict.fromkeys(workers, "c") if isinstance(workers, (list, tuple)) else workers,
        history=History(loads={"m": 0.0, "n": 0.0}),
        **changes,
    )


def ends(known):
    return foreseen(known, paces_of(known))


def test_workers_of_a_slow_pool_take_their_time():
    attempts = [past(1, "fast-1", given_s=5.0), past(1, "slow-1", given_s=20.0)]
    fast = ends(moment([one(1, 200)], attempts, ["fast-1"]))[1]
    slow = ends(moment([one(1, 200)], attempts, ["slow-1"]))[1]
    both = ends(moment([one(1, 200)], attempts, ["fast-1", "slow-1"]))[1]
    assert fast == pytest.approx(100, rel=0.05)
    assert slow == pytest.approx(400, rel=0.05)
    assert both == pytest.approx(80, rel=0.1)


def test_a_campaign_of_higher_priority_goes_first_and_then_the_others():
    attempts = [past(1, "w-1"), past(2, "w-1")]
    both = [one(1, 100), one(2, 100, priority=90)]
    found = ends(moment(both, attempts, ["w-1"]))
    assert found[2] == pytest.approx(100, rel=0.05)
    assert found[1] == pytest.approx(200, rel=0.05)


def test_a_campaign_that_is_ahead_waits_for_one_that_is_behind():
    attempts = [past(1, "w-1"), past(2, "w-1")]
    shares = Shares(
        projects={"p": 2000.0}, campaigns={1: 2000.0, 2: 0.0}, active_projects=frozenset({"p"})
    )
    found = ends(moment([one(1, 100), one(2, 100)], attempts, ["w-1"], shares=shares))
    assert found[2] < found[1]
    turned = replace(shares, campaigns={1: 0.0, 2: 2000.0})
    found = ends(moment([one(1, 100), one(2, 100)], attempts, ["w-1"], shares=turned))
    assert found[1] < found[2]


def test_weights_and_quotas_are_kept_to():
    attempts = [past(1, "w-1"), past(2, "w-2")]
    both = [one(1, 300), one(2, 300, project="q")]
    four = [f"w-{k}" for k in range(1, 5)]
    level = ends(moment(both, attempts, four))
    assert level[1] == pytest.approx(level[2], rel=0.2)
    bound = ends(moment(both, attempts, four, quotas={"q": 1}))
    assert bound[1] < bound[2]
    assert bound[2] == pytest.approx(300, rel=0.1)


def test_only_workers_of_its_class_paint_what_is_pinned():
    attempts = [past(1, "w-1"), past(1, "w-2")]
    workers = {"w-1": "c", "w-2": "d"}
    pinned = ends(moment([one(1, 100, numerics_class="c")], attempts, workers))[1]
    free = ends(moment([one(1, 100, numerics_class=ANY_CLASS)], attempts, workers))[1]
    assert pinned == pytest.approx(100, rel=0.05)
    assert free == pytest.approx(50, rel=0.1)
    assert ends(moment([one(1, 100, numerics_class="gone")], attempts, workers)) == {}
    assert ends(moment([one(1, 100)], attempts, [])) == {}
    assert ends(moment([one(1, 100)], [], ["w-1"])) == {}, "nothing tells its pace"


def test_what_workers_have_begun_is_finished_first():
    attempts = [past(1, "w-1", ended_at=NOW - 6), past(2, "w-1", ended_at=NOW - 20)]
    under_way = {(1, "w-1"): 10}
    known = moment([one(1, 10), one(2, 100)], attempts, ["w-1"], under_way=under_way)
    assert begun_by(known, "w-1") == begun_by(known, "w-1") >= 6.0
    assert ends(known)[1] <= 6.0, "it is painted for the most part"
    assert begun_by(known, "another") == 0.0


@effort(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 100)), min_size=1, max_size=6),
    st.integers(1, 8),
)
def test_every_campaign_ends_and_no_earlier_than_all_workers_could(sizes, count):
    campaigns = [
        one(number, left, priority=priority) for number, (left, priority) in enumerate(sizes, 1)
    ]
    workers = [f"w-{k}" for k in range(count)]
    attempts = [past(number, "w-0") for number in range(1, len(sizes) + 1)]
    found = ends(moment(campaigns, attempts, workers))
    assert found.keys() == {one.id for one in campaigns}
    whole = sum(left for left, _ in sizes)
    assert max(found.values()) >= whole / count * 0.95
    assert max(found.values()) <= whole + len(sizes) * 2 + whole / CHUNKS * 2 * len(sizes) + 5


def test_workers_that_are_coming_help_from_then_on():
    attempts = [past(1, "w-1")]
    both = {"w-1": "c", "w-2": "c"}
    alone = ends(moment([one(1, 100)], attempts, ["w-1"]))[1]
    soon = ends(moment([one(1, 100)], attempts, both, coming={"w-2": 20.0}))[1]
    late = ends(moment([one(1, 100)], attempts, both, coming={"w-2": 500.0}))[1]
    assert soon == pytest.approx((alone + 20) / 2, rel=0.1)
    assert late == pytest.approx(alone, rel=0.05)


def test_what_each_pool_gives_a_campaign_is_told():
    attempts = [past(1, "a-1"), past(1, "b-1", given_s=20.0)]
    known = moment([one(1, 90), one(2, 30)], attempts, ["a-1", "b-1"])
    seen = foresee(known, paces_of(known))
    assert seen.ends.keys() == seen.given_s.keys() == {1, 2}
    assert set(seen.given_s[1]) == {"a", "b"}
    whole = sum(sum(pools.values()) for pools in seen.given_s.values())
    assert whole == pytest.approx(2 * max(seen.ends.values()), rel=0.1)
