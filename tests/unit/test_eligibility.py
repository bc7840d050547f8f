"""Which campaigns a worker may serve: budgets, quotas, `max_workers`, numerics classes."""

from hypothesis import given
from hypothesis import strategies as st

from farm.scheduling.share import Shares
from farm.scheduling.values import CHUNKS_PER_WORKER
from storage.rows import ANY_CLASS
from tests.policies import MIXED, Farm, deal, open_campaign, worker


def test_max_workers_counts_those_that_hold_chunks_already():
    assigned = deal(
        [open_campaign(1, max_workers=1, workers=frozenset({"w2"}))],
        [worker(1), worker(2, holds=[1])],
    )
    assert [one.worker for one in assigned] == ["w2"]


@given(
    st.integers(1, 4),
    st.integers(1, 30),
    st.floats(1.0, 60.0),
    st.floats(0.1, 2000.0),
    st.floats(0.1, 10.0),
)
def test_a_budget_is_overspent_by_no_more_than_what_is_under_way(
    size, chunks, chunk_s, budget_s, guess
):
    farm = Farm(size)
    farm.submit(1, chunks, chunk_s, guess, budget_s=budget_s)
    spent, left = 0.0, chunks
    while farm.step():
        assert spent < budget_s or farm.campaigns[1]["left"] == left
        spent, left = farm.given[1], farm.campaigns[1]["left"]
    dealt = chunks - left
    assert spent >= min(budget_s, chunks * chunk_s) - 1e-6, (
        "what the budget has room for is painted"
    )
    assert (dealt - CHUNKS_PER_WORKER * size) * chunk_s < budget_s
    if guess >= 1:
        assert (dealt - 1) * chunk_s < budget_s + 1e-6, (
            "less than a chunk too much, where none costs more than it was taken for"
        )


def test_what_is_under_way_counts_for_a_budget():
    def dealt(**changes):
        return len(
            deal(
                [open_campaign(1, left=100, megapixel_steps=100.0, **changes)],
                [worker(1), worker(2)],
            )
        )

    assert dealt(budget_s=1e6) == 2 * CHUNKS_PER_WORKER
    assert dealt(budget_s=1.0) == 1, "one smaller than a chunk is spent by the first"
    assert dealt(budget_s=61.0) == 2
    assert dealt(budget_s=61.0, running=60, workers=frozenset("x")) == 1
    assert dealt(budget_s=61.0, running=61, workers=frozenset("x")) == 0
    assert dealt(budget_s=61.0, device_s=61.0, ended=1) == 0


def test_a_spent_budget_takes_no_place_from_others():
    spent = open_campaign(1, priority=90, budget_s=10.0, device_s=10.0, ended=5)
    assert {one.campaign_id for one in deal([spent, open_campaign(2)], [worker(1)])} == {2}
    assert deal([spent], [worker(1, holds=[3, 3])]) == [], "nor that of a chunk that waits"


def workers_of(farm, project):
    numbers = {
        number for number, c in farm.campaigns.items() if c["changes"]["project"] == project
    }
    return sum(any(h[0] in numbers for h in holds) for holds in farm.holds.values())


@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(
            st.sampled_from("pq"), st.integers(1, 12), st.floats(1.0, 60.0), st.integers(0, 1)
        ),
        min_size=1,
        max_size=6,
    ),
    st.dictionaries(st.sampled_from("pq"), st.integers(1, 4), min_size=1),
)
def test_a_project_never_has_more_workers_than_its_quota_and_all_work_is_done(size, loads, quotas):
    farm = Farm(size, quotas=quotas)
    late = dict(enumerate(loads, 1))
    for k in range(1000):
        for number in [number for number, load in late.items() if k == 3 * load[3]]:
            project, chunks, chunk_s, _ = late.pop(number)
            farm.submit(number, chunks, chunk_s, project=project)
        busy = farm.step()
        assert all(workers_of(farm, project) <= quota for project, quota in quotas.items())
        if not busy and not late:
            break
    assert all(c["left"] == 0 for c in farm.campaigns.values())


