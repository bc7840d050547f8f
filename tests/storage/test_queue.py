import pytest

from storage.errors import NotFound, RequestError
from storage.rows import NewCampaign, NewChunk, RenderOutcome, Settlement
from storage.states import CampaignState, Reason, RenderState

NOW = 1000.0


def new_campaign(name="spring", total=6, **changes):
    base = dict(
        project="p", name=name, spec={"a": 1}, fingerprint="f", model="m", model_digest="d", priority=50, max_workers=None, total=total
    )
    return NewCampaign(**{**base, **changes})


def new_chunks(count=3, size=2):
    return [NewChunk(group_no=0, start=k * size, stop=(k + 1) * size, total=size) for k in range(count)]


@pytest.fixture
def campaign(campaigns):
    return campaigns.add(new_campaign(), new_chunks(), NOW)


@pytest.fixture
def session(queue):
    return queue.begin_session(host="h", pid=1, now=NOW)


def outcomes(chunk, state=RenderState.DONE):
    reason = Reason.PAINTED if state is RenderState.DONE else Reason.UNKNOWN
    return tuple(
        RenderOutcome(number=n, digest="d", state=state, reason=reason, key=f"k{n}", pixels="x", bytes=1)
        for n in range(chunk.start, chunk.stop)
    )


def settlement(chunk, painted=(), **changes):
    base = dict(
        chunk_id=chunk.id, campaign_id=chunk.campaign_id, lease=chunk.lease, worker=chunk.worker, outcome="painted", outcomes=painted
    )
    return Settlement(**{**base, **changes})


def claim_one(queue, session, campaign, worker="w"):
    (chunk,) = queue.claim(session, [(campaign.id, worker)], NOW)
    return chunk


def test_a_campaign_goes_from_queued_to_done(campaigns, queue, campaign, session):
    assert campaign.state is CampaignState.QUEUED
    for k in range(3):
        chunk = claim_one(queue, session, campaign)
        assert (chunk.start, chunk.lease) == (2 * k, 1)
        running = campaigns.by_id(campaign.id)
        assert (running.running, running.queued, running.state) == (2, 4 - 2 * k, CampaignState.RUNNING)
        assert queue.settle([settlement(chunk, outcomes(chunk))], NOW)
    ended = campaigns.by_id(campaign.id)
    assert (ended.done, ended.running, ended.queued, ended.state) == (6, 0, 0, CampaignState.DONE)
    assert ended.finished_at == NOW
    assert queue.open_campaigns(session) == []
    assert [o.number for o, _, _ in campaigns.outcomes(campaign.id)] == list(range(6))


def test_an_empty_campaign_leaves_its_seat_empty(queue, campaign, session):
    assert len(queue.claim(session, [(campaign.id, "w")] * 5, NOW)) == 3


def test_a_stale_lease_changes_nothing(campaigns, queue, campaign, session):
    old = claim_one(queue, session, campaign)
    queue.end_all_sessions(NOW)
    fresh = claim_one(queue, queue.begin_session(host="h", pid=2, now=NOW), campaign)
    assert (fresh.id, fresh.lease) == (old.id, old.lease + 1)
    assert queue.settle([settlement(old, outcomes(old))], NOW) == []
    assert campaigns.by_id(campaign.id).done == 0
    assert len(queue.settle([settlement(fresh, outcomes(fresh))], NOW)) == 1


def test_settling_twice_counts_once(campaigns, queue, campaign, session):
    chunk = claim_one(queue, session, campaign)
    first = settlement(chunk, outcomes(chunk))
    assert len(queue.settle([first, first], NOW)) == 1
    assert queue.settle([first], NOW) == []
    assert campaigns.by_id(campaign.id).done == 2


def test_an_attempt_without_outcomes_goes_back_with_its_counts(queue, campaign, session, watching):
    chunk = claim_one(queue, session, campaign)
    queue.settle([settlement(chunk, outcome="worker_lost", detail="gone", failures=1, losses=2)], NOW)
    again = claim_one(queue, session, campaign)
    assert (again.id, again.lease, again.failures, again.losses) == (chunk.id, 2, 1, 2)
    (attempt,) = watching.attempts_after(0)
    assert (attempt.outcome, attempt.done, attempt.failed) == ("worker_lost", 0, 0)


def test_a_session_that_ends_gives_back_its_own_leases_alone(queue, campaign, session):
    other = queue.begin_session(host="h", pid=2, now=NOW)
    claim_one(queue, session, campaign)
    claim_one(queue, other, campaign)
    assert queue.end_session(session, NOW) == 1
    assert queue.end_session(session, NOW) == 0
    assert queue.end_all_sessions(NOW - 100) == 1  # whatever the clock says


def test_waiting_chunks_are_counted_up_to_a_limit(queue, campaign, session, campaigns):
    assert (queue.waiting_chunks(2), queue.waiting_chunks(99)) == (2, 3)
    claim_one(queue, session, campaign)
    assert queue.waiting_chunks(99) == 2
    campaigns.halt(campaign.id, "x")
    assert queue.waiting_chunks(99) == 0


def test_a_halted_campaign_is_not_open(campaigns, queue, campaign, session):
    campaigns.halt(campaign.id, "the disk is full")
    assert queue.open_campaigns(session) == []
    assert campaigns.by_id(campaign.id).state is CampaignState.STOPPED
    campaigns.resume(campaign.id)
    assert [c.id for c in queue.open_campaigns(session)] == [campaign.id]


def test_open_campaigns_tell_who_holds_their_chunks(queue, campaign, session):
    queue.claim(session, [(campaign.id, "a"), (campaign.id, "b")], NOW)
    (seen,) = queue.open_campaigns(session)
    assert (seen.workers, seen.waiting) == (frozenset({"a", "b"}), True)
    queue.claim(session, [(campaign.id, "a")], NOW)
    assert queue.open_campaigns(session)[0].waiting is False


def test_failed_and_held_renders_end_a_campaign_as_failed(campaigns, queue, campaign, session, watching):
    for state in (RenderState.DONE, RenderState.FAILED, RenderState.HELD):
        chunk = claim_one(queue, session, campaign)
        queue.settle([settlement(chunk, outcomes(chunk, state))], NOW)
    ended = campaigns.by_id(campaign.id)
    assert (ended.done, ended.failed, ended.held, ended.state) == (2, 2, 2, CampaignState.FAILED)
    assert [(a.done, a.failed, a.held) for a in watching.attempts_after(0)] == [(2, 0, 0), (0, 2, 0), (0, 0, 2)]
    assert [o.state for o in campaigns.failures(campaign.id, 10)] == [RenderState.FAILED] * 2 + [RenderState.HELD] * 2


def test_a_name_is_taken_once_in_a_project(campaigns, campaign):
    with pytest.raises(RequestError, match="already"):
        campaigns.add(new_campaign(), new_chunks(), NOW)
    campaigns.add(new_campaign(project="other"), new_chunks(), NOW)


def test_a_campaign_that_cannot_be_written_whole_is_not_written(campaigns):
    def chunks():
        yield from new_chunks(1)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        campaigns.add(new_campaign(), chunks(), NOW)
    with pytest.raises(NotFound):
        campaigns.get("p", "spring")


def test_the_backlog_counts_by_model(campaigns, queue, campaign, session, watching):
    campaigns.add(new_campaign("two", 4), new_chunks(2), NOW)
    campaigns.add(new_campaign("three", 4, model="other"), new_chunks(2), NOW)
    claim_one(queue, session, campaign)
    assert [(b.model, b.queued, b.running) for b in watching.backlog()] == [("m", 8, 2), ("other", 4, 0)]
