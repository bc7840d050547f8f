"""Campaigns that keep to one numerics class, and the canaries of each class."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.canaries import Canaries
from storage.rows import ANY_CLASS, WorkerRow
from tests.storage.conftest import claim_one, new_campaign, new_chunks, outcomes, settlement

CLASSES = {"a": "one", "b": "two", "c": "one"}


def test_the_first_claim_pins_a_campaign_to_its_workers_class(queue, campaigns, campaign, session):
    claimed = queue.claim(
        session, [(campaign.id, "a"), (campaign.id, "b"), (campaign.id, "c")], CLASSES
    )
    assert [chunk.worker for chunk in claimed] == ["a", "c"]
    assert campaigns.by_id(campaign.id).numerics_class == "one"
    assert queue.claim(session, [(campaign.id, "b")], CLASSES) == []
    assert queue.claim(session, [(campaign.id, "unheard")], CLASSES) == []
    assert queue.snapshot(session).campaigns[0].numerics_class == "one"


def test_a_seat_that_stays_empty_pins_nothing(queue, campaigns, session):
    empty = campaigns.add(new_campaign(total=1), [])
    assert queue.claim(session, [(empty.id, "a")], CLASSES) == []
    assert campaigns.by_id(empty.id).numerics_class is None


def test_a_campaign_may_take_any_class(queue, campaigns, session):
    campaign = campaigns.add(new_campaign(numerics_class=ANY_CLASS), new_chunks())
    assert len(queue.claim(session, [(campaign.id, "a"), (campaign.id, "b")], CLASSES)) == 2
    assert campaigns.by_id(campaign.id).numerics_class == ANY_CLASS


def test_two_classes_that_race_for_a_campaign_are_not_mixed(queue, campaigns, session):
    campaign = campaigns.add(new_campaign(total=80), new_chunks(40))
    with ThreadPoolExecutor(4) as pool:
        tries = [
            pool.submit(queue.claim, session, [(campaign.id, worker)] * 5, CLASSES)
            for worker in "abab"
        ]
    workers = {chunk.worker for done in tries for chunk in done.result()}
    assert workers in ({"a"}, {"b"})
    assert campaigns.by_id(campaign.id).numerics_class == CLASSES[workers.pop()]


@pytest.mark.parametrize(("other", "gets"), [("one", False), ("two", True)])
def test_what_a_worker_failed_is_left_only_to_others_of_its_class(
    queue, settling, watching, campaign, session, other, gets
):
    rows = [
        WorkerRow(name=n, state="idle", node=None, device=None, numerics_class=c, warm=None)
        for n, c in (("a", "one"), ("x", other))
    ]
    watching.save_workers(session, rows)
    (chunk,) = queue.claim(session, [(campaign.id, "a")], CLASSES)
    settling.settle(session, [settlement(chunk, outcome="unknown", refused_by=frozenset({"a"}))])
    (again,) = queue.claim(session, [(campaign.id, "a")], CLASSES)
    assert (again.id == chunk.id) == gets


@pytest.mark.parametrize(
    ("kept", "asked", "becomes"),
    [(True, None, "one"), (True, ANY_CLASS, ANY_CLASS), (False, None, None)],
)
def test_another_version_keeps_the_class_of_what_it_keeps(
    queue, settling, control, campaigns, campaign, session, kept, asked, becomes
):
    (chunk,) = queue.claim(session, [(campaign.id, "a")], CLASSES)
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    assert control.replace(
        campaign.id,
        new_campaign(total=6, numerics_class=asked),
        [(0, 0)] if kept else [],
        new_chunks(),
    )
    assert campaigns.get("p", "spring").numerics_class == becomes


def test_the_first_canaries_of_a_class_are_believed(engine):
    canaries = Canaries(engine)

    def say(digest, numerics_class="one", subject="s"):
        return canaries.record(
            subject=subject, numerics_class=numerics_class, digest=digest, worker="w"
        )

    assert [say("x"), say("y"), say("x")] == ["x", "x", "x"]
    assert say("y", "two") == say("y", subject="t") == "y"
    assert canaries.known("s") == {"one": "x", "two": "y"}
    assert canaries.forget() == 3
    assert (canaries.known("s"), say("y")) == ({}, "y")


def test_of_workers_that_race_with_different_canaries_one_is_believed_by_all(engine):
    def say(k):
        return Canaries(engine).record(
            subject="s", numerics_class="c", digest=f"d{k}", worker=f"w{k}"
        )

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(say, range(12)))) == 1


def test_a_claim_without_classes_is_of_no_use_to_a_pinned_campaign(queue, campaign, session):
    queue.claim(session, [(campaign.id, "a")], CLASSES)
    assert queue.claim(session, [(campaign.id, "a")]) == []


def test_an_unpinned_campaign_is_claimed_as_before(queue, campaigns, campaign, session):
    claim_one(queue, session, campaign)
    assert campaigns.by_id(campaign.id).numerics_class is None
