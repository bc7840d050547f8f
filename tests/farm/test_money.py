"""What campaigns cost, and when they will be done, over a real queue and a fake fleet."""

import pytest

from actors.recipes.jobs import Failure, FailureKind
from farm.documents.document import DocumentError
from farm.scheduling.reasons import reason_sentence
from farm.scheduling.refusal import MONEY, Refusal, Rule, read_refusal, refusal_text
from farm.scheduling.spending import prices_of
from farm.scheduling.values import Pool
from farm.service.pacing import Pacing
from farm.service.reading import Reading
from farm.service.submission import Submissions
from storage.attempts import Attempts
from storage.ledgers import Ledgers
from storage.reviews import Reviews
from storage.states import CampaignState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, FakeWorker, run

POOLS = (Pool(name="gpu", price=36.0),)  # a cent for each second


@pytest.fixture
def pacing(engine, campaigns, watching):
    return Pacing(
        campaigns=campaigns,
        attempts=Attempts(engine),
        ledgers=Ledgers(engine),
        watching=watching,
        weights={},
        quotas={},
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


# --- budgets of money ---


def priced(campaigns, control, watching, outputs, brands, pools=POOLS):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands,
        chunk=3, prices=prices_of(pools),
    )  # fmt: skip


def test_a_campaign_stops_once_its_money_is_spent_and_goes_on_with_more(
    start, campaigns, control, watching, outputs, brands, paced
):
    """A chunk of three takes 10 s and costs ten cents."""
    submissions = priced(campaigns, control, watching, outputs, brands)
    submissions.submit("p", data(budget={"money": 0.25}))
    fleet = Named(1)
    dispatcher = start(fleet, pools=POOLS)
    run(dispatcher, fleet, 8, seconds=10.0)
    row = campaigns.get("p", "spring")
    assert (row.state, row.budget_money) == (CampaignState.HALTED, 0.25)
    assert 0.25 <= row.money <= 0.25 + 2 * 0.1, "exceeded by no more than was under way"
    assert row.halted.startswith(f"It has spent {row.money:.4g} of its budget of 0.25 with")
    assert paced.status("p", "spring")["budget_money"] == 0.25

    more = data(budget={"money": 5, "gpu_hours": 1})
    assert submissions.submit("p", more, update=True)[1]["updated"]["kept"] == row.done
    run(dispatcher, fleet, 8, seconds=10.0)
    row = campaigns.get("p", "spring")
    assert (row.state, row.money) == (CampaignState.DONE, pytest.approx(0.6))


def test_whichever_of_time_and_money_is_spent_first_stops_it(
    start, campaigns, control, watching, outputs, brands
):
    submissions = priced(campaigns, control, watching, outputs, brands)
    submissions.submit("p", data(budget={"money": 100, "gpu_hours": 15 / 3600}))
    fleet = Named(1)
    run(start(fleet, pools=POOLS), fleet, 8, seconds=10.0)
    row = campaigns.get("p", "spring")
    assert row.state is CampaignState.HALTED
    assert row.device_s >= 15 > row.device_s - 2 * 10 * 2
    assert "GPU hours" in row.halted


def test_a_budget_of_money_needs_prices(
    start, service, campaigns, control, watching, outputs, brands
):
    with pytest.raises(DocumentError, match="no pool of this farm has a price"):
        service.submit("p", data(budget={"money": 40}))
    priced(campaigns, control, watching, outputs, brands).submit("p", data(budget={"money": 40}))
    fleet = Named(1)
    dispatcher = start(fleet)  # its fleet file has lost its prices
    run(dispatcher, fleet, 3)
    row = campaigns.get("p", "spring")
    assert (row.done, row.state) == (0, CampaignState.HALTED)
    assert "no pool of the fleet file has a price" in row.halted


def test_the_refusal_speaks_of_money():
    refusal = Refusal(rule=Rule.BUDGET, other=MONEY, has=0.1, limit=0.12)
    assert read_refusal(refusal_text(refusal)) == refusal
    assert reason_sentence(refusal).startswith("It has cost 0.1 of its budget of 0.12")


def test_no_end_is_told_of_a_campaign_whose_budget_will_not_last(
    start, campaigns, control, watching, outputs, brands, paced
):
    submissions = priced(campaigns, control, watching, outputs, brands)
    submissions.submit("p", data(budget={"money": 0.35}))
    fleet = Named(1)
    dispatcher = start(fleet, pools=POOLS)
    run(dispatcher, fleet, 2, seconds=10.0)
    dispatcher.tick(NOW + 60)
    short = paced.status("p", "spring")
    assert (short["state"], short["eta"]) == ("running", None)
    assert short["renders"]["running"] > 0
    assert short["renders_per_s"] > 0, "it has a rate all the same"


def test_outlooks_are_looked_up_once_a_second_for_all_who_ask(
    engine, start, campaign, campaigns, watching, outputs
):
    """And one that has ended since the look has no end to come."""
    now = [100.0]
    pacing = Pacing(
        campaigns=campaigns,
        attempts=Attempts(engine),
        ledgers=Ledgers(engine),
        watching=watching,
        weights={},
        quotas={},
        fresh_s=1.0,
        clock=lambda: now[0],
    )
    reading = Reading(
        campaigns=campaigns, reviews=Reviews(engine), watching=watching, outputs=outputs,
        pacing=pacing,
    )  # fmt: skip
    fleet = Named(1)
    dispatcher = start(fleet)
    for _ in range(2):
        dispatcher.tick(NOW)
    assert reading.status("p", "spring")["eta"] is None
    fleet.paint(seconds=30.0)
    dispatcher.tick(NOW + 60)
    now[0] += 0.9
    assert reading.status("p", "spring")["eta"] is None, "as it was a moment ago"
    now[0] += 0.1
    assert reading.status("p", "spring")["eta"] is not None
    assert pacing.outlooks() is pacing.outlooks()
    campaigns.halt(campaign.id, "no room")
    assert reading.status("p", "spring")["eta"] is None
    assert reading.all("p")[0]["eta"] is None
