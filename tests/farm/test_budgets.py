"""Budgets of campaigns and quotas of projects, as the dispatcher keeps them."""

from actors.recipes.jobs import Failure, FailureKind
from storage.states import CampaignState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, FakeWorker, one_render, run


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
