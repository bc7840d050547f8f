"""What the dispatcher does after an attempt that failed, with a real queue and a fake fleet."""

from sqlalchemy import text

from actors.recipes.jobs import Failure, FailureKind
from farm.scheduling.retry import MAX_BACKOFFS, MAX_FAILURES, MAX_LOSSES
from farm.scheduling.trust import BLAMED_CAMPAIGNS
from storage.states import CampaignState, Reason, RenderState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, answer, one_render, run


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
