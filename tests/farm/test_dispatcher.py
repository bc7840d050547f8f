"""The dispatcher with a real queue and a fleet that does as it is told."""

import pytest
from sqlalchemy import text

from actors.models.models import find_model
from actors.recipes.jobs import Failure, FailureKind
from farm.dispatch.autoscaler import STARTS_BEFORE_HALT
from farm.scheduling.assignment import CHUNKS_PER_WORKER
from farm.scheduling.retry import MAX_BACKOFFS, MAX_FAILURES, MAX_LOSSES
from farm.scheduling.trust import BLAMED_CAMPAIGNS
from storage.errors import DatabaseAway, SessionLost
from storage.states import CampaignState, Reason, RenderState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, FakeWorker, answer, health, one_render, run


def test_a_campaign_is_painted_and_its_manifest_written(start, campaign, campaigns, outputs):
    fleet = FakeFleet()
    dispatcher = start(fleet)
    for _ in range(10):
        dispatcher.tick(NOW)
        fleet.paint()
    dispatcher.end()
    dispatcher.close()
    ended = campaigns.by_id(campaign.id)
    assert (ended.state, ended.done) == (CampaignState.DONE, 18)
    assert len(fleet.acknowledged) == 6
    assert list(outputs.keys("p")) == ["p/spring/manifest.jsonl"]


def test_a_manifest_is_written_although_the_database_went_away_or_the_dispatcher_ended(
    start, campaign, campaigns, outputs, monkeypatch
):
    def away(*_):
        raise DatabaseAway("gone")

    fleet = FakeFleet()
    dispatcher = start(fleet)
    with monkeypatch.context() as cut:
        by_id = campaigns.by_id
        cut.setattr(
            campaigns,
            "by_id",
            lambda i: away() if by_id(i).state is CampaignState.DONE else by_id(i),
        )
        run(dispatcher, fleet)
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE
    assert list(outputs.keys("p")) == []
    # The one after it does what it did not live to do.
    heir = start(FakeFleet())
    heir.tick(NOW)
    heir.close()
    assert list(outputs.keys("p")) == ["p/spring/manifest.jsonl"]
    outputs.put("p/spring/manifest.jsonl", b"old")
    dispatcher._finishing.finish()
    dispatcher.close()
    with outputs.open("p/spring/manifest.jsonl") as file:
        assert b"mug" in file.read()


def test_no_worker_is_started_without_work_and_no_more_than_the_fleet_may_have(start, service):
    fleet = FakeFleet()
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    assert fleet.workers == {}
    service.submit("p", data())
    for k in range(1, 6):
        dispatcher.tick(NOW + k)
    assert len(fleet.workers) == 2
    assert all(len(worker.jobs) == CHUNKS_PER_WORKER for worker in fleet.workers.values())


def test_jobs_carry_all_that_a_worker_needs(start, campaign):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    job = fleet.jobs()[0]
    model = find_model("seedling")
    assert (job.model_folder, job.group.model) == (model.folder, model.digest)
    assert job.pictures[0].prompt == "a red mug"
    assert job.pictures[0].key.startswith("p/spring/final/red_mug_")
    assert not job.look_first


def test_a_lost_worker_costs_no_attempt_until_a_render_kills_too_many(start, service, campaigns):
    one = one_render(service)
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    for _ in range(MAX_LOSSES):
        assert campaigns.by_id(one.id).failed == 0
        dispatcher.tick(NOW)
        fleet.paint(Failure(kind=FailureKind.WORKER_LOST, detail="its process ended"))
        dispatcher.tick(NOW)
    assert [(o.reason, o.detail) for o in campaigns.failures(one.id, 10)] == [
        (Reason.WORKER_LOST, "its process ended")
    ]


def test_preemption_is_free_however_often(start, service, campaigns):
    one = one_render(service)
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    run(
        dispatcher,
        fleet,
        3 * MAX_LOSSES,
        failure=Failure(kind=FailureKind.PREEMPTED, detail="spot"),
    )
    assert campaigns.by_id(one.id).failed == 0
    run(dispatcher, fleet, 2)
    assert campaigns.by_id(one.id).done == 1


