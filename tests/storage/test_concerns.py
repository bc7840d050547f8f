"""What people have to look at is told once for each cause, whoever looks, and however often."""

from dataclasses import replace

import pytest

from farm.dispatch.attention import AttentionLoop, watch_campaigns
from farm.scheduling.attention import month_concern
from farm.scheduling.eta import Outlook
from storage.concerns import Concern, Concerns
from storage.errors import DatabaseAway
from storage.event_kinds import EventKind
from storage.events import Events
from storage.months import MonthUse
from storage.projects import Projects, Quota
from storage.reviews import Reviews
from storage.states import Verdict
from tests.storage.conftest import (
    claim_one,
    new_campaign,
    new_chunks,
    outcomes,
    settlement,
)
from tests.storage.test_telling import decide

RISK, REVIEW = EventKind.CAMPAIGN_DEADLINE_AT_RISK, EventKind.CAMPAIGN_AWAITING_REVIEW
LOW, SPENT = EventKind.PROJECT_MONTH_LOW, EventKind.PROJECT_MONTH_SPENT
MAY, JUNE = 1_777_593_600.0, 1_780_272_000.0


@pytest.fixture
def concerns(engine):
    return Concerns(engine)


@pytest.fixture
def told(engine):
    """The concerns that events were written of."""
    return lambda: [event for event in Events(engine).all() if event.kind in (RISK, REVIEW)]


@pytest.fixture
def loop(campaigns, concerns):
    """Looks at the campaigns as they are; `loop.etas` has when they will be done."""

    def open_campaigns():
        return list(campaigns.all(only_open=True))

    loop = AttentionLoop(concerns, open_campaigns, lambda: loop.etas)
    loop.etas = {}
    return loop


@pytest.fixture
def finish(queue, settling, session):
    def finish(campaign, chunks=3):
        for _ in range(chunks):
            chunk = claim_one(queue, session, campaign)
            settling.settle(session, [settlement(chunk, outcomes(chunk))])

    return finish


def test_the_same_is_told_once_and_another_cause_again(concerns, campaign, told):
    first = Concern(kind=RISK, about="5.0", data={"left": 6})
    assert concerns.tell(campaign.id, first)
    assert not concerns.tell(campaign.id, replace(first, data={"left": 5}))
    assert concerns.tell(campaign.id, replace(first, about="6.0"))
    assert concerns.told() == {(campaign.id, RISK): "6.0"}
    concerns.forget(campaign.id, RISK)
    assert concerns.tell(campaign.id, first)
    assert [(event.campaign, event.data["left"]) for event in told()] == [("spring", 6)] * 3
    assert told()[0].data["id"] == campaign.id


@pytest.fixture
def told_of_month(engine):
    """The events about months of projects, as (kind, used seconds, limit in seconds)."""

    def told():
        events = [event for event in Events(engine).all() if event.kind in (LOW, SPENT)]
        assert {event.project for event in events} <= {"acme"}
        return [(event.kind, event.data["used_s"], event.data["limit_s"]) for event in events]

    return told


def test_a_month_is_told_at_nine_tenths_and_at_its_end_and_once(engine, concerns, told_of_month):
    Projects(engine).create("acme", Quota(device_hours=1.0), {})
    months = {}
    looks = [AttentionLoop(concerns, list, dict, months) for _ in range(2)]  # a takeover
    steps = [(3239.0, 0), (3240.0, 1), (3500.0, 0), (3600.0, 1), (4000.0, 0)]
    for used_s, new in steps:
        months["acme"] = MonthUse(used_s=used_s, limit_s=3600.0, since=MAY)
        assert sum(look.tick() for look in looks) == new
    months["acme"] = MonthUse(used_s=4000.0, limit_s=7200.0, since=MAY)
    assert sum(look.tick() for look in looks) == 0
    months["acme"] = MonthUse(used_s=7000.0, limit_s=7200.0, since=MAY)
    assert sum(look.tick() for look in looks) == 1
    months["acme"] = MonthUse(used_s=7000.0, limit_s=7200.0, since=JUNE)
    assert sum(look.tick() for look in looks) == 1
    assert sum(AttentionLoop(concerns, list, dict, months).tick() for _ in range(2)) == 0
    assert told_of_month() == [
        (LOW, 3240.0, 3600.0),
        (SPENT, 3600.0, 3600.0),
        *[(LOW, 7000.0, 7200.0)] * 2,
    ]


