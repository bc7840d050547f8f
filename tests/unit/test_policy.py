import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs import Failure, FailureKind
from farm.policy import (
    CHUNKS_PER_WORKER,
    MAX_FAILURES,
    MAX_LOSSES,
    Again,
    FreeWorker,
    GiveUp,
    Halt,
    after_failure,
    assign,
    workers_to_start,
)
from storage.rows import Chunk, OpenCampaign
from storage.states import Reason


def open_campaign(number, **changes):
    base = {"id": number, "model_digest": "d", "priority": 50, "max_workers": None, "waiting": True, "workers": frozenset()}
    return OpenCampaign(**{**base, **changes})


def worker(number, held=0, warm=None):
    return FreeWorker(name=f"w{number}", held=held, warm=warm)


def chunk(**changes):
    base = dict(id=1, campaign_id=1, group_no=0, start=0, stop=4, total=4, lease=1, failures=0, losses=0, worker="w")
    return Chunk(**{**base, **changes})


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
workers = st.lists(st.builds(worker, st.integers(0, 9), held=st.integers(0, 2)), max_size=6, unique_by=lambda w: w.name)


@given(campaigns, workers)
def test_no_worker_gets_more_than_it_has_room_for_and_no_campaign_more_workers_than_it_may(open_campaigns, free):
    seats = assign(open_campaigns, free)
    for w in free:
        assert w.held + sum(seat.worker == w.name for seat in seats) <= max(CHUNKS_PER_WORKER, w.held)
    for c in open_campaigns:
        mine = {seat.worker for seat in seats if seat.campaign_id == c.id}
        assert c.waiting or not mine
        assert c.max_workers is None or len(mine) <= c.max_workers


@given(campaigns, workers)
def test_no_place_stays_empty_while_an_unlimited_campaign_waits(open_campaigns, free):
    seats = assign(open_campaigns, free)
    if any(c.waiting and c.max_workers is None for c in open_campaigns):
        assert len(seats) == sum(max(0, CHUNKS_PER_WORKER - w.held) for w in free)


def test_every_worker_has_a_chunk_before_one_has_two():
    seats = assign([open_campaign(1)], [worker(1), worker(2)])
    assert [seat.worker for seat in seats[:2]] == ["w1", "w2"]


def test_a_higher_priority_goes_first_whatever_is_warm():
    seats = assign(
        [open_campaign(1, priority=10, model_digest="one"), open_campaign(2, priority=90, model_digest="two")], [worker(1, warm="one")]
    )
    assert {seat.campaign_id for seat in seats} == {2}


def test_a_warm_model_is_preferred_among_equals():
    seats = assign(
        [open_campaign(1, model_digest="one"), open_campaign(2, model_digest="two")], [worker(1, warm="two"), worker(2, warm="one")]
    )
    assert {(seat.worker, seat.campaign_id) for seat in seats} == {("w1", 2), ("w2", 1)}


def test_max_workers_counts_those_that_hold_chunks_already():
    seats = assign([open_campaign(1, max_workers=1, workers=frozenset({"w2"}))], [worker(1), worker(2, held=1)])
    assert [seat.worker for seat in seats] == ["w2"]


@pytest.mark.parametrize(
    ("kind", "so_far", "verdict"),
    [
        (FailureKind.BAD_REQUEST, {}, GiveUp(reason=Reason.BAD_REQUEST)),
        (FailureKind.OUTPUTS, {"failures": 2}, Halt()),
        (FailureKind.OUT_OF_MEMORY, {}, GiveUp(reason=Reason.OUT_OF_MEMORY)),
        (FailureKind.WORKER_LOST, {"failures": 2}, Again(failures=2, losses=1)),
        (FailureKind.WORKER_LOST, {"losses": MAX_LOSSES - 1}, GiveUp(reason=Reason.WORKER_LOST)),
        (FailureKind.UNKNOWN, {}, Again(failures=1, losses=0)),
        (FailureKind.UNKNOWN, {"failures": MAX_FAILURES - 1}, GiveUp(reason=Reason.UNKNOWN)),
    ],
)
def test_each_kind_of_failure_has_its_rule(kind, so_far, verdict):
    assert after_failure(Failure(kind=kind, detail="x"), chunk(**so_far)) == verdict


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 10), st.integers(0, 99), st.integers(1, 8))
def test_workers_are_asked_for_only_while_work_waits_and_few_at_a_time(wanted, alive, starting, chunks, limit):
    count = workers_to_start(wanted=wanted, alive=alive, starting=starting, waiting_chunks=chunks, pending_limit=limit)
    assert count >= 0
    assert count == 0 or (alive + starting + count <= wanted and starting + count <= min(chunks, limit))


def test_campaigns_of_equal_priority_share_the_workers_whatever_is_warm():
    both = [open_campaign(1, model_digest="one"), open_campaign(2, model_digest="two")]
    seats = assign(both, [worker(1, warm="one"), worker(2, warm="one")])
    assert {(seat.worker, seat.campaign_id) for seat in seats} == {("w1", 1), ("w2", 2)}
