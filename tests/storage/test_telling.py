"""Which events changes leave: one each, none for an order that is given again, and what they
say.
"""

import numpy as np
import pytest

from storage.author import Author, author
from storage.brands import Brands
from storage.event_kinds import EventKind
from storage.events import Events, Wanted
from storage.orders import Orders
from storage.removal import Removal
from storage.reviews import NewDecision, Outcome, Reviews
from storage.rows import CampaignBackoff, WorkerRow
from storage.spent import Spent
from storage.states import RenderState, Verdict, WorkerState
from storage.watching import roster_events
from tests.storage.conftest import (
    Plan,
    claim_one,
    new_campaign,
    new_chunks,
    outcomes,
    settlement,
)


@pytest.fixture
def told(engine):
    """Gives the events since it was called last."""
    seen = [0]

    def told():
        new = Events(engine).after(seen[0])
        seen[0] = max([seen[0], *(event.id for event in new)])
        return new

    return told


@pytest.fixture
def kinds(told):
    return lambda: [event.kind for event in told()]


def finish(queue, settling, session, campaign, chunks=3, state=RenderState.DONE):
    for _ in range(chunks):
        chunk = claim_one(queue, session, campaign)
        settling.settle(session, [settlement(chunk, outcomes(chunk, state))])


def test_a_campaign_is_told_from_its_submission_to_its_end(
    campaign, queue, settling, session, told
):
    finish(queue, settling, session, campaign)
    events = told()
    assert [event.kind for event in events] == [
        "campaign.submitted",
        "campaign.started",
        *["renders.settled"] * 3,
        "campaign.finished",
    ]
    assert {(event.project, event.campaign, event.data["id"]) for event in events} == {
        ("p", "spring", campaign.id)
    }
    assert events[2].data["counts"] == {"done": 2}
    end = events[-1].data
    assert (end["state"], end["total"], end["done"], end["stage"]) == ("done", 6, 6, "final")


def test_orders_that_are_given_twice_are_told_once(campaign, control, kinds):
    kinds()
    for order in (
        lambda: control.pause(campaign.id),
        lambda: control.resume(campaign.id),
        lambda: control.set_priority(campaign.id, 70),
        lambda: control.cancel(campaign.id),
    ):
        order()
        first = kinds()
        order()
        assert kinds() == []
        assert first[0] in {
            "campaign.paused",
            "campaign.resumed",
            "campaign.priority",
            "campaign.cancelled",
        }
        assert len(first) == (3 if first[0] == "campaign.cancelled" else 1)


def test_the_audit_log_says_what_a_priority_was(engine, campaign, control):
    token = author.set(Author(name="ann"))
    control.set_priority(campaign.id, 70)
    author.reset(token)
    (event,) = Events(engine).after(0, Wanted(only_audited=True))
    assert (event.author, event.before, event.after) == ("ann", 50, 70)


def test_a_stop_is_told_once_by_whomever_it_is_found(
    campaign, campaigns, queue, settling, session, kinds
):
    chunk = claim_one(queue, session, campaign)
    kinds()
    settling.settle(session, [settlement(chunk, outcome="outputs", halt="The disk is full.")])
    assert kinds() == ["renders.returned", "campaign.stopped"]
    campaigns.halt(campaign.id, "The disk is full.")
    assert kinds() == []
    campaigns.halt(campaign.id, "The model cannot be read.")
    assert kinds() == ["campaign.stopped"]


def test_a_campaign_that_waits_and_one_that_fails_are_told(
    campaign, control, queue, settling, session, told
):
    chunk = claim_one(queue, session, campaign)
    told()
    away = CampaignBackoff(seconds=9.0, why="The bucket is away.")
    settling.settle(session, [settlement(chunk, outcome="outputs", backoff=away)])
    assert told()[-1].data["why"] == "The bucket is away."
    control.resume(campaign.id)
    chunk = claim_one(queue, session, campaign)
    told()
    settling.settle(session, [settlement(chunk, outcomes(chunk, RenderState.FAILED))])
    settled, failing = told()
    assert settled.data["counts"] == {"failed": 2}
    assert (failing.kind, failing.data["failed"]) == ("campaign.failing", 2)
    chunk = claim_one(queue, session, campaign)
    settling.settle(session, [settlement(chunk, outcomes(chunk, RenderState.FAILED))])
    assert [event.kind for event in told()] == ["renders.settled"]  # it is known by now


def test_a_budget_that_is_nearly_spent_is_told_once(campaigns, queue, settling, session, kinds):
    campaign = campaigns.add(new_campaign(budget_s=10.0), new_chunks())
    for device_s, expected in ((8.0, False), (1.0, True), (0.5, False)):
        chunk = claim_one(queue, session, campaign)
        kinds()
        settling.settle(session, [settlement(chunk, outcomes(chunk), device_s=device_s)])
        assert ("campaign.budget_low" in kinds()) is expected


def test_so_is_a_budget_of_money_beside_one_of_device_time(
    campaigns, queue, settling, session, told
):
    campaign = campaigns.add(new_campaign(budget_s=1e6, budget_money=10.0), new_chunks())
    low = []
    for given_s in (8.0, 1.0, 0.5):
        chunk = claim_one(queue, session, campaign)
        spent = Spent(pool="gpu", price=3600.0, painted_s=given_s)
        settling.settle(session, [settlement(chunk, outcomes(chunk), device_s=1.0, spent=spent)])
        low += [event.data for event in told() if event.kind == "campaign.budget_low"]
    (data,) = low
    assert (data["money"], data["budget_money"], "device_s" in data) == (9.0, 10.0, False)