def quota(open_campaigns, free, **how):
    return [
        assignment.worker
        for assignment in deal(open_campaigns, free, Shares(), quotas={"p": 2}, **how)
    ]


def test_a_quota_counts_every_worker_that_has_a_chunk_of_the_project():
    free = [worker(1), worker(2), worker(3)]
    assert quota([open_campaign(1)], free) == ["w1", "w2", "w1", "w2"]
    assert quota([open_campaign(1), open_campaign(2)], free) == ["w1", "w2", "w1", "w2"]
    assert quota([open_campaign(1, workers=frozenset({"away"}))], free) == ["w1", "w1"]
    assert quota([open_campaign(1)], free, closing={"p": {"w3"}}) == ["w1", "w3", "w1", "w3"]
    assert quota([open_campaign(1)], free, closing={"p": {"x", "y"}, "q": {"z"}}) == []
    assert quota([open_campaign(1, project="q")], free) == ["w1", "w2", "w3"] * 2


def test_what_a_quota_allows_decides_whether_a_deadline_is_missed():
    late = open_campaign(1, priority=0, deadline=60.0, left=100, megapixel_steps=100.0)
    others = open_campaign(2, project="q", priority=90)
    assert {one.campaign_id for one in deal([late, others], [worker(1)], fleet_size=8)} == {2}
    assigned = deal([late, others], [worker(1)], Shares(), quotas={"p": 1})
    assert {one.campaign_id for one in assigned} == {1}


pinned = st.lists(
    st.builds(
        open_campaign,
        st.integers(1, 10),
        numerics_class=st.sampled_from([None, ANY_CLASS, "c", "d"]),
        waiting=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda c: c.id,
)


mixed = st.lists(
    st.builds(
        worker,
        st.integers(0, 9),
        holds=st.lists(st.just(99), max_size=2),
        numerics_class=st.sampled_from(["c", "d"]),
    ),
    max_size=6,
    unique_by=lambda w: w.name,
)


@given(pinned, mixed)
def test_a_campaign_has_workers_of_one_class_unless_it_takes_any(open_campaigns, free):
    assigned = deal(open_campaigns, free)
    class_of = {w.name: w.numerics_class for w in free}
    for c in open_campaigns:
        classes = {
            class_of[assignment.worker]
            for assignment in assigned
            if assignment.campaign_id == c.id
        }
        assert c.numerics_class == ANY_CLASS or len(classes) <= 1
        assert c.numerics_class in (None, ANY_CLASS) or classes <= {c.numerics_class}


@given(pinned, mixed)
def test_no_place_stays_empty_while_a_campaign_waits_that_its_worker_may_paint(
    open_campaigns, free
):
    assigned = deal(open_campaigns, free)
    for w in free:
        mine = sum(
            assignment.worker == w.name and assignment.instead_of is None
            for assignment in assigned
        )
        if any(
            c.waiting and c.numerics_class in (ANY_CLASS, w.numerics_class) for c in open_campaigns
        ):
            assert len(w.holds) + mine >= CHUNKS_PER_WORKER


def test_a_slow_worker_takes_nothing_that_faster_ones_would_be_done_with_before_it():
    for left, gets_some in ((1000, True), (1, False)):
        tail = open_campaign(
            1,
            model_digest="one",
            numerics_class=ANY_CLASS,
            workers=frozenset({"w2"}),
            left=left,
            megapixel_steps=left * 10.0,
        )
        free = [worker(1, numerics_class="slow"), worker(2, holds=[1], numerics_class="fast")]
        assert (
            any(assignment.worker == "w1" for assignment in deal([tail], free, history=MIXED))
            == gets_some
        )
        alone = deal([tail], [worker(1, numerics_class="slow")], history=MIXED)
        assert alone, "where it is the only one, it takes all"
