"""The check that holds events against rows finds each kind of fault."""

from dataclasses import dataclass, replace

import pytest

from storage.event_kinds import EventKind
from storage.events import EventRow
from tests.storage.events_check import compare_step, disagreements


@dataclass(frozen=True)
class Row:
    id: int = 7
    name: str = "spring"
    proof_of: int | None = None
    done: int = 4
    failed: int = 0
    held: int = 0
    cancelled: int = 0
    rejected: int = 0
    started_at: float | None = 1.0
    finished_at: float | None = 2.0
    paused_at: float | None = None
    cancelled_at: float | None = None
    pruned_at: float | None = None
    halted: str | None = None


def event(number, kind, **data):
    return EventRow(
        id=number,
        at=1.0,
        kind=kind,
        project="p",
        campaign="spring",
        data={"id": 7, **data},
        author=None,
        token=None,
        address=None,
    )


RIGHT = [
    event(1, EventKind.CAMPAIGN_SUBMITTED),
    event(2, EventKind.CAMPAIGN_STARTED),
    event(3, EventKind.RENDERS_SETTLED, chunk=1, lease=1, counts={"done": 2}),
    event(4, EventKind.RENDERS_SETTLED, chunk=2, lease=1, counts={"done": 2}),
    event(5, EventKind.CAMPAIGN_FINISHED),
]


def test_what_agrees_is_no_fault():
    assert disagreements([Row()], RIGHT) == []
    again = [
        *RIGHT,
        event(6, EventKind.CAMPAIGN_REOPENED),
        event(7, EventKind.CAMPAIGN_FINISHED),
    ]
    assert disagreements([Row()], again) == []


@pytest.mark.parametrize(
    ("row", "events", "fault"),
    [
        (Row(done=3), RIGHT, "done is 3, and its events add up to 4"),
        (Row(), RIGHT[:3] + RIGHT[4:], "done is 4, and its events add up to 2"),
        (Row(), RIGHT[:-1], "it finished at 2.0"),
        (Row(finished_at=None), RIGHT, "it finished at None"),
        (Row(), [*RIGHT, event(6, EventKind.CAMPAIGN_FINISHED)], "it ended twice"),
        (Row(), [*RIGHT, event(6, EventKind.CAMPAIGN_SUBMITTED)], "was not submitted once"),
        (Row(), [*RIGHT, event(5, EventKind.CAMPAIGN_PAUSED)], "out of order"),
        (
            Row(done=6),
            [*RIGHT, replace(RIGHT[3], id=6)],
            "an attempt was told twice",
        ),
        (
            Row(),
            [replace(RIGHT[1], id=0), *RIGHT[:1], *RIGHT[2:]],
            "it began with campaign.started",
        ),
    ],
)
def test_each_fault_is_found(row, events, fault):
    assert any(fault in sentence for sentence in disagreements([row], events))


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ({}, {"paused_at": 3.0}, EventKind.CAMPAIGN_PAUSED),
        ({}, {"cancelled_at": 3.0}, EventKind.CAMPAIGN_CANCELLED),
        ({"started_at": None}, {}, EventKind.CAMPAIGN_STARTED),
        ({"finished_at": None}, {}, EventKind.CAMPAIGN_FINISHED),
        ({}, {"finished_at": None}, EventKind.CAMPAIGN_REOPENED),
        ({}, {"halted": "The disk is full."}, EventKind.CAMPAIGN_STOPPED),
    ],
)
def test_a_step_has_one_event_and_no_step_has_none(before, after, kind):
    rows = {7: Row(**before)}, {7: Row(**after)}
    compare_step(*rows, [event(1, kind)])
    with pytest.raises(AssertionError):
        compare_step(*rows, [])
    if kind is not EventKind.CAMPAIGN_STOPPED:
        with pytest.raises(AssertionError):
            compare_step(*rows, [event(1, kind), event(2, kind)])
        with pytest.raises(AssertionError):
            compare_step({7: Row()}, {7: Row()}, [event(1, kind)])


def test_a_new_campaign_and_moved_counts_are_told():
    compare_step({}, {7: Row(finished_at=None)}, RIGHT[:1])
    with pytest.raises(AssertionError):
        compare_step({}, {7: Row(finished_at=None)}, [])
    moved = {7: Row(done=2)}, {7: Row(done=4)}
    compare_step(*moved, RIGHT[3:4])
    with pytest.raises(AssertionError):
        compare_step(*moved, [])


def test_what_people_have_to_look_at_is_told_once_for_each_cause():
    risk, review = EventKind.CAMPAIGN_DEADLINE_AT_RISK, EventKind.CAMPAIGN_AWAITING_REVIEW
    fine = [
        *RIGHT[:3],
        event(10, risk, deadline=5.0),
        event(11, risk, deadline=6.0),
        event(12, review, undecided=4),
        event(13, EventKind.REVIEW_DECIDED),
        event(14, review, undecided=2),
        event(15, RIGHT[3].kind, chunk=2, lease=1, counts={"done": 2}),
        event(16, EventKind.CAMPAIGN_FINISHED),
    ]
    assert disagreements([Row()], fine) == []
    (twice,) = disagreements([Row()], [*fine[:5], event(12, risk, deadline=5.0), *fine[6:]])
    assert "deadline was told twice" in twice
    silent = event(13, EventKind.CAMPAIGN_PRIORITY, priority=9)
    (twice,) = disagreements([Row()], [*fine[:6], silent, *fine[7:]])
    assert "nothing had changed" in twice