def test_a_retry_says_what_it_takes_back_and_that_the_campaign_goes_on(
    campaign, control, queue, settling, session, told
):
    finish(queue, settling, session, campaign, state=RenderState.FAILED)
    told()
    again = [RenderState.FAILED]
    assert control.retry(campaign.id, again, lambda n, tries: new_chunks()) == 6
    retried, reopened = told()
    assert (retried.kind, retried.data["counts"]) == ("campaign.retried", {"failed": -6})
    assert reopened.kind == "campaign.reopened"
    assert control.retry(campaign.id, again, lambda n, tries: []) == 0
    assert told() == []


def test_another_version_says_what_it_keeps(campaign, control, queue, settling, session, told):
    finish(queue, settling, session, campaign)
    told()
    control.replace(campaign.id, new_campaign(fingerprint="g", total=2), [(0, 0), (1, 1)], [])
    updated, finished = told()
    assert updated.data["replaces"] == campaign.id
    assert updated.data["counts"] == {"done": 2}
    assert (updated.before["version"], updated.after["version"]) == (1, 2)
    assert finished.kind == "campaign.finished"


def decide(reviews, campaign, numbers, sequence, verdict=Verdict.APPROVED):
    new = NewDecision(client="c", sequence=sequence, verdict=verdict, chosen_by={})
    outcome = Outcome(np.array(numbers, np.int64), {"changed": len(numbers), "why": []})
    return reviews.decide(campaign.id, new, 6, lambda *_: outcome, Plan())


def test_a_decision_is_told_once_with_what_it_changes(
    engine, campaigns, queue, settling, session, told
):
    reviews = Reviews(engine)
    proofs = new_campaign(), new_chunks()
    campaign = campaigns.add(new_campaign(released=0), [], proofs)
    finish(queue, settling, session, campaigns.proofs_of(campaign))
    assert told()[-1].kind == "proofs.finished"
    for _ in range(2):
        decide(reviews, campaign, [0, 1], 1)
    (event,) = told()
    assert (event.kind, event.data["renders"], event.data["verdict"]) == (
        "review.decided",
        2,
        "approved",
    )
    decide(reviews, campaign, [2, 3, 4, 5], 2, Verdict.REJECTED)
    assert told()[0].data["counts"] == {"rejected": 4}
    decide(reviews, campaign, [], 3)
    assert told() == []


def test_a_campaign_that_goes_is_told_once(engine, campaign, queue, settling, session, kinds):
    finish(queue, settling, session, campaign)
    kinds()
    removal = Removal(engine)
    assert removal.mark_previews(campaign.id)
    assert kinds() == ["campaign.previews_pruned"]
    assert removal.mark(campaign.id)
    assert removal.forget(campaign.id)  # its pictures are deleted by now
    assert kinds() == ["campaign.pruned"]
    assert not removal.forget(campaign.id)
    removal.sweep()
    assert kinds() == []


def test_orders_to_the_fleet_are_told_if_they_change_something(engine, told):
    orders = Orders(engine)
    orders.scale(floor=1, by="ann@studio")
    orders.scale(floor=1, by="bob@studio")
    orders.scale(is_frozen=True)
    orders.drain("w1", by="ann@studio")
    orders.drain("w1")
    orders.undrain(["w1", "w2"])
    orders.note_change(start=["cpu", "cpu"], end=(), cool=frozenset({"spot"}))
    events = told()
    assert [event.kind for event in events] == [
        "fleet.ordered",
        "fleet.ordered",
        "fleet.drain_ordered",
        "fleet.drain_ended",
        "fleet.scaled",
    ]
    assert (events[0].before, events[0].after) == ({"floor": None}, {"floor": 1})
    assert events[2].data == {"target": "w1", "by": "ann@studio"}
    assert events[4].data == {"start": ["cpu", "cpu"], "cool": ["spot"]}


def test_brands_are_told_when_they_are_new_or_others(engine, kinds):
    brands = Brands(engine)
    brands.add("p", "acme", "d1", {})
    brands.add("p", "acme", "d1", {})
    brands.add("p", "acme", "d2", {})
    assert kinds() == ["brand.added", "brand.changed"]


def worker(name, state=WorkerState.IDLE, **more):
    return WorkerRow(
        name=name, state=state, node="n", device="cpu", numerics_class=None, warm=None, **more
    )


def test_the_roster_tells_who_came_who_went_and_why():
    idle, bad = worker("a"), worker("b", WorkerState.QUARANTINED, quarantined_why="It lies.")
    assert [(kind, name) for kind, name, _ in roster_events({}, [idle, bad])] == [
        (EventKind.WORKER_JOINED, "a"),
        (EventKind.WORKER_JOINED, "b"),
        (EventKind.WORKER_QUARANTINED, "b"),
    ]
    before = {row.name: row for row in (idle, bad)}
    assert list(roster_events(before, [bad, idle])) == []
    let_go = {"a": EventKind.WORKER_DRAINED}
    assert [(kind, name) for kind, name, _ in roster_events(before, [], let_go)] == [
        (EventKind.WORKER_DRAINED, "a"),
        (EventKind.WORKER_LOST, "b"),
    ]
    ended = [kind for kind, _, _ in roster_events(before, [], is_end=True)]
    assert ended == [EventKind.WORKER_LEFT] * 2


def test_what_is_saved_twice_is_told_once(engine, queue, watching, session, kinds):
    for _ in range(2):
        watching.save_workers(session, [worker("a")])
    assert kinds() == ["worker.joined"]
    watching.save_workers(session, [], is_end=True)
    assert kinds() == ["worker.left"]
