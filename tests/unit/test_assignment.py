"""Which campaign each worker serves next: tiers, shares, warm models, workers that differ."""

from hypothesis import given
from hypothesis import strategies as st

from farm.cost import would_be_late
from farm.scheduling.history import History
from farm.scheduling.share import Shares
from farm.scheduling.values import AFFINITY_LOADS, AFFINITY_S, CHUNKS_PER_WORKER
from storage.rows import ANY_CLASS
from tests.policies import MIXED, deal, open_campaign, shares_of, worker

campaigns = st.lists(
    st.builds(
        open_campaign,
        st.integers(1, 10),
        priority=st.integers(0, 100),
        max_workers=st.one_of(st.none(), st.integers(1, 3)),
        waiting=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda c: c.id,
)


workers = st.lists(
    st.builds(worker, st.integers(0, 9), holds=st.lists(st.just(99), max_size=2)),
    max_size=6,
    unique_by=lambda w: w.name,
)


@given(campaigns, workers)
def test_no_worker_gets_more_than_it_has_room_for_and_no_campaign_more_workers_than_it_may(
    open_campaigns, free
):
    assigned = deal(open_campaigns, free)
    for w in free:
        mine = sum(one.worker == w.name for one in assigned if one.instead_of is None)
        assert len(w.holds) + mine <= max(CHUNKS_PER_WORKER, len(w.holds))
    for c in open_campaigns:
        mine = {one.worker for one in assigned if one.campaign_id == c.id}
        assert c.waiting or not mine
        assert c.max_workers is None or len(mine) <= c.max_workers


@given(campaigns, workers)
def test_no_place_stays_empty_while_an_unlimited_campaign_waits(open_campaigns, free):
    assigned = deal(open_campaigns, free)
    if any(c.waiting and c.max_workers is None for c in open_campaigns):
        assert len(assigned) >= sum(max(0, CHUNKS_PER_WORKER - len(w.holds)) for w in free)


def test_every_worker_has_a_chunk_before_one_has_two():
    assigned = deal([open_campaign(1)], [worker(1), worker(2)])
    assert [one.worker for one in assigned[:2]] == ["w1", "w2"]


def test_a_higher_priority_goes_first_whatever_is_warm():
    assigned = deal(
        [
            open_campaign(1, priority=10, model_digest="one"),
            open_campaign(2, priority=90, model_digest="two"),
        ],
        [worker(1, warm="one")],
    )
    assert {one.campaign_id for one in assigned} == {2}


def test_a_warm_model_is_preferred_among_equals():
    assigned = deal(
        [open_campaign(1, model_digest="one"), open_campaign(2, model_digest="two")],
        [worker(1, warm="two"), worker(2, warm="one")],
    )
    assert {(one.worker, one.campaign_id) for one in assigned} == {
        ("w1", 2),
        ("w2", 1),
    }


def test_a_campaign_that_nobody_serves_comes_before_what_is_warm():
    both = [open_campaign(1, model_digest="one"), open_campaign(2, model_digest="two")]
    assigned = deal(both, [worker(1, warm="one"), worker(2, warm="one")])
    assert {(one.worker, one.campaign_id) for one in assigned[:2]} == {
        ("w1", 1),
        ("w2", 2),
    }


def test_who_has_been_given_least_goes_first():
    both = [open_campaign(1, workers=frozenset({"x"})), open_campaign(2, workers=frozenset({"y"}))]
    ahead = Shares(
        projects={"p": 0.0},
        campaigns={1: AFFINITY_S + 1, 2: 0.0},
        active_projects=frozenset({"p"}),
    )
    assert {one.campaign_id for one in deal(both, [worker(1)], ahead)} == {2}


def test_a_warm_model_is_worth_a_bounded_debt():
    both = [
        open_campaign(1, model_digest="one", workers=frozenset({"x"})),
        open_campaign(2, model_digest="two", workers=frozenset({"y"})),
    ]
    for debt, first in ((AFFINITY_S - 1, 1), (AFFINITY_S + 1, 2)):
        shares = Shares(
            projects={"p": 0.0}, campaigns={1: debt, 2: 0.0}, active_projects=frozenset({"p"})
        )
        assert deal(both, [worker(1, warm="one")], shares)[0].campaign_id == first


def test_the_longer_a_model_takes_to_load_the_larger_that_debt_may_be():
    both = [
        open_campaign(1, model_digest="one", ended=1),
        open_campaign(2, model_digest="two", ended=1),
    ]
    shares = Shares(
        projects={"p": 0.0},
        campaigns={1: 2 * AFFINITY_S, 2: 0.0},
        active_projects=frozenset({"p"}),
    )
    for load_s, first in ((AFFINITY_S / AFFINITY_LOADS, 2), (3 * AFFINITY_S / AFFINITY_LOADS, 1)):
        assigned = deal(
            both, [worker(1, warm="one")], shares, history=History(loads={"one": load_s})
        )
        assert assigned[0].campaign_id == first


def test_a_campaign_that_would_be_late_goes_before_every_priority():
    late = open_campaign(1, priority=0, deadline=50.0, left=100, megapixel_steps=1000.0)
    assert would_be_late(late, now=0.0, fleet_size=8)
    assert not would_be_late(late, now=0.0, fleet_size=100)
    assert {
        assignment.campaign_id
        for assignment in deal([late, open_campaign(2, priority=100)], [worker(1)])
    } == {1}


def test_models_that_are_warm_together_take_turns_and_a_loaded_one_may_take_the_others_place():
    both = [
        open_campaign(k, model_digest=name, workers=frozenset({"x"}), ended=9)
        for k, name in ((1, "one"), (2, "two"))
    ]
    levels = shares_of(c1=60.0, c2=0.0)
    free = lambda warm, holds=(): worker(1, holds=holds, warm=warm)  # noqa: E731
    assert deal(both, [free(["one", "two"])], levels)[0].campaign_id == 2
    assert deal(both, [free(["one"])], levels)[0].campaign_id == 1
    # It is about to load the third one: nobody knows what is left of the others then.
    third = open_campaign(
        3, model_digest="three", workers=frozenset({"w1"}), waiting=False, ended=9
    )
    assert (
        deal([*both, third], [free(["one", "two"], [3])], shares_of(c1=0.0, c2=60.0, c3=0.0))[
            0
        ].campaign_id
        == 1
    )


def test_a_cold_worker_loads_what_no_other_has():
    served = open_campaign(1, model_digest="one", workers=frozenset({"x"}), ended=1)
    left = open_campaign(2, model_digest="two", ended=50)
    assert (
        deal([served, left], [worker(1, warm="old")], shares_of(c1=0.0, c2=60.0))[0].campaign_id
        == 2
    )


def test_each_worker_gets_what_it_is_better_at_than_others_are():
    both = [
        open_campaign(k, model_digest=name, numerics_class=ANY_CLASS)
        for k, name in ((1, "one"), (2, "two"))
    ]
    assigned = deal(
        both, [worker(1, numerics_class="slow"), worker(2, numerics_class="fast")], history=MIXED
    )
    assert {(one.worker, one.campaign_id) for one in assigned[:2]} == {
        ("w1", 2),
        ("w2", 1),
    }
