"""What campaigns cost, and when they will be done, over a real queue and a fake fleet."""

import pytest

from actors.recipes.jobs import Failure, FailureKind
from farm.scheduling.values import Pool
from farm.service.pacing import Pacing
from farm.service.reading import Reading
from storage.attempts import Attempts
from storage.reviews import Reviews
from tests.farm.fakes import NOW, FakeFleet, FakeWorker, run

POOLS = (Pool(name="gpu", price=36.0),)  # a cent for each second


@pytest.fixture
def pacing(engine, campaigns, watching):
    return Pacing(
        campaigns=campaigns, attempts=Attempts(engine), watching=watching, weights={}, quotas={}
    )


@pytest.fixture
def paced(engine, campaigns, watching, outputs, pacing):
    return Reading(
        campaigns=campaigns,
        reviews=Reviews(engine),
        watching=watching,
        outputs=outputs,
        pacing=pacing,
    )


class Named(FakeFleet):
    """Its workers are called by their pools, as those of a real fleet."""

    def start(self, now, pool="worker", labels=None):
        name = f"{pool}-{len(self.workers)}"
        self.workers[name] = FakeWorker(name, ready=False, pool=pool)
        return name


def test_attempts_are_priced_by_the_pool_in_which_they_ran(start, campaign, campaigns, paced):
    fleet = Named(1)
    dispatcher = start(fleet, pools=POOLS)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    assert paced.status("p", "spring")["money"] is None, "nothing was painted yet"
    fleet.paint(seconds=10.0)
    dispatcher.tick(NOW)
    row = campaigns.by_id(campaign.id)
    assert (row.done, row.device_s, row.money) == (6, 20.0, pytest.approx(0.2))
    assert paced.all("p")[0]["money"] == pytest.approx(0.2)


def test_a_fleet_without_prices_says_nothing_of_money(start, campaign, campaigns, paced):
    fleet = FakeFleet(1)
    run(start(fleet), fleet)
    assert paced.status("p", "spring")["money"] is None
    assert campaigns.by_id(campaign.id).money is None


def test_a_running_campaign_has_a_rate_and_an_end_and_a_halted_one_has_none(
    start, campaign, campaigns, paced
):
    fleet = Named(1)
    dispatcher = start(fleet)
    for _ in range(2):
        dispatcher.tick(NOW)
    assert paced.status("p", "spring")["eta"] is None, "nothing tells how long it takes"
    fleet.paint(seconds=30.0)
    dispatcher.tick(NOW + 60)
    status = paced.status("p", "spring")
    assert status["renders_per_s"] == pytest.approx(0.2, rel=0.1)
    now = campaigns.by_id(campaign.id).now
    assert status["eta"] == pytest.approx(now + 120, abs=15), "12 renders at 10 s each"
    assert status["eta_low"] < status["eta"] < status["eta_high"]
    assert paced.all("p")[0].keys() >= {"renders_per_s", "megapixel_steps_per_s", "eta"}
    campaigns.halt(campaign.id, "no room")
    assert paced.status("p", "spring")["eta"] is None


def test_seconds_that_were_lost_with_a_worker_cost_money_too(start, campaign, campaigns):
    fleet = Named(1)
    dispatcher = start(fleet, pools=POOLS)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    lost = Failure(kind=FailureKind.WORKER_LOST, detail="it went")
    fleet.paint(lost, lost_s=50.0)
    dispatcher.tick(NOW)
    row = campaigns.by_id(campaign.id)
    assert (row.done, row.device_s, row.money) == (0, 0.0, pytest.approx(1.0))