def test_a_bad_request_fails_its_renders_with_the_reason(start, campaign, campaigns):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    fleet.paint(Failure(kind=FailureKind.BAD_REQUEST, detail="the weights have changed"))
    dispatcher.tick(NOW)
    failures = campaigns.failures(campaign.id, 10)
    assert len(failures) == 6
    assert {(o.state, o.reason, o.detail) for o in failures} == {
        (RenderState.FAILED, Reason.BAD_REQUEST, "the weights have changed")
    }


def test_a_poisonous_render_fails_alone(start, campaign, campaigns):
    """Whatever chunk has render 7 fails; the others of its chunk are painted all the same."""
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    for _ in range(30):
        dispatcher.tick(NOW)
        for job, worker in fleet.take():
            poisoned = 7 in [p.number for p in job.pictures]
            failure = Failure(kind=FailureKind.UNKNOWN, detail="boom") if poisoned else None
            fleet.results.append(answer(job, worker, failure))
    ended = campaigns.by_id(campaign.id)
    assert (ended.done, ended.failed, ended.state) == (17, 1, CampaignState.FAILED)
    (failed,) = campaigns.failures(campaign.id, 10)
    assert (failed.number, failed.reason, failed.detail) == (7, Reason.UNKNOWN, "boom")
    assert campaigns.outcome(campaign.id, 7)[1] <= MAX_FAILURES + 2


def test_what_was_painted_before_a_failure_is_kept(start, campaign, campaigns):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    first = fleet.jobs()[0]
    done = first.pictures[0].number
    fleet.paint(Failure(kind=FailureKind.UNKNOWN, detail="boom"), done=[done])
    dispatcher.tick(NOW)
    assert campaigns.by_id(campaign.id).done == 1
    run(dispatcher, fleet)
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE
    assert campaigns.outcome(campaign.id, done)[1] == 1


def test_a_bad_output_is_tried_on_another_worker_and_then_held(start, campaign, campaigns):
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    painters = []
    for _ in range(20):
        dispatcher.tick(NOW)
        for job, worker in fleet.take():
            painters += [worker] if 7 in [p.number for p in job.pictures] else []
            fleet.results.append(answer(job, worker, bad=[7]))
    ended = campaigns.by_id(campaign.id)
    assert (ended.done, ended.held, ended.state) == (17, 1, CampaignState.FAILED)
    assert len(painters) == len(set(painters)) == 2
    (held,) = campaigns.failures(campaign.id, 10)
    assert (held.number, held.state, held.reason) == (7, RenderState.HELD, Reason.BAD_OUTPUT)


def test_on_a_farm_of_one_worker_nothing_waits_for_another(start, campaign, campaigns):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    run(dispatcher, fleet, 20, bad=[7])
    assert (campaigns.by_id(campaign.id).done, campaigns.by_id(campaign.id).held) == (17, 1)


def test_an_out_of_memory_is_tried_once_more_and_then_told(start, service, campaigns):
    one = one_render(service)
    fleet = FakeFleet(1)
    run(start(fleet), fleet, 6, failure=Failure(kind=FailureKind.OUT_OF_MEMORY, detail="batch 4"))
    (failed,) = campaigns.failures(one.id, 10)
    assert (failed.reason, campaigns.outcome(one.id, 0)[1]) == (Reason.OUT_OF_MEMORY, 2)


def test_outputs_that_are_away_are_waited_for_without_an_attempt(
    start, campaign, campaigns, engine
):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    run(
        dispatcher, fleet, 3, failure=Failure(kind=FailureKind.SHORTAGE, detail="the disk is away")
    )
    waiting = campaigns.by_id(campaign.id)
    assert (waiting.state, waiting.waits_for, waiting.failed, waiting.running) == (
        CampaignState.RUNNING,
        "the disk is away",
        0,
        0,
    )
    assert fleet.jobs() == []
    pass_time(engine)
    run(dispatcher, fleet)
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE


def test_outputs_that_only_a_person_can_mend_stop_the_campaign_at_once(start, campaign, campaigns):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    run(dispatcher, fleet, 3, failure=Failure(kind=FailureKind.OUTPUTS, detail="no such folder"))
    assert campaigns.by_id(campaign.id).halted == "no such folder"


