import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from storage.bench.postgres import wait_for
from storage.errors import NotFound, RequestError, SessionLost
from storage.queue import LEASE_S
from storage.rows import CampaignBackoff, NewChunk, WorkerRow
from storage.states import CampaignState, RenderState
from tests.storage.conftest import claim_one, new_campaign, new_chunks, outcomes, settlement

AWAY = CampaignBackoff(seconds=60, why="the disk is away")


def test_a_campaign_goes_from_queued_to_done(campaigns, queue, settling, campaign, session):
    assert campaign.state is CampaignState.QUEUED
    for k in range(3):
        chunk = claim_one(queue, session, campaign)
        assert (chunk.start, chunk.lease) == (2 * k, 1)
        running = campaigns.by_id(campaign.id)
        assert (running.running, running.queued, running.state) == (
            2,
            4 - 2 * k,
            CampaignState.RUNNING,
        )
        assert settling.settle(session, [settlement(chunk, outcomes(chunk))])
    ended = campaigns.by_id(campaign.id)
    assert (ended.done, ended.running, ended.queued, ended.state) == (6, 0, 0, CampaignState.DONE)
    assert ended.created_at <= ended.started_at <= ended.finished_at <= ended.now
    assert queue.snapshot(session).campaigns == ()
    assert [o.number for o, _, _ in campaigns.outcomes(campaign.id)] == list(range(6))


def test_an_empty_campaign_leaves_its_seat_empty(queue, campaign, session):
    assert len(queue.claim(session, [(campaign.id, "w")] * 5)) == 3


def test_what_workers_have_of_a_campaign_is_known(campaigns, queue, settling, campaign, session):
    assert campaigns.under_way(campaign.id) == []
    first, second = (claim_one(queue, session, campaign) for _ in range(2))
    assert campaigns.under_way(campaign.id) == [first, second]
    settling.settle(session, [settlement(first, outcomes(first))])
    assert campaigns.under_way(campaign.id) == [second]


# --- sessions ---


def test_one_session_leads_and_another_waits_until_it_is_silent(
    queue, campaign, session, fall_silent
):
    chunk = claim_one(queue, session, campaign)
    assert queue.lead(owner="two", host="h2", pid=2) is None
    fall_silent(session, LEASE_S + 1)
    heir = queue.lead(owner="two", host="h2", pid=2)
    assert heir is not None
    # It has the leases of the one before it, and gives back those of workers that it does not
    # find.
    assert [(c.id, c.lease) for c in queue.leases(heir)] == [(chunk.id, chunk.lease)]
    assert queue.release(heir, keep=["another"]) == 1
    assert queue.leases(heir) == []
    again = claim_one(queue, heir, campaign)
    assert (again.id, again.lease) == (chunk.id, chunk.lease + 1)


def test_an_owner_takes_over_from_its_own_at_once(queue, session):
    heir = queue.lead(owner="one", host="h", pid=2)
    assert heir not in (None, session)
    with pytest.raises(SessionLost):
        queue.renew(session)


def test_leases_of_workers_that_live_on_are_kept(queue, settling, campaign, session):
    kept, lost = queue.claim(session, [(campaign.id, "alive"), (campaign.id, "dead")])
    heir = queue.lead(owner="one", host="h", pid=2)
    assert queue.release(heir, keep=["alive"]) == 1
    assert [c.id for c in queue.leases(heir)] == [kept.id]
    assert (
        len(
            settling.settle(
                heir, [settlement(kept, outcomes(kept)), settlement(lost, outcomes(lost))]
            )
        )
        == 1
    )


def test_a_session_that_was_taken_over_can_neither_claim_nor_settle(
    campaigns, queue, settling, campaign, session, watching
):
    old = claim_one(queue, session, campaign)
    heir = queue.lead(owner="one", host="h", pid=2)
    with pytest.raises(SessionLost):
        queue.claim(session, [(campaign.id, "w")])
    assert settling.settle(session, [settlement(old, outcomes(old))]) == []
    assert campaigns.by_id(campaign.id).done == 0
    assert [a.outcome for a in watching.attempts_after(0)] == ["stale"]
    assert len(settling.settle(heir, [settlement(old, outcomes(old))])) == 1


def test_renewing_tells_the_time_of_the_database(queue, session, fall_silent):
    first = queue.renew(session)
    fall_silent(session, 100)
    assert first <= queue.renew(session) < first + 100


