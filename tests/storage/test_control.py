from dataclasses import replace

import pytest
from sqlalchemy import text

from storage.errors import NotFound, RequestError
from storage.rows import NewChunk
from storage.states import CampaignState, Reason, RenderState
from tests.storage.conftest import (
    claim_one,
    new_campaign,
    new_chunks,
    outcomes,
    prune_old,
    settlement,
)


def again(numbers, tries):
    return [NewChunk(group_no=0, numbers=tuple(numbers), total=len(numbers), lease=tries)]


@pytest.fixture
def ended(campaigns, queue, settling, campaign, session):
    """A campaign of which two renders are done, two failed and two are held."""
    for state in (RenderState.DONE, RenderState.FAILED, RenderState.HELD):
        chunk = claim_one(queue, session, campaign)
        settling.settle(session, [settlement(chunk, outcomes(chunk, state))])
    return campaigns.by_id(campaign.id)


def test_a_paused_campaign_finishes_what_is_under_way_and_starts_nothing(
    campaigns, queue, settling, control, campaign, session
):
    chunk = claim_one(queue, session, campaign)
    for _ in range(2):
        control.pause(campaign.id)
        assert queue.snapshot(session).campaigns == ()
        assert campaigns.by_id(campaign.id).state is CampaignState.PAUSED
    assert settling.settle(session, [settlement(chunk, outcomes(chunk))])
    for _ in range(2):
        control.resume(campaign.id)
        assert campaigns.by_id(campaign.id).state is CampaignState.RUNNING


def test_priority_is_changed_while_it_runs(queue, control, campaign, session):
    control.set_priority(campaign.id, 90)
    assert queue.snapshot(session).campaigns[0].priority == 90


def test_a_cancelled_campaign_is_over_once_its_workers_have_stopped(
    campaigns, queue, settling, control, campaign, session
):
    one = claim_one(queue, session, campaign)
    two = claim_one(queue, session, campaign)
    for _ in range(2):
        control.cancel(campaign.id)
        row = campaigns.by_id(campaign.id)
        assert (row.cancelled, row.running, row.state) == (2, 4, CampaignState.RUNNING)
    assert queue.snapshot(session).leases == frozenset()
    # One worker had painted a picture of its two; the other has died.
    rest = NewChunk(group_no=0, numbers=(1,), total=1)
    settling.settle(session, [settlement(one, outcomes(one, numbers=[0]), again=(rest,))])
    assert campaigns.by_id(campaign.id).cancelled == 3
    settling.settle(session, [settlement(two, outcome="worker_lost")])
    row = campaigns.by_id(campaign.id)
    assert (row.done, row.cancelled, row.running, row.queued, row.state) == (
        1,
        5,
        0,
        0,
        CampaignState.CANCELLED,
    )
    assert row.finished_at is not None


def test_a_cancelled_campaign_ends_when_a_dead_dispatchers_chunks_go_back(
    campaigns, queue, control, campaign, session
):
    claim_one(queue, session, campaign)
    control.cancel(campaign.id)
    heir = queue.lead(owner="one", host="h", pid=2)
    queue.release(heir)
    row = campaigns.by_id(campaign.id)
    assert (row.cancelled, row.state) == (6, CampaignState.CANCELLED)


def test_what_is_over_cannot_be_cancelled(campaigns, control, ended):
    control.cancel(ended.id)
    assert campaigns.by_id(ended.id).state is CampaignState.FAILED


@pytest.mark.parametrize(
    ("states", "only", "expected"),
    [
        ([RenderState.FAILED], None, (2, 3)),
        ([RenderState.HELD], None, (4, 5)),
        ([RenderState.FAILED, RenderState.HELD], None, (2, 3, 4, 5)),
        ([RenderState.FAILED, RenderState.HELD], 4, (4,)),
        ([RenderState.FAILED, RenderState.HELD], 0, ()),  # it is done
    ],
)
def test_retrying_queues_what_was_named_and_nothing_else(
    campaigns, queue, control, session, ended, states, only, expected
):
    assert control.retry(ended.id, states, again, only) == len(expected)
    assert control.retry(ended.id, states, again, only) == 0
    row = campaigns.by_id(ended.id)
    assert (row.queued, row.done, row.failed + row.held) == (len(expected), 2, 4 - len(expected))
    if expected:
        chunk = claim_one(queue, session, row)
        assert (chunk.numbers, chunk.lease) == (expected, 2)
        assert row.state is CampaignState.RUNNING


def test_a_retry_of_what_a_rule_holds_counts_only_that(
    campaigns, queue, settling, control, campaign, session
):
    for reason in (Reason.BRAND, Reason.DRIFT, Reason.BAD_OUTPUT):
        chunk = claim_one(queue, session, campaign)
        held = outcomes(chunk, RenderState.HELD, reason)
        settling.settle(session, [settlement(chunk, held)])
    row = campaigns.by_id(campaign.id)
    assert (row.held, row.held_by_rule, row.state) == (6, 4, CampaignState.FAILED)
    control.retry(campaign.id, [RenderState.HELD], again, 0)
    control.retry(campaign.id, [RenderState.HELD], again, 4)
    row = campaigns.by_id(campaign.id)
    assert (row.held, row.held_by_rule) == (4, 3)


def test_a_retried_campaign_can_end_well(campaigns, queue, settling, control, session, ended):
    control.retry(ended.id, [RenderState.FAILED, RenderState.HELD], again)
    chunk = claim_one(queue, session, ended)
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    row = campaigns.by_id(ended.id)
    assert (row.state, row.done, row.failed, row.held) == (CampaignState.DONE, 6, 0, 0)
    assert [attempts for _, attempts, _ in campaigns.outcomes(ended.id)] == [1, 1, 2, 2, 2, 2]


