"""Quotas of projects: decided alone, refused at submission, and kept by the dispatcher."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count, repeat
from threading import Barrier

import pytest
from sqlalchemy import text

from farm.dispatch.attention import AttentionLoop
from farm.scheduling.reasons import reason_sentence
from farm.scheduling.refusal import Rule, read_refusal
from farm.service.live_quotas import (
    MONTHS_REFRESH_S,
    REFRESH_S,
    live_quotas,
    lower_of,
    spent_months,
)
from farm.service.quotas import ProjectRoom, over_quota
from farm.service.review_rules import Choice
from farm.service.reviews import Change, ReviewService
from farm.service.submission import Submissions
from storage.concerns import Concerns
from storage.errors import Conflict
from storage.months import MonthUse, month_start
from storage.projects import Projects, Quota, Usage
from storage.reviews import NewDecision, Reviews
from storage.states import Verdict
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, run


@pytest.fixture
def projects(engine):
    return Projects(engine)


@pytest.fixture
def limited(campaigns, control, watching, outputs, brands, projects):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands,
        chunk=3, room=ProjectRoom(projects),
    )  # fmt: skip


def test_each_limit_that_is_in_the_way_is_named_with_its_figures():
    usage = Usage(queued=90, stored_bytes=500)
    assert over_quota(Quota(), usage, 10**9) == []
    assert over_quota(Quota(queued=100, stored_bytes=501), usage, 10) == []
    assert over_quota(Quota(queued=0, stored_bytes=0), usage, 0) == []
    said = over_quota(Quota(queued=100, stored_bytes=500), usage, 1_011)
    assert said[0].startswith(
        "It would have 1,101 renders that wait, 1,011 of them new; its quota"
    )
    assert "500 bytes; its quota is 500" in said[1]
    assert len(said) == 2


def test_a_campaign_beyond_the_renders_that_may_wait_is_refused_and_nothing_is_stored(
    limited, projects, campaigns
):
    projects.create("p", Quota(queued=30), {})
    limited.submit("p", data())  # 18 renders
    assert projects.usage("p") == Usage(queued=18, stored_bytes=0)
    with pytest.raises(Conflict, match="36 renders that wait, 18 of them new; its quota is 30"):
        limited.submit("p", data(name="other"))
    assert [row.name for row in campaigns.all("p")] == ["spring"]
    limited.submit("p", data())  # the same again adds nothing
    limited.submit("elsewhere", data())  # no quota was set there
    projects.change("p", {"queued": 36}, {})
    limited.submit("p", data(name="other"))


def test_of_two_submissions_at_once_only_one_takes_the_last_room(
    limited, projects, campaigns, monkeypatch
):
    projects.create("p", Quota(queued=30), {})
    both_have_looked = Barrier(2)
    look = Projects.usage

    def together(self, name):
        usage = look(self, name)
        both_have_looked.wait(30)
        return usage

    monkeypatch.setattr(Projects, "usage", together)
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(limited.submit, "p", data(name=name)) for name in ("one", "two")]
    (refused,) = [one.exception() for one in asked if one.exception() is not None]
    assert (type(refused), refused.code) == (Conflict, "over-quota")
    assert "36 renders that wait, 18 of them new; its quota is 30" in str(refused)
    (stored,) = campaigns.all("p")
    monkeypatch.setattr(Projects, "usage", lambda *_: Usage(queued=0, stored_bytes=0))
    with pytest.raises(Conflict, match="36 renders that wait, 18 of them new"):
        limited.submit("p", data(name=stored.name, seeds=list(range(6))), update=True)
    assert [(row.id, row.total) for row in campaigns.all("p")] == [(stored.id, 18)]


def test_a_project_whose_pictures_fill_its_quota_gets_no_more(limited, projects, start, campaigns):
    projects.create("p", Quota(stored_bytes=18), {})
    limited.submit("p", data())
    fleet = FakeFleet(1)
    run(start(fleet), fleet)  # pictures of one byte each
    assert projects.usage("p") == Usage(queued=0, stored_bytes=18)
    with pytest.raises(Conflict, match="have 18 bytes; its quota is 18") as refused:
        limited.submit("p", data(name="other"))
    assert refused.value.code == "over-quota"


@pytest.fixture
def reviewing(engine, campaigns, watching, outputs, projects):
    return ReviewService(
        campaigns=campaigns, reviews=Reviews(engine), watching=watching, outputs=outputs,
        chunk=3, room=ProjectRoom(projects),
    )  # fmt: skip


def decision(sequence, verdict=None):
    return NewDecision(client="c", sequence=sequence, verdict=verdict, chosen_by={})


def test_pictures_that_are_painted_again_need_room_too(
    limited, reviewing, projects, start, campaigns, engine
):
    projects.create("p", Quota(queued=18), {})
    limited.submit("p", data())
    fleet = FakeFleet(1)
    run(start(fleet), fleet)
    projects.change("p", {"queued": 2}, {})
    again = partial(reviewing.redo, "p", "spring", change=Change(next_seed=True))
    rejected = partial(
        reviewing.decide, "p", "spring", Choice(numbers=(0, 1, 2)), reroll=True,
        new=decision(7, Verdict.REJECTED),
    )  # fmt: skip
    for order in (partial(again, [0, 1, 2], new=decision(1)), rejected):
        with pytest.raises(Conflict, match="3 renders that wait, 3 of them new; its quota is 2"):
            order()
    row = campaigns.get("p", "spring")
    assert (row.total, Reviews(engine).log(row.id)) == (18, [])
    assert again([0, 1], new=decision(2))["redone"] == [18, 19]
    with pytest.raises(Conflict, match="3 renders that wait, 1 of them new"):
        again([2], new=decision(3))
    assert again([0, 1], new=decision(2))["redone"] == [18, 19]  # sent twice, it counts once
    projects.change("p", {"queued": None}, {})
    assert rejected()["redone"] == [20, 21, 22]


def test_a_project_with_no_worker_left_is_not_painted_until_it_has_one(
    service, projects, start, campaigns
):
    now = 0.0
    quotas = live_quotas({}, projects.worker_limits, lambda: now)
    projects.create("p", Quota(workers=0), {})
    service.submit("p", data())
    fleet = FakeFleet(2)
    dispatcher = start(fleet, quotas=quotas)
    fleet.start(0.0)
    run(dispatcher, fleet)
    row = campaigns.get("p", "spring")
    assert (row.done, row.running) == (0, 0)
    projects.change("p", {"workers": 1}, {})
    now += REFRESH_S
    for later in range(12):  # the autoscaler looks once a second
        dispatcher.tick(NOW + 10.0 + later)
        fleet.paint()
    dispatcher.tick(NOW + 30.0)
    assert campaigns.get("p", "spring").done == 18


def test_the_lower_of_two_limits_counts_and_the_database_is_asked_now_and_then():
    asked, now = [], 0.0

    def read():
        asked.append(now)
        return {"a": 1, "b": 9}

    quotas = live_quotas({"b": 4, "c": 2}, read, lambda: now)
    assert dict(quotas) == {"a": 1, "b": 4, "c": 2}
    assert (quotas["a"], len(quotas), "nothing" in quotas) == (1, 3, False)
    assert asked == [0.0]
    now += REFRESH_S
    assert quotas.get("b") == 4
    assert asked == [0.0, REFRESH_S]
    assert lower_of({}, {}) == {}


def test_a_project_that_has_used_its_month_is_not_painted_until_it_may_use_more(
    service, projects, start, campaigns, engine
):
    now = 0.0
    months = spent_months(projects.months, lambda: now)
    projects.create("p", Quota(device_hours=0.001), {})  # 3.6 s: one attempt takes more
    service.submit("p", data())
    fleet = FakeFleet(1)
    dispatcher = start(fleet, spent_months=months)
    for tick in range(3):
        dispatcher.tick(NOW + tick)
        fleet.paint()
    with engine.begin() as connection:
        connection.execute(text("UPDATE attempts SET painted_s = 5.0"))
    now += MONTHS_REFRESH_S
    for tick in range(3, 9):
        dispatcher.tick(NOW + tick)
        fleet.paint()
    stopped = campaigns.get("p", "spring")
    assert 0 < stopped.done < 18
    refusal = read_refusal(stopped.refusal)
    assert (refusal.rule, refusal.other, refusal.limit) == (Rule.MONTH, "p", 3.6)
    spent = Projects(engine).months()
    assert [AttentionLoop(Concerns(engine), list, dict, spent).tick() for _ in range(2)] == [1, 0]
    assert reason_sentence(refusal).startswith("Its project p has used 0.00")
    with engine.begin() as connection:  # the month before
        connection.execute(text("UPDATE attempts SET ended_at = ended_at - 32 * 86400"))
    now += MONTHS_REFRESH_S
    for tick in range(9, 24):
        dispatcher.tick(NOW + tick)
        fleet.paint()
    assert campaigns.get("p", "spring").done == 18


def test_limits_of_one_moment_hold_together_if_one_is_taken_back_meanwhile():
    moments, answers = count(step=REFRESH_S), chain([{"a": 1, "b": 2}], repeat({"b": 2}))
    quotas = live_quotas({}, lambda: next(answers), lambda: next(moments))
    assert dict(quotas.items()) == {"a": 1, "b": 2}
    assert dict(quotas.items()) == {"b": 2}


def test_a_month_is_that_of_the_calendar():
    at = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    assert month_start(at) == datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    assert month_start(at + 1) == datetime(2026, 4, 1, tzinfo=UTC).timestamp()
    assert MonthUse(used_s=0.0, limit_s=0.0, since=0.0).is_spent
    assert not MonthUse(used_s=1.0, limit_s=2.0, since=0.0).is_spent