def pass_time(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaigns SET waits_until = waits_until - 1000"))


def test_outputs_that_stay_away_stop_the_campaign_until_somebody_resumes_it(
    start, campaign, campaigns, control, engine
):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    for _ in range(MAX_BACKOFFS + 1):
        run(
            dispatcher,
            fleet,
            2,
            failure=Failure(kind=FailureKind.SHORTAGE, detail="the disk is full"),
        )
        pass_time(engine)
    stopped = campaigns.by_id(campaign.id)
    assert (stopped.state, stopped.halted, stopped.running) == (
        CampaignState.HALTED,
        "the disk is full",
        0,
    )
    control.resume(campaign.id)
    run(dispatcher, fleet)
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE


# --- budgets ---


def test_a_campaign_stops_once_its_budget_is_spent_and_goes_on_with_a_larger_one(
    start, service, campaigns
):
    """A render of it is taken for a third of a second, and costs as much: two chunks of three come
    near two seconds.
    """
    service.submit("p", data(budget={"gpu_hours": 2 / 3600}))
    fleet = FakeFleet(4)
    dispatcher = start(fleet)
    for k in range(4):
        dispatcher.tick(NOW + k)
    assert len(fleet.workers) == 2, "none is asked for that the budget has no chunk for"
    painted = [picture.number for job in fleet.jobs() for picture in job.pictures]
    assert len(painted) == 9, "although workers have room for all six chunks"
    fleet.paint(seconds=1.0)
    run(dispatcher, fleet, 3)
    stopped = campaigns.get("p", "spring")
    assert (stopped.state, stopped.done, stopped.device_s) == (CampaignState.HALTED, 9, 3.0)
    assert stopped.halted.startswith(
        "It has spent 0.000833 of its budget of 0.000556 GPU hours with 9 of 18 renders left:"
        " raise `budget`"
    )

    # Another one that has not enough either stops at once, before anything of it is begun.
    service.submit("p", data(budget={"gpu_hours": 2.5 / 3600}), update=True)
    dispatcher.tick(NOW)
    assert fleet.jobs() == []
    assert campaigns.get("p", "spring").state is CampaignState.HALTED

    assert (
        service.submit("p", data(budget={"gpu_hours": 1}), update=True)[1]["updated"]["kept"] == 9
    )
    for _ in range(6):
        dispatcher.tick(NOW)
        painted += [picture.number for job in fleet.jobs() for picture in job.pictures]
        fleet.paint()
    dispatcher.tick(NOW)
    assert campaigns.get("p", "spring").state is CampaignState.DONE
    assert sorted(painted) == list(range(18)), "each is painted once"


def test_a_budget_smaller_than_a_chunk_is_spent_by_one_and_the_others_go_on(
    start, service, campaigns
):
    service.submit("p", data(budget={"gpu_hours": 1e-6}))
    service.submit("p", data(name="other"))
    fleet = FakeFleet()
    dispatcher = start(fleet)
    run(dispatcher, fleet)
    assert (campaigns.get("p", "spring").done, campaigns.get("p", "spring").state) == (
        3,
        CampaignState.HALTED,
    )
    assert campaigns.get("p", "other").state is CampaignState.DONE


def test_attempts_that_fail_cost_budget_too_and_what_was_all_painted_is_done(
    start, service, campaigns
):
    service.submit("p", data(budget={"gpu_hours": 2 / 3600}))
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    run(dispatcher, fleet, failure=Failure(kind=FailureKind.PREEMPTED, detail="gone"))
    assert (campaigns.get("p", "spring").done, campaigns.get("p", "spring").state) == (
        0,
        CampaignState.HALTED,
    )
    one = service.submit(
        "p",
        data(name="one", vary={"product": ["mug"], "color": ["red"]}, budget={"gpu_hours": 1e-6}),
    )[0]
    run(dispatcher, fleet, 2)
    assert (campaigns.by_id(one.id).state, campaigns.by_id(one.id).halted) == (
        CampaignState.DONE,
        None,
    )


# --- quotas ---


def workers_of(fleet, project):
    return {
        worker.name
        for worker in fleet.workers.values()
        for held in worker.jobs
        if held.job.pictures[0].key.startswith(f"{project}/")
    }


def test_no_worker_is_asked_for_that_a_quota_leaves_without_work(start, service):
    service.submit("p", data())
    fleet = FakeFleet(5)
    dispatcher = start(fleet, quotas={"p": 1})
    for k in range(4):
        dispatcher.tick(NOW + k)
    assert len(fleet.workers) == 1
    one_render(service, project="q")
    for k in range(4, 8):
        dispatcher.tick(NOW + k)
    assert len(fleet.workers) == 2, "one for the other project, however much of the first waits"


def test_a_project_has_no_more_workers_than_its_quota_even_while_one_of_its_campaigns_is_paused(
    start, service, campaigns, control
):
    first = service.submit("p", data())[0]
    fleet = FakeFleet(3)
    fleet.workers = {name: FakeWorker(name) for name in ("w0", "w1", "w2")}
    dispatcher = start(fleet, quotas={"p": 1})
    dispatcher.tick(NOW)
    control.pause(first.id)
    second = service.submit("p", data(name="second"))[0]
    for k in range(1, 4):
        dispatcher.tick(NOW + k)
        assert workers_of(fleet, "p") == {"w0"}
    control.resume(first.id)
    for k in range(4, 20):
        assert len(workers_of(fleet, "p")) <= 1
        fleet.paint()
        dispatcher.tick(NOW + k)
    assert {campaigns.by_id(one.id).state for one in (first, second)} == {CampaignState.DONE}


def test_a_worker_that_fails_three_campaigns_is_quarantined_and_the_others_go_on(
    start, service, campaigns, watching
):
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    some = [service.submit("p", data(name=f"c{k}"))[0] for k in range(BLAMED_CAMPAIGNS)]
    for _ in range(60):
        dispatcher.tick(NOW)
        for job, worker in fleet.take():
            failure = (
                Failure(kind=FailureKind.UNKNOWN, detail="a bad card") if worker == "w0" else None
            )
            fleet.results.append(answer(job, worker, failure))
    assert all(campaigns.by_id(c.id).state is CampaignState.DONE for c in some)
    dispatcher.tick(NOW + 100)
    assert {row.name: row.state for row in watching.workers()} == {
        "w0": "quarantined",
        "w1": "idle",
    }
    # It is remembered by whoever leads next.
    heir = start(fleet)
    heir.tick(NOW)
    assert {row.name: row.state for row in watching.workers()} == {
        "w0": "quarantined",
        "w1": "idle",
    }


# --- control ---


def test_a_cancelled_campaign_is_stopped_on_its_workers(start, campaign, campaigns, control):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    under_way = {(job.chunk_id, job.lease) for job in fleet.jobs()}
    control.cancel(campaign.id)
    dispatcher.tick(NOW)
    assert set(fleet.stopped) == under_way
    assert len(fleet.stopped) == len(under_way)
    done = fleet.jobs()[0].pictures[0].number
    fleet.paint(Failure(kind=FailureKind.STOPPED, detail="stopped"), done=[done])
    dispatcher.tick(NOW)
    ended = campaigns.by_id(campaign.id)
    assert (ended.done, ended.cancelled, ended.state) == (1, 17, CampaignState.CANCELLED)


def test_a_small_campaign_does_not_wait_behind_a_large_one(start, service, campaigns, campaign):
    """Its first chunk takes the place of one that waits: it is painted as soon as the chunk before
    the worker is done.
    """
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    painted, waiting = fleet.jobs()
    small = one_render(service, "small")
    dispatcher.tick(NOW)
    assert fleet.stopped == [(waiting.chunk_id, waiting.lease)]
    assert [job.campaign_id for job in fleet.jobs()] == [campaign.id, campaign.id, small.id]
    _, _, (third, _) = fleet.take()
    fleet.submit("w0", third)
    fleet.results = [
        answer(painted, "w0"),
        answer(waiting, "w0", Failure(kind=FailureKind.STOPPED, detail="stopped")),
    ]
    dispatcher.tick(NOW)
    assert fleet.jobs()[0].campaign_id == small.id
    run(dispatcher, fleet)
    assert (
        campaigns.by_id(campaign.id).state is campaigns.by_id(small.id).state is CampaignState.DONE
    )


# --- taking over, and a database that goes away ---


def test_a_new_dispatcher_waits_for_what_the_workers_of_the_old_one_paint(
    start, campaign, campaigns
):
    fleet = FakeFleet(1)
    first = start(fleet)
    first.tick(NOW)
    first.tick(NOW)
    one, two = fleet.jobs()
    heir = FakeFleet(1)
    heir.workers = {"w0": FakeWorker("w0")}
    second = start(heir)
    assert set(heir.workers["w0"].inherited) == {(one.chunk_id, 1), (two.chunk_id, 1)}
    assert campaigns.by_id(campaign.id).running == 6
    heir.results = [
        answer(one, "w0"),
        answer(two, "w0", Failure(kind=FailureKind.PREEMPTED, detail="lost")),
    ]
    heir.workers["w0"].take_mail(health("w0", mailbox=tuple(heir.results)))
    second.tick(NOW)
    assert campaigns.by_id(campaign.id).done == 3
    # What the old one says later changes nothing, and it learns that it leads no more.
    fleet.results = [answer(one, "w0")]
    with pytest.raises(SessionLost):
        run(first, fleet, 3)
    run(second, heir)
    assert campaigns.by_id(campaign.id).done == 18


def test_a_dispatcher_that_was_taken_over_from_leaves_the_workers_alone(
    start, campaign, campaigns
):
    fleet, heir = FakeFleet(1), FakeFleet(1)
    first = start(fleet)
    first.tick(NOW)
    first.tick(NOW)
    heir.workers = {"w0": FakeWorker("w0")}
    start(heir)
    with pytest.raises(SessionLost):
        first.tick(
            NOW
        )  # what it gave out is leased to the other now, which is no reason to stop it
    fleet.paint()
    first._receiving.take(fleet.collect(0))
    with pytest.raises(SessionLost):
        first._settle(NOW)  # the other reads these from the mailbox
    with pytest.raises(SessionLost):
        first.end()
    assert (fleet.stopped, fleet.acknowledged, fleet.ended) == ([], [], False)
    assert campaigns.by_id(campaign.id).running == 6


def test_what_workers_that_are_gone_had_goes_back(start, campaign, campaigns):
    fleet = FakeFleet(1)
    first = start(fleet)
    first.tick(NOW)
    first.tick(NOW)
    assert campaigns.by_id(campaign.id).running == 6
    start(FakeFleet(1))
    assert campaigns.by_id(campaign.id).running == 0


def test_results_are_kept_while_the_database_is_away(
    start, campaign, campaigns, settling, monkeypatch
):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)

    def away(*_):
        raise DatabaseAway("gone")

    with monkeypatch.context() as cut:
        for name in ("snapshot", "claim", "renew", "leases"):
            cut.setattr(dispatcher._queue, name, away)
        cut.setattr(settling, "settle", away)
        fleet.paint()
        for _ in range(3):
            dispatcher.tick(NOW)
        assert fleet.acknowledged == []
    assert campaigns.by_id(campaign.id).done == 0
    dispatcher.tick(NOW)
    assert campaigns.by_id(campaign.id).done == 6
    assert len(fleet.acknowledged) == 2


