"""The dispatcher with reuse, numerics classes and canaries."""

from dataclasses import replace

import pytest

from actors.recipes.canary import subject_of
from actors.recipes.jobs import Canary, Failure, FailureKind, Look
from farm.scheduling.trust import FORGIVE_S
from storage.canaries import Canaries
from storage.states import CampaignState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, FakeWorker, answer, run


class MixedFleet(FakeFleet):
    """Its workers are of these classes, in turn."""

    def __init__(self, *classes, name="w"):
        super().__init__(len(classes))
        for k, numerics_class in enumerate(classes):
            worker = FakeWorker(f"{name}{k}")
            worker.health = replace(worker.health, numerics_class=numerics_class)
            self.workers[worker.name] = worker

    def paint(self, failure=None, **changes):
        self.results += [
            self.proven(answer(job, worker, failure, **changes), job)
            for job, worker in self.take()
        ]

    def proven(self, result, job):
        own = self.workers[result.worker].health.numerics_class
        return replace(
            result, outcomes=tuple(replace(o, numerics_class=own) for o in result.outcomes)
        )


class ProvingFleet(MixedFleet):
    """Says what its canaries are, by worker; one that knows better says so itself."""

    def __init__(self, **canaries):
        super().__init__(*["c"] * len(canaries), name=min(canaries)[0])
        self.canaries = canaries

    def proven(self, result, job):
        digest = self.canaries[result.worker]
        if job.canaries.get("c", digest) != digest:
            return replace(
                result,
                outcomes=(),
                failure=Failure(kind=FailureKind.NUMERICS, detail=f"{result.worker} is odd"),
            )
        canary = Canary(subject=subject_of(job.group), numerics_class="c", digest=digest)
        return replace(super().proven(result, job), canary=canary)


def painters(campaigns, campaign):
    return {worker for _, _, worker in campaigns.outcomes(campaign.id)}


# --- numerics classes ---


def test_a_campaign_is_painted_by_one_class(start, service, campaigns):
    campaign = service.submit("p", data())[0]
    fleet = MixedFleet("one", "two", "one")
    run(start(fleet), fleet)
    ended = campaigns.by_id(campaign.id)
    assert (ended.state, ended.numerics_class) == (CampaignState.DONE, "one")
    assert painters(campaigns, campaign) == {"w0", "w2"}


def test_a_campaign_that_takes_any_class_is_painted_by_all(start, service, campaigns):
    campaign = service.submit("p", data(numerics="any"))[0]
    fleet = MixedFleet("one", "two")
    run(start(fleet), fleet)
    assert painters(campaigns, campaign) == {"w0", "w1"}
    assert {o.numerics_class for o, _, _ in campaigns.outcomes(campaign.id)} == {"one", "two"}


def test_a_campaign_without_workers_of_its_class_says_so_and_what_to_do(
    start, service, campaigns, queue, reading, explaining
):
    campaign = service.submit("p", data())[0]
    first = MixedFleet("one")
    run(start(first), first, 2)
    done = campaigns.by_id(campaign.id).done
    assert 0 < done < 18
    fleet = MixedFleet("two", name="x")
    dispatcher = start(fleet)
    run(dispatcher, fleet, 3)
    assert campaigns.by_id(campaign.id).done == done
    (sentence,) = [why for why in explaining.why("p", "spring") if "numerics class" in why]
    assert "class one, which no worker has: there are two" in sentence
    assert reading.status("p", "spring")["waits_for"] == sentence
    assert reading.status("p", "spring")["numerics_class"] == "one"
    # The remedy that it names is one.
    service.submit("p", data(numerics="any"), update=True)
    run(dispatcher, fleet)
    updated = campaigns.get("p", "spring")
    assert (updated.state, updated.done) == (CampaignState.DONE, 18)


# --- canaries ---


@pytest.fixture
def campaign(service):
    return service.submit("p", data())[0]


def test_the_first_canaries_are_recorded_and_sent_along(start, campaign, campaigns, engine):
    fleet = ProvingFleet(w0="good")
    dispatcher = start(fleet)
    run(dispatcher, fleet, 2)
    job, *_ = fleet.jobs()
    assert job.canaries == Canaries(engine).known(subject_of(job.group)) == {"c": "good"}
    run(dispatcher, fleet)
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE


def test_of_two_that_differ_the_second_counts_for_nothing_and_is_put_aside(
    start, campaign, campaigns, watching
):
    fleet = ProvingFleet(w0="good", w1="bad")
    dispatcher = start(fleet)
    run(dispatcher, fleet)
    ended = campaigns.by_id(campaign.id)
    assert (ended.state, ended.halted) == (CampaignState.DONE, None)
    assert painters(campaigns, campaign) == {"w0"}
    dispatcher.tick(NOW + 100)
    rows = {row.name: row for row in watching.workers()}
    assert (rows["w0"].state, rows["w1"].state) == ("idle", "quarantined")
    assert "canaries of its numerics class c" in rows["w1"].quarantined_why
    # Whoever leads next knows it too.
    heir = start(fleet)
    heir.tick(NOW)
    assert {row.name: row.quarantined_why is None for row in watching.workers()} == {
        "w0": True,
        "w1": False,
    }