def test_of_a_project_that_is_not_known_no_month_is_told(concerns, told_of_month):
    months = {"acme": MonthUse(used_s=1.0, limit_s=1.0, since=MAY)}
    assert AttentionLoop(concerns, list, dict, months).tick() == 0
    assert told_of_month() == []


def test_a_month_without_any_hours_is_spent_at_once():
    found = month_concern(MonthUse(used_s=0.0, limit_s=0.0, since=MAY))
    assert found is not None
    assert found.kind is SPENT


def test_of_a_campaign_that_is_over_nothing_is_told(concerns, campaign, finish, told):
    finish(campaign)
    assert not concerns.tell(campaign.id, Concern(kind=RISK))
    assert not concerns.tell(campaign.id + 99, Concern(kind=RISK))
    assert told() == []


def test_a_campaign_that_waits_for_people_is_told_each_time_that_it_does(
    engine, campaigns, loop, finish, told
):
    campaign = campaigns.add(new_campaign(released=0), [], (new_campaign(), new_chunks()))
    assert loop.tick() == loop.tick() == 0
    finish(campaigns.proofs_of(campaign))
    assert loop.tick() == 0  # rules may approve them at once
    assert [loop.tick() for _ in range(3)] == [1, 0, 0]
    (event,) = told()
    assert (event.campaign, event.data["undecided"]) == ("spring", 6)
    decide(Reviews(engine), campaign, [0, 1], 1, Verdict.REJECTED)
    assert loop.tick() == 0  # it waits as before
    decide(Reviews(engine), campaign, [2, 3], 2)
    assert loop.tick() == 0
    finish(campaign, chunks=1)
    assert [loop.tick() for _ in range(3)] == [0, 1, 0]
    assert [event.data["undecided"] for event in told()] == [6, 2]


def test_what_rules_approve_at_once_is_told_to_nobody(engine, campaigns, loop, finish, told):
    campaign = campaigns.add(new_campaign(released=0), [], (new_campaign(), new_chunks()))
    finish(campaigns.proofs_of(campaign))
    loop.tick()
    decide(Reviews(engine), campaign, range(6), 1)
    assert loop.tick() == loop.tick() == 0
    assert told() == []


def test_a_deadline_at_risk_is_told_at_the_first_look_and_once(campaigns, loop, told):
    now = campaigns.add(new_campaign(), new_chunks()).now
    campaign = campaigns.add(new_campaign("summer", deadline=now + 3600), new_chunks())
    loop.etas = {campaign.id: Outlook(eta=now + 3000)}
    assert loop.tick() == 0
    loop.etas = {campaign.id: Outlook(eta=now + 3600 + 1200)}
    assert [loop.tick() for _ in range(2)] == [1, 0]
    loop.etas = {}
    loop.tick()  # an estimate that went and came back is no other cause
    loop.etas = {campaign.id: Outlook(eta=now + 3600 + 1200)}
    assert loop.tick() == 0
    (event,) = told()
    assert (event.campaign, event.data["deadline"], event.data["left"]) == (
        "summer",
        now + 3600,
        6,
    )
    assert "about 20 minutes after its deadline" in event.data["why"]


def test_a_deadline_that_has_passed_is_told_though_nothing_is_painted(
    campaigns, control, loop, told
):
    campaign = campaigns.add(new_campaign(deadline=1.0), new_chunks())
    control.pause(campaign.id)
    assert [loop.tick() for _ in range(2)] == [1, 0]
    assert "has passed, with 6 renders left" in told()[0].data["why"]


def test_estimates_are_made_only_while_a_deadline_was_not_told(campaigns, concerns):
    asked = []
    loop = AttentionLoop(
        concerns, lambda: list(campaigns.all(only_open=True)), lambda: asked.append(1) or {}
    )
    campaigns.add(new_campaign(), new_chunks())
    loop.tick()
    assert asked == []
    campaigns.add(new_campaign("late", deadline=1.0), new_chunks())
    loop.tick()
    loop.tick()
    assert asked == [1]


def test_the_loop_goes_on_when_the_database_was_away():
    class Away:
        ticks = 0

        def tick(self):
            Away.ticks += 1
            raise DatabaseAway("away")

    class Stops:
        def wait(self, seconds):
            return Away.ticks == 2

    watch_campaigns(Away(), Stops())
    assert Away.ticks == 2
