"""How near a farm is to its promises and limits, decided from values; and when that is asked."""

import pytest

from actors.recipes.jobs import Gpu
from farm.api.metrics.now_and_then import REFRESH_S, NowAndThen
from farm.dispatch.figures import Meters, devices_of, figures_of
from farm.dispatch.scaling_counts import ScalingCounts
from farm.scheduling.eta import Outlook
from farm.scheduling.values import Change
from farm.service.margins import deadline_margins, quota_used
from storage.errors import DatabaseAway
from storage.months import MonthUse
from storage.projects import ProjectRow, Quota, Usage
from tests.farm.fakes import FakeWorker, health
from tests.unit.test_retention import row

NOW = 1000.0


def due(number, deadline):
    return row(id=number, deadline=deadline)


def test_a_project_has_the_margin_of_the_campaign_with_the_least_time():
    rows = [due(1, NOW + 600), due(2, NOW + 900)]
    outlooks = {1: Outlook(eta=NOW + 100), 2: Outlook(eta=NOW + 1000)}
    assert deadline_margins(rows, outlooks, NOW) == {"p": -100}


@pytest.mark.parametrize(("deadline", "margin"), [(NOW + 50, 50), (NOW - 50, -50)])
def test_a_campaign_of_which_nothing_tells_its_end_cannot_end_before_now(deadline, margin):
    assert deadline_margins([due(1, deadline)], {}, NOW) == {"p": margin}
    assert deadline_margins([due(1, deadline)], {1: Outlook(eta=NOW - 5)}, NOW) == {"p": margin}


def test_a_campaign_without_a_deadline_has_no_margin():
    assert deadline_margins([due(1, None)], {}, NOW) == {}


def test_of_a_quota_the_part_that_is_used_is_told_of_limits_that_are_set():
    project = ProjectRow(
        name="p", created_at=0, created_by=None, quota=Quota(queued=200), roles={}
    )
    months = {
        "p": MonthUse(used_s=90.0, limit_s=360.0, since=0.0),
        "q": MonthUse(used_s=9.0, limit_s=0.0, since=0.0),
    }
    used = quota_used([(project, Usage(queued=50, stored_bytes=10**9))], months)
    assert used == {("p", "queued"): 0.25, ("p", "device_hours"): 0.25}


def test_a_slow_question_is_asked_once_a_minute_and_by_one_thread():
    time, begun = [0.0], []
    asked = NowAndThen(lambda: len(begun), first=-1, clock=lambda: time[0], start=begun.append)
    assert [asked.look(), asked.look()] == [-1, -1]
    assert len(begun) == 1, "the first has not ended"
    begun[0]()
    assert (asked.look(), len(begun)) == (1, 1)
    time[0] += REFRESH_S
    assert (asked.look(), len(begun)) == (1, 2)


def test_a_question_that_fails_keeps_the_answer_of_before_and_is_asked_again(caplog):
    def away():
        raise DatabaseAway("It does not answer.")

    time, begun = [0.0], []
    asked = NowAndThen(away, first=7, clock=lambda: time[0], start=begun.append)
    asked.look()
    begun[0]()
    time[0] += REFRESH_S
    assert (asked.look(), len(begun)) == (7, 2)
    assert "It does not answer." in caplog.text


def test_decisions_are_counted_by_pool():
    counts = ScalingCounts()
    change = Change(
        start=("a", "a", "b"), withdraw=("b-1",), end=("a-1",), cool=frozenset("b"),
        desired={"a": 3},
    )  # fmt: skip
    counts.count(change, {"a-1": "a", "b-1": "b"})
    counts.note("a", "drain")
    assert counts.wanted == {"a": 3}
    assert counts.decisions == {
        "a": {"start": 2, "end": 1, "drain": 1},
        "b": {"start": 1, "cool": 1, "withdraw": 1},
    }


def test_a_pool_tells_of_the_gpus_whose_driver_tells_of_them():
    busy = Gpu(utilisation=1.0, used_bytes=8, total_bytes=10, watts=300.0)
    idle = Gpu(utilisation=0.5, used_bytes=2, total_bytes=10, watts=100.0)
    workers = [FakeWorker(f"w{k}") for k in range(4)]
    for worker, gpu in zip(workers, [busy, idle, None], strict=False):
        worker.health = health(worker.name, gpu=gpu)
    workers[3].health = None
    found = devices_of(workers)["worker"]
    assert (found.count, found.utilisation, found.watts) == (2, 0.75, 400)
    assert (found.used_bytes, found.total_bytes) == (10, 20)
    assert devices_of(workers[2:]) == {}


def test_figures_are_those_of_the_meters():
    meters = Meters(connections=lambda: 4)
    meters.steps.note("look", 0.5)
    counts = ScalingCounts()
    counts.failed_starts = 2
    figures = figures_of(meters, counts, [])
    assert (figures.connections, figures.failed_starts) == (4, 2)
    assert figures.steps["look"].seconds == 0.5