def test_a_worker_that_is_alone_and_odd_stops_the_campaign_rather_than_going_round(
    start, campaign, campaigns, engine, watching
):
    good = ProvingFleet(w0="good")
    run(start(good), good, 2)
    odd = ProvingFleet(x0="bad")
    dispatcher = start(odd)
    run(dispatcher, odd, 3)
    stopped = campaigns.by_id(campaign.id)
    assert (stopped.state, stopped.halted) == (CampaignState.HALTED, "x0 is odd")
    attempts = watching.last_attempt()
    run(dispatcher, odd, 3)
    assert watching.last_attempt() == attempts


def test_a_worker_in_such_quarantine_gets_nothing_although_it_is_alone(
    start, service, campaign, campaigns, watching, monkeypatch
):
    odd = ProvingFleet(w0="bad")
    odd.proven = lambda result, job: replace(
        result, outcomes=(), failure=Failure(kind=FailureKind.NUMERICS, detail="it is unstable")
    )
    dispatcher = start(odd)
    run(dispatcher, odd, 2)
    other = service.submit("p", data(name="other"))[0]
    run(dispatcher, odd, 2)
    assert campaigns.by_id(other.id).started_at is None
    # It is asked again after a time.
    record = dispatcher._books.ledger.records["w0"]
    forgiven = replace(record, quarantined_until=record.quarantined_until - FORGIVE_S - 1)
    dispatcher._books.ledger = replace(dispatcher._books.ledger, records={"w0": forgiven})
    odd.proven = lambda result, job: result
    run(dispatcher, odd)
    assert campaigns.by_id(other.id).state is CampaignState.DONE


def test_weights_that_changed_stop_a_campaign_instead_of_failing_it(start, campaign, campaigns):
    fleet = FakeFleet(1)
    run(
        start(fleet),
        fleet,
        4,
        failure=Failure(kind=FailureKind.MODEL, detail="the weights in /m have changed"),
    )
    stopped = campaigns.by_id(campaign.id)
    assert (stopped.state, stopped.halted, stopped.failed) == (
        CampaignState.HALTED,
        "the weights in /m have changed",
        0,
    )


# --- reuse ---


def reused_in(fleet):
    return {p.number: p.reuse and p.reuse.key for job in fleet.jobs() for p in job.pictures}


@pytest.fixture
def painted(start, service, campaigns):
    """A campaign of the project, done by class one."""
    campaign = service.submit("p", data(name="before"))[0]
    fleet = MixedFleet("one")
    run(start(fleet), fleet)
    return campaign


def offered(start, numerics_class="one"):
    """What the next worker is given to copy."""
    fleet = MixedFleet(numerics_class)
    start(fleet).tick(NOW)
    reuse = reused_in(fleet)
    assert reuse
    return {number: key for number, key in reuse.items() if key}


def test_recipes_that_the_project_has_are_offered_for_reuse(start, service, painted):
    # Axes in another order, so that numbers differ and recipes do not.
    vary = data()["vary"]
    service.submit("p", data(name="after", vary=dict(reversed(vary.items()))))
    reuse = offered(start)
    assert len(reuse) == 6
    assert all(key.startswith("p/before/final/") for key in reuse.values())


@pytest.mark.parametrize(
    ("project", "changes", "how"),
    [
        ("q", {}, {}),
        ("p", {"settings": {"steps": 7}}, {}),
        ("p", {}, {"fresh": True}),
        ("p", {"numerics": "any"}, {"numerics_class": "two"}),
    ],
    ids=["another project", "other recipes", "fresh", "another class"],
)
def test_what_is_not_the_same_is_not_offered(start, service, painted, project, changes, how):
    service.submit(project, data(name="after", **changes), fresh=how.get("fresh", False))
    assert offered(start, how.get("numerics_class", "one")) == {}


def test_what_a_running_campaign_has_done_is_offered_too(start, service, campaigns):
    first = service.submit("p", data(name="before", max_workers=1))[0]
    fleet = MixedFleet("one", "one")
    dispatcher = start(fleet)
    run(dispatcher, fleet, 1)
    assert campaigns.by_id(first.id).state is CampaignState.RUNNING
    service.submit("p", data(name="after", priority=90))
    fleet.paint()
    dispatcher.tick(NOW)
    assert any(reused_in(fleet).values())


def test_painting_afresh_keeps_and_copies_nothing(start, service, campaigns, painted):
    campaign, did = service.submit("p", data(name="before"), fresh=True)
    assert did == {
        "created": False,
        "updated": {"kept": 0, "new": 18, "retired": 18},
        "warnings": [],
    }
    assert (campaign.done, campaign.is_fresh) == (0, True)
    fleet = MixedFleet("two")
    dispatcher = start(fleet)
    dispatcher.tick(NOW)
    assert not any(reused_in(fleet).values())
    # Nor is what lies there adopted, when a chunk is given out again.
    fleet.paint(Failure(kind=FailureKind.PREEMPTED, detail="spot"))
    dispatcher.tick(NOW)
    assert [job.look for job in fleet.jobs()] == [Look.NEVER] * 2
    run(dispatcher, fleet)
    assert campaigns.by_id(campaign.id).done == 18
    # Without it, the same again changes nothing.
    assert service.submit("p", data(name="before"))[1] == {"created": False, "warnings": []}
