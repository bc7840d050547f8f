"""Where renders of a campaign are, and how long it has waited."""

import pytest

from farm.api.metrics.queue import Place, Waits, budget_used, may_be_claimed, places, review_wait_s
from storage.metering import OpenRow
from storage.states import Stage

NOW = 1_000.0


def row(**changes):
    fields = dict(
        id=1, project="p", model="m", model_digest="d", stage=Stage.FINAL, left=10, running=0,
        workers=frozenset(), undecided=0, proofed_at=None, is_paused=False,
        halted=None, cancelled_at=None,
        waits_until=None, refusal=None, deadline=None, device_s=0.0, budget_s=None, money=0.0,
        budget_money=None, created_at=NOW - 60, last_attempt_at=None,
    )  # fmt: skip
    return OpenRow(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, Place.QUEUED),
        ({"is_paused": True}, Place.PAUSED),
        ({"halted": "No worker.", "is_paused": True}, Place.STOPPED),
        ({"waits_until": NOW + 5}, Place.BACKING_OFF),
        ({"waits_until": NOW - 5}, Place.QUEUED),
        ({"waits_until": NOW + 10_000}, Place.QUEUED),  # of before the clock was set back
    ],
)
def test_the_renders_that_no_worker_has_are_in_one_place(changes, place):
    found = places(row(running=4, **changes), NOW)
    assert {key: count for key, count in found.items() if count} == {place: 6, Place.RUNNING: 4}


def test_proofs_that_nobody_has_decided_about_await_review():
    assert places(row(left=0, undecided=3), NOW)[Place.AWAITING_REVIEW] == 3


def test_proofs_wait_for_a_decision_since_the_last_of_them_ended():
    assert review_wait_s(row(undecided=3, proofed_at=NOW - 90), NOW) == 90
    assert review_wait_s(row(undecided=0, proofed_at=NOW - 90), NOW) == 0
    assert review_wait_s(row(undecided=3), NOW) == 0, "more are painted still"
    assert review_wait_s(row(undecided=3, proofed_at=NOW + 5), NOW) == 0


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"left": 3, "running": 3}, False),
        ({"cancelled_at": 1.0}, False),
        ({"refusal": '["quota","p",2,2]'}, False),
        ({"refusal": '["budget",null,2,2]'}, False),
        ({"refusal": '["month","p",2,2]'}, False),
        ({"refusal": '["priority","other",1,2]'}, True),
        ({"refusal": "unreadable"}, True),
    ],
)
def test_a_campaign_at_a_limit_of_its_own_does_not_wait_for_workers(changes, may):
    assert may_be_claimed(row(**changes), NOW) is may


def test_a_campaign_has_waited_since_its_last_attempt_or_its_submission():
    waits = Waits()
    assert waits.look([row()], NOW) == {1: 60}
    assert waits.look([row(last_attempt_at=NOW - 7)], NOW) == {1: 7}
    assert waits.look([row(running=1)], NOW) == {1: 0}


def test_the_time_for_which_a_campaign_was_paused_does_not_count():
    waits = Waits()
    assert waits.look([row(is_paused=True)], NOW) == {}
    assert waits.look([row()], NOW + 100) == {1: 0}
    assert waits.look([row()], NOW + 130) == {1: 30}


@pytest.mark.parametrize(
    ("changes", "used"),
    [
        ({}, 0.0),
        ({"device_s": 30.0, "budget_s": 60.0}, 0.5),
        ({"device_s": 30.0, "budget_s": 60.0, "money": 3.0, "budget_money": 4.0}, 0.75),
        ({"money": 3.0, "budget_money": 0.0}, 0.0),
    ],
)
def test_the_used_part_of_a_budget_is_that_of_the_one_that_ends_first(changes, used):
    assert budget_used(row(**changes)) == used