def test_many_that_want_to_lead_make_one_leader(queue):
    results, barrier = [], threading.Barrier(8)

    def try_to_lead(k):
        barrier.wait()
        results.append(queue.lead(owner=f"o{k}", host="h", pid=k))

    threads = [threading.Thread(target=try_to_lead, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([session for session in results if session is not None]) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_taking_over_and_settling_wait_for_each_other_in_one_order(
    engine, queue, campaign, session, fall_silent
):
    chunks = queue.claim(session, [(campaign.id, "w")] * 2)
    fall_silent(session, LEASE_S + 1)
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND"
        " wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(1) as pool, engine.connect() as watcher:
        watcher.execution_options(isolation_level="AUTOCOMMIT")
        with engine.begin() as connection:
            # As settling does: the campaign, then the chunks as they come, here the last one
            # first.
            connection.execute(text("SELECT id FROM campaigns FOR UPDATE"))
            connection.execute(text(f"UPDATE chunks SET failures = 1 WHERE id = {chunks[1].id}"))
            heir = pool.submit(queue.lead, owner="two", host="h", pid=2)
            wait_for(lambda: watcher.execute(waits).scalar() == 1)
            connection.execute(text(f"UPDATE chunks SET failures = 1 WHERE id = {chunks[0].id}"))
        assert heir.result(timeout=30) is not None


def test_a_session_that_ends_gives_back_what_it_has_and_lets_another_lead(
    queue, campaign, session
):
    claim_one(queue, session, campaign)
    assert queue.end_session(session) == 1
    assert queue.end_session(session) == 0
    assert queue.lead(owner="two", host="h", pid=2) is not None


# --- claims ---


def test_a_chunk_is_claimed_once_however_many_ask(queue, campaigns, session):
    campaign = campaigns.add(new_campaign(total=200), new_chunks(100))
    claimed, barrier = [], threading.Barrier(8)

    def claim():
        barrier.wait()
        for _ in range(20):
            claimed.extend(c.id for c in queue.claim(session, [(campaign.id, "w")]))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 100


def roster(queue, watching, session, *names, **changes):
    rows = [
        WorkerRow(
            name=name,
            state="idle",
            node=None,
            device=None,
            numerics_class=None,
            warm=None,
            **changes,
        )
        for name in names
    ]
    watching.save_workers(session, rows)


def test_a_failed_chunk_goes_to_another_worker_while_there_is_one(
    queue, settling, campaigns, session, watching
):
    campaign = campaigns.add(new_campaign(total=2), new_chunks(1))
    roster(queue, watching, session, "a", "b")
    for worker in ("a", "b"):
        chunk = claim_one(queue, session, campaign, worker)
        settling.settle(
            session, [settlement(chunk, outcome="unknown", refused_by=frozenset({worker}))]
        )
        if worker == "a":
            assert queue.claim(session, [(campaign.id, "a")]) == []
    # Both have failed it now: it is not left lying.
    assert claim_one(queue, session, campaign, "a").lease == 3


def test_the_only_worker_gets_what_it_has_failed_again(
    queue, settling, campaign, session, watching
):
    roster(queue, watching, session, "a")
    chunk = claim_one(queue, session, campaign, "a")
    settling.settle(session, [settlement(chunk, outcome="unknown", refused_by=frozenset({"a"}))])
    assert claim_one(queue, session, campaign, "a").id == chunk.id


def test_a_campaign_that_waits_for_something_is_open_but_has_no_work(
    queue, settling, campaign, session, engine
):
    chunk = claim_one(queue, session, campaign)
    settling.settle(
        session,
        [settlement(chunk, outcome="outputs", backoff=AWAY)],
    )
    (waiting,) = queue.snapshot(session).campaigns
    assert not waiting.waiting
    assert queue.waiting_chunks(9) == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaigns SET waits_until = waits_until - 100"))
    assert queue.snapshot(session).campaigns[0].waiting
    assert claim_one(queue, session, campaign).failures == 0


def test_waits_are_counted_until_something_is_done(
    queue, settling, campaigns, campaign, session, engine
):
    for k in range(3):
        one, two = queue.claim(session, [(campaign.id, "w")] * 2)
        for chunk in (one, two):  # both were under way when it went away: that is one wait
            settling.settle(
                session,
                [settlement(chunk, outcome="outputs", backoff=AWAY)],
            )
        assert campaigns.by_id(campaign.id).waits == k + 1
        with engine.begin() as connection:
            connection.execute(text("UPDATE campaigns SET waits_until = waits_until - 100"))
    chunk = claim_one(queue, session, campaign)
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    assert campaigns.by_id(campaign.id).waits == 0


# --- settling ---


def test_a_stale_lease_changes_nothing(campaigns, queue, settling, campaign, session):
    old = claim_one(queue, session, campaign)
    queue.release(session)
    fresh = claim_one(queue, session, campaign)
    assert (fresh.id, fresh.lease) == (old.id, old.lease + 1)
    assert settling.settle(session, [settlement(old, outcomes(old))]) == []
    assert campaigns.by_id(campaign.id).done == 0
    assert len(settling.settle(session, [settlement(fresh, outcomes(fresh))])) == 1


def test_an_outcome_of_a_later_version_is_read_as_unknown(
    queue, settling, campaign, session, watching, engine
):
    """Two versions may share a database while a farm is brought up to date."""
    settling.settle(session, [settlement(claim_one(queue, session, campaign))])
    with engine.begin() as connection:
        connection.execute(text("UPDATE attempts SET outcome = 'of tomorrow'"))
    assert [attempt.outcome for attempt in watching.attempts_after(0)] == ["unknown"]


def test_settling_twice_counts_once(campaigns, queue, settling, campaign, session):
    chunk = claim_one(queue, session, campaign)
    first = settlement(chunk, outcomes(chunk), device_s=2.5)
    assert len(settling.settle(session, [first, first])) == 1
    assert settling.settle(session, [first]) == []
    assert (campaigns.by_id(campaign.id).done, campaigns.by_id(campaign.id).device_s) == (2, 2.5)


def test_an_attempt_without_outcomes_goes_back_with_its_counts(
    queue, settling, campaign, session, watching
):
    chunk = claim_one(queue, session, campaign)
    settling.settle(
        session,
        [
            settlement(
                chunk, outcome="worker_lost", detail="gone", failures=1, losses=2, bad_outputs=3
            )
        ],
    )
    again = claim_one(queue, session, campaign)
    assert (again.id, again.lease, again.failures, again.losses, again.bad_outputs) == (
        chunk.id,
        2,
        1,
        2,
        3,
    )
    (attempt,) = watching.attempts_after(0)
    assert (attempt.outcome, attempt.done, attempt.failed) == ("worker_lost", 0, 0)


def test_what_an_attempt_has_left_over_goes_on_in_new_chunks(
    queue, settling, campaigns, campaign, session, watching
):
    roster(queue, watching, session, "w", "other")
    chunk = claim_one(queue, session, campaign)
    rest = NewChunk(
        group_no=0,
        numbers=(1,),
        total=1,
        lease=chunk.lease,
        bad_outputs=1,
        refused_by=frozenset({"w"}),
    )
    settling.settle(session, [settlement(chunk, outcomes(chunk, numbers=[0]), again=(rest,))])
    assert (campaigns.by_id(campaign.id).done, campaigns.by_id(campaign.id).queued) == (1, 5)
    mine = queue.claim(session, [(campaign.id, "w")] * 3)
    assert [c.start for c in mine] == [2, 4]
    again = claim_one(queue, session, campaign, "other")
    assert (again.numbers, again.total, again.lease, again.bad_outputs) == ((1,), 1, 2, 1)


def test_failed_and_held_renders_end_a_campaign_as_failed(
    campaigns, queue, settling, campaign, session, watching
):
    for state in (RenderState.DONE, RenderState.FAILED, RenderState.HELD):
        chunk = claim_one(queue, session, campaign)
        settling.settle(session, [settlement(chunk, outcomes(chunk, state))])
    ended = campaigns.by_id(campaign.id)
    assert (ended.done, ended.failed, ended.held, ended.state) == (2, 2, 2, CampaignState.FAILED)
    assert [(a.done, a.failed, a.held) for a in watching.attempts_after(0)] == [
        (2, 0, 0),
        (0, 2, 0),
        (0, 0, 2),
    ]
    assert [o.state for o in campaigns.failures(campaign.id, 10)] == [RenderState.FAILED] * 2 + [
        RenderState.HELD
    ] * 2


def test_hostile_text_is_kept_as_it_is(queue, settling, campaigns, campaign, session):
    chunk = claim_one(queue, session, campaign)
    evil = "'); DROP TABLE renders; -- %s {} \\ \N{SNOWMAN}"
    settling.settle(session, [settlement(chunk, outcomes(chunk), detail=evil)])
    assert campaigns.by_id(campaign.id).done == 2


# --- campaigns ---


def test_a_halted_campaign_is_not_open(campaigns, queue, control, campaign, session):
    campaigns.halt(campaign.id, "the disk is full")
    assert queue.snapshot(session).campaigns == ()
    assert campaigns.by_id(campaign.id).state is CampaignState.HALTED
    control.resume(campaign.id)
    assert [c.id for c in queue.snapshot(session).campaigns] == [campaign.id]


def test_open_campaigns_tell_who_holds_their_chunks(queue, campaign, session):
    queue.claim(session, [(campaign.id, "a"), (campaign.id, "b")])
    (seen,) = queue.snapshot(session).campaigns
    assert (seen.workers, seen.waiting, seen.running, seen.left) == (
        frozenset({"a", "b"}),
        True,
        4,
        6,
    )
    queue.claim(session, [(campaign.id, "a")])
    assert queue.snapshot(session).campaigns[0].waiting is False


def test_what_is_claimed_after_a_look_counts_as_under_way(queue, campaigns, campaign, session):
    other = campaigns.add(new_campaign("autumn", budget_s=2.5), new_chunks())
    before = queue.snapshot(session)
    assert [(c.running, c.budget_s) for c in before.campaigns] == [(0, None), (0, 2.5)]
    queue.claim(session, [(other.id, "w"), (other.id, "w")])
    assert [c.running for c in queue.snapshot(session).campaigns] == [0, 4]


def test_waiting_chunks_are_counted_up_to_a_limit(queue, campaign, session, campaigns):
    assert (queue.waiting_chunks(2), queue.waiting_chunks(99)) == (2, 3)
    claim_one(queue, session, campaign)
    assert queue.waiting_chunks(99) == 2
    campaigns.halt(campaign.id, "x")
    assert queue.waiting_chunks(99) == 0


def test_of_some_campaigns_no_more_waiting_chunks_count_than_they_have_room_for(
    queue, campaign, campaigns
):
    two, three = (campaigns.add(new_campaign(name), new_chunks(4)) for name in ("two", "three"))
    assert queue.waiting_chunks(99, [({campaign.id}, 0), ({two.id}, 2)]) == 2 + 4
    assert queue.waiting_chunks(99, [({campaign.id, two.id}, 5)]) == 5 + 4
    assert queue.waiting_chunks(99, [({campaign.id, two.id, three.id}, 99)]) == 3 + 4 + 4
    assert queue.waiting_chunks(6, [({two.id}, 99)]) == 6


def test_workers_of_campaigns_that_are_not_open_are_told_by_their_project(
    queue, campaign, session, campaigns, control, watching
):
    other = campaigns.add(new_campaign("autumn", project="q"), new_chunks())
    queue.claim(
        session, [(campaign.id, "a"), (campaign.id, "b"), (other.id, "b"), (other.id, "b")]
    )
    assert queue.snapshot(session).closing == {}
    control.pause(campaign.id)
    control.cancel(other.id)
    snapshot = queue.snapshot(session)
    assert snapshot.closing == {"p": {"a", "b"}, "q": {"b"}}
    assert len(snapshot.leases) == 2, "what was cancelled is wanted no more"


def test_a_name_is_taken_once_in_a_project(campaigns, campaign):
    with pytest.raises(RequestError, match="already"):
        campaigns.add(new_campaign(), new_chunks())
    campaigns.add(new_campaign(project="other"), new_chunks())


def test_a_campaign_that_cannot_be_written_whole_is_not_written(campaigns):
    def chunks():
        yield from new_chunks(1)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        campaigns.add(new_campaign(), chunks())
    with pytest.raises(NotFound):
        campaigns.get("p", "spring")


def test_a_render_is_found_in_its_chunk(campaigns, queue, campaign, session):
    claim_one(queue, session, campaign)
    state, chunk, ahead = campaigns.chunk_of(campaign.id, 0, 1, 1)
    assert (state, chunk.worker, ahead) == ("leased", "w", 0)
    state, chunk, ahead = campaigns.chunk_of(campaign.id, 0, 5, 5)
    assert (state, chunk.start, ahead) == ("queued", 4, 1)
    assert campaigns.chunk_of(campaign.id, 0, 6, 6) is None
