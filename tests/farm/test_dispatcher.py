"""The dispatcher with a real queue and a fleet that does as it is told."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from actors.jobs import ChunkResult, Facts, Failure, FailureKind, Health
from actors.models import find_model
from farm.dispatcher import STARTS_BEFORE_HALT, Dispatcher
from farm.policy import CHUNKS_PER_WORKER, MAX_LOSSES
from farm.service import Service
from storage.rows import RenderOutcome, WorkerRow
from storage.states import CampaignState, Reason, RenderState
from tests.campaigns import data

NOW = 1000.0


class FakeWorker:
    def __init__(self, name, ready=True):
        self.name, self.jobs, self.is_ready = name, {}, ready
        self.health = Health(name=name, node="n", device="cpu", numerics_class="c", warm=None) if ready else None


class FakeFleet:
    """Keeps what it is given until a test says what became of it."""

    def __init__(self):
        self.workers, self.results, self.acknowledged, self.failed_starts, self.ended = {}, [], [], [], False
        self.adopted = {}

    def adopt(self, now):
        self.workers.update(self.adopted)

    def start(self, now):
        name = f"w{len(self.workers) + len(self.failed_starts)}"
        self.workers[name] = FakeWorker(name)
        return name

    def submit(self, worker, job):
        self.workers[worker].jobs[job.chunk_id] = job

    def collect(self, timeout_s):
        for worker in self.workers.values():
            if not worker.is_ready:
                worker.is_ready, worker.health = (
                    True,
                    Health(name=worker.name, node="n", device="cpu", numerics_class="c", warm=None),
                )
        results, self.results = self.results, []
        return results

    def ask_health(self, now):
        return []

    def acknowledge(self, results):
        self.acknowledged += [(result.chunk_id, result.lease) for result in results]

    def rows(self):
        return [WorkerRow(name=w.name, state="idle", node=None, device=None, numerics_class=None, warm=None) for w in self.workers.values()]

    def end(self):
        self.ended = True

    def paint(self, failure=None):
        """Answer every job that is under way."""
        for worker in self.workers.values():
            for job in worker.jobs.values():
                self.results.append(answer(job, worker.name, failure))
            worker.jobs.clear()


def answer(job, worker, failure=None):
    outcomes = tuple(
        RenderOutcome(
            number=p.number, digest=job.recipe(p).digest, state=RenderState.DONE, reason=Reason.PAINTED, key=p.key, pixels="x", bytes=1
        )
        for p in job.pictures
    )
    base = ChunkResult(
        chunk_id=job.chunk_id, campaign_id=job.campaign_id, lease=job.lease, worker=worker, facts=Facts(pictures=len(outcomes))
    )
    return replace(base, failure=failure) if failure else replace(base, outcomes=outcomes)


@pytest.fixture
def service(campaigns, watching, outputs):
    return Service(campaigns=campaigns, watching=watching, outputs=outputs, chunk=3, clock=lambda: NOW)


@pytest.fixture
def start(queue, campaigns, watching, outputs):
    def start(fleet, size=2):
        return Dispatcher(queue=queue, campaigns=campaigns, watching=watching, outputs=outputs, fleet=fleet, fleet_size=size, now=NOW)

    return start


@pytest.fixture
def campaign(service):
    return service.submit("p", data())[0]  # 18 renders in 6 chunks


def test_a_campaign_is_painted_and_its_manifest_written(start, campaign, campaigns, outputs):
    fleet = FakeFleet()
    dispatcher = start(fleet)
    for _ in range(10):
        dispatcher.tick(NOW)
        fleet.paint()
    dispatcher.end(NOW)
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
    for _ in range(5):
        dispatcher.tick(NOW)
    assert len(fleet.workers) == 2
    assert all(len(worker.jobs) == CHUNKS_PER_WORKER for worker in fleet.workers.values())


def test_jobs_carry_all_that_a_worker_needs(start, campaign):
    fleet = FakeFleet()
    dispatcher = start(fleet, size=1)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    job = next(iter(fleet.workers["w0"].jobs.values()))
    model = find_model("seedling")
    assert (job.model_folder, job.group.model) == (model.folder, model.digest)
    assert job.pictures[0].prompt == "a red mug"
    assert job.pictures[0].key.startswith("p/spring/final/red_mug_")


def test_a_lost_worker_costs_no_attempt_until_a_chunk_kills_too_many(start, service, campaigns):
    one, _ = service.submit("p", data(name="one", vary={"product": ["mug"], "color": ["red"]}, seeds=[1]))
    fleet = FakeFleet()
    dispatcher = start(fleet, size=1)
    for _ in range(MAX_LOSSES):
        assert campaigns.by_id(one.id).failed == 0
        dispatcher.tick(NOW)
        fleet.paint(Failure(kind=FailureKind.WORKER_LOST, detail="its process ended"))
        dispatcher.tick(NOW)
    assert [(o.reason, o.detail) for o in campaigns.failures(one.id, 10)] == [(Reason.WORKER_LOST, "its process ended")]


def test_a_bad_request_fails_its_renders_with_the_reason(start, campaign, campaigns):
    fleet = FakeFleet()
    dispatcher = start(fleet, size=1)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    fleet.paint(Failure(kind=FailureKind.BAD_REQUEST, detail="the weights have changed"))
    dispatcher.tick(NOW)
    failures = campaigns.failures(campaign.id, 10)
    assert len(failures) == 6
    assert {(o.state, o.reason, o.detail) for o in failures} == {(RenderState.FAILED, Reason.BAD_REQUEST, "the weights have changed")}


def test_outputs_that_fail_stop_the_campaign_and_submitting_again_goes_on(start, campaign, campaigns, service):
    fleet = FakeFleet()
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    for _ in range(2):  # the chunks under way, and those that were claimed before it was known
        fleet.paint(Failure(kind=FailureKind.OUTPUTS, detail="the disk is full"))
        dispatcher.tick(NOW)
    stopped = campaigns.by_id(campaign.id)
    assert (stopped.state, stopped.halted, stopped.running) == (CampaignState.STOPPED, "the disk is full", 0)
    assert service.submit("p", data())[1] is False
    for _ in range(8):
        dispatcher.tick(NOW)
        fleet.paint()
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE


def test_a_new_dispatcher_settles_what_waits_with_workers_before_it_frees_the_rest(start, campaign, campaigns):
    fleet = FakeFleet()
    first = start(fleet, size=1)
    first.tick(NOW)
    first.tick(NOW)
    jobs = list(fleet.workers["w0"].jobs.values())
    heir = FakeFleet()
    heir.adopted = {"w0": FakeWorker("w0", ready=False)}
    heir.results = [answer(jobs[0], "w0")]
    second = start(heir, size=1)
    assert campaigns.by_id(campaign.id).done == 3
    assert campaigns.by_id(campaign.id).running == 0
    assert heir.acknowledged == [(jobs[0].chunk_id, jobs[0].lease)]
    # What the dead one's worker says later, under its old lease, changes nothing.
    second.tick(NOW)
    heir.results = [answer(jobs[1], "w0")]
    second.tick(NOW)
    assert campaigns.by_id(campaign.id).done == 3
    for _ in range(8):
        heir.paint()
        second.tick(NOW)
    assert campaigns.by_id(campaign.id).done == 18


def test_a_stored_campaign_that_cannot_be_read_stops_itself_and_no_other(start, campaign, campaigns, service, engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaigns SET spec = replace(spec, 'mug', '')"))
    other, _ = service.submit("p", data(name="other"))
    fleet = FakeFleet()
    dispatcher = start(fleet)
    for _ in range(10):
        dispatcher.tick(NOW)
        fleet.paint()
    assert "cannot be read" in campaigns.by_id(campaign.id).halted
    assert campaigns.by_id(other.id).state is CampaignState.DONE


def test_where_no_worker_can_start_the_campaign_says_so(start, campaign, campaigns):
    class Broken(FakeFleet):
        def start(self, now):
            self.failed_starts.append("no torch")
            return "none"

    dispatcher = start(Broken(), size=1)
    for _ in range(STARTS_BEFORE_HALT):
        dispatcher.tick(NOW)
    assert campaigns.by_id(campaign.id).halted == "No worker could be started: no torch"


def test_the_roster_is_published_and_cleared(start, campaign, watching):
    fleet = FakeFleet()
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    assert len(watching.workers(seen_since=NOW)) == 2
    assert watching.workers(seen_since=NOW + 1) == []
    dispatcher.end(NOW)
    assert fleet.ended
    assert watching.workers(seen_since=0) == []
    assert campaigns_running(dispatcher, campaign) == 0


def campaigns_running(dispatcher, campaign):
    return dispatcher._campaigns.by_id(campaign.id).running
