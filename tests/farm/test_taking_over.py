"""A dispatcher that takes over from another, and one whose database cannot be reached."""

import pytest

from actors.recipes.jobs import Failure, FailureKind
from storage.errors import DatabaseAway, SessionLost
from storage.states import CampaignState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, FakeWorker, answer, health, run


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


def test_fairness_goes_on_where_it_was_if_a_dispatcher_is_killed(start, service, campaigns):
    large, small = (service.submit("p", data(name=name))[0] for name in ("large", "small"))
    fleet = FakeFleet(1)
    first = start(fleet)
    first.tick(NOW)
    first.tick(NOW)
    job, _ = fleet.take()[0]
    assert job.campaign_id == large.id
    fleet.results = [answer(job, "w0", seconds=5000.0)]
    first.tick(NOW + 100)
    # It is killed before it has saved the ledger again: the attempt itself says the rest.
    heir = start(FakeFleet(1))
    assert heir._books.ledger.shares.campaigns[large.id] == 5000.0
    heir.tick(NOW)
    heir.tick(NOW)
    assert {job.campaign_id for job in heir._fleet.jobs()} == {small.id}