def test_chunks_whose_claim_was_never_answered_are_given_out_all_the_same(
    start, campaign, campaigns, queue, monkeypatch
):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    claim = queue.claim

    def claim_and_cut(*arguments):
        claim(*arguments)
        raise DatabaseAway("cut in the middle of the answer")

    with monkeypatch.context() as cut:
        cut.setattr(queue, "claim", claim_and_cut)
        dispatcher.tick(NOW)
    assert fleet.jobs() == []
    assert campaigns.by_id(campaign.id).running == 6
    dispatcher.tick(NOW)
    assert len(fleet.jobs()) == 2
    run(dispatcher, fleet)
    assert campaigns.by_id(campaign.id).done == 18


def test_a_stored_campaign_that_cannot_be_read_stops_itself_and_no_other(
    start, campaign, campaigns, service, engine
):
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE campaigns SET spec = replace(spec, '\"vary\"', '\"varied\"')")
        )
    other, _ = service.submit("p", data(name="other"))
    fleet = FakeFleet()
    run(start(fleet), fleet)
    assert "cannot be read" in campaigns.by_id(campaign.id).halted
    assert campaigns.by_id(other.id).state is CampaignState.DONE


def test_where_no_worker_can_start_the_campaign_says_so(start, campaign, campaigns):
    class Broken(FakeFleet):
        def start(self, now, pool, labels):
            self.failed_starts.append("no torch")
            return "none"

    dispatcher = start(Broken(1))
    for k in range(STARTS_BEFORE_HALT + 1):
        dispatcher.tick(NOW + k)
    assert campaigns.by_id(campaign.id).halted == "No worker could be started: no torch"


def test_the_roster_is_published_and_cleared(start, campaign, campaigns, watching):
    fleet = FakeFleet()
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    assert len(watching.workers()) == 2
    dispatcher.end()
    assert fleet.ended
    assert watching.workers(fresh_s=None) == []
    assert campaigns.by_id(campaign.id).running == 0
