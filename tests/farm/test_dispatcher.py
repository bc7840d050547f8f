"""The dispatcher with a real queue and a fake fleet: from submission to manifest."""

from sqlalchemy import text

from actors.models.models import find_model
from actors.recipes.jobs import Failure, FailureKind, Look
from farm.dispatch.autoscaler import STARTS_BEFORE_HALT
from farm.scheduling.values import CHUNKS_PER_WORKER
from storage.states import CampaignState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, answer, one_render, run


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
    assert job.look is Look.ENDS


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