def test_a_cancelled_campaign_is_not_tried_again(control, campaign, session):
    control.cancel(campaign.id)
    with pytest.raises(RequestError, match="cancelled"):
        control.retry(campaign.id, [RenderState.FAILED], again)


def test_another_version_keeps_what_is_the_same_and_drops_the_rest(
    campaigns, queue, settling, control, session, ended
):
    kept = [(10, 0), (11, 2), (12, 4)]
    assert control.replace(
        ended.id, new_campaign(total=5), kept, [NewChunk(group_no=0, numbers=(13, 14), total=2)]
    )
    row = campaigns.get("p", "spring")
    assert row.id != ended.id
    assert (row.total, row.done, row.failed, row.held, row.queued) == (5, 1, 1, 1, 2)
    assert [(o.number, o.state) for o, _, _ in campaigns.outcomes(row.id)] == [
        (10, "done"),
        (11, "failed"),
        (12, "held"),
    ]
    assert [c.name for c in campaigns.all()] == ["spring"]
    with pytest.raises(NotFound):
        control.cancel(ended.id)


def test_another_version_has_a_budget_of_its_own_and_what_was_spent_before(
    campaigns, queue, settling, control, session
):
    first = campaigns.add(new_campaign(budget_s=2.0), new_chunks())
    chunk = claim_one(queue, session, first)
    settling.settle(session, [settlement(chunk, outcomes(chunk), device_s=2.5)])
    campaigns.halt(first.id, "It is spent.")
    assert control.replace(first.id, new_campaign(budget_s=9.0), [(0, 0), (1, 1)], new_chunks(2))
    row = campaigns.get("p", "spring")
    assert (row.budget_s, row.device_s, row.halted, row.done) == (9.0, 2.5, None, 2)


def test_what_a_replaced_version_still_costs_is_spent_by_the_new_one(
    campaigns, queue, settling, control, campaign, session
):
    chunk = claim_one(queue, session, campaign)
    control.replace(campaign.id, new_campaign(budget_s=1.0), [], new_chunks())
    control.replace(campaigns.get("p", "spring").id, new_campaign(budget_s=2.0), [], new_chunks())
    settling.settle(session, [settlement(chunk, outcomes(chunk), device_s=2.5)])
    row = campaigns.get("p", "spring")
    assert (row.budget_s, row.device_s, row.done) == (2.0, 2.5, 0)


def test_another_version_begins_once_nothing_of_the_one_before_is_under_way(
    campaigns, queue, settling, control, campaign, session, engine
):
    """Both write to the same places: a late picture of the old recipe must not lie over one of the
    new.
    """
    chunk = claim_one(queue, session, campaign)
    assert control.replace(campaign.id, new_campaign(), [], new_chunks())
    snapshot = queue.snapshot(session)
    assert (chunk.id, chunk.lease) not in snapshot.leases
    assert [c.waiting for c in snapshot.campaigns] == [False]
    assert prune_old(engine, 0) == 0
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    assert [c.waiting for c in queue.snapshot(session).campaigns] == [True]
    assert campaigns.get("p", "spring").done == 0


def test_a_version_that_was_worked_out_too_early_is_not_put_in_place(campaigns, control, ended):
    control.retry(ended.id, [RenderState.FAILED], again)
    assert not control.replace(ended.id, new_campaign(total=4), [(0, 0), (1, 2)], [])
    assert campaigns.get("p", "spring").id == ended.id


def test_pruning_forgets_what_has_long_been_over(campaigns, control, ended, engine):
    young = campaigns.add(new_campaign("young"), new_chunks())
    assert prune_old(engine, 60) == 0
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE campaigns SET finished_at = finished_at - 100 WHERE id = {ended.id}")
        )
    assert prune_old(engine, 60) == 1
    assert [c.name for c in campaigns.all()] == ["young"]
    with engine.connect() as connection:
        for table in ("renders", "attempts"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM chunks")).scalar_one() == 3
    # Its name is free, and no id of it is ever given again.
    fresh = campaigns.add(new_campaign(), new_chunks())
    assert fresh.id > young.id > ended.id


def test_ids_of_removed_rows_are_not_given_again(
    campaigns, queue, control, settling, campaign, session, engine
):
    chunks = queue.claim(session, [(campaign.id, "w")] * 3)
    settling.settle(session, [settlement(c, outcomes(c)) for c in chunks])
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaigns SET finished_at = finished_at - 100"))
    prune_old(engine, 60)
    later = campaigns.add(new_campaign(), new_chunks())
    assert claim_one(queue, session, later).id > chunks[-1].id


# --- files ---


def test_a_file_of_the_same_pixels_is_recorded_and_no_other(campaigns, control, ended):
    before = {o.number: o for o, _, _ in campaigns.outcomes(ended.id)}
    control.record_file(ended.id, replace(before[1], sha256="new", bytes=7))
    control.record_file(ended.id, replace(before[0], sha256="new", bytes=7, pixels="others"))
    after = {o.number: o for o, _, _ in campaigns.outcomes(ended.id)}
    assert after == {**before, 1: replace(before[1], sha256="new", bytes=7)}
    assert [o.number for o, _, _ in campaigns.outcomes(ended.id, after=3)] == [4, 5]


def test_a_campaign_that_is_forgotten_leaves_its_name_free_and_goes_with_the_next_pruning(
    campaigns, control, ended, engine
):
    control.forget(ended.id)
    assert campaigns.all() == []
    fresh = campaigns.add(new_campaign(), new_chunks())
    assert prune_old(engine, 1e9) == 0
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM campaigns")).scalars().all() == [fresh.id]
