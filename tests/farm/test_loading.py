"""Models that cannot be loaded: one more worker tries, then the campaign halts; a worker alone at
fault is passed over.
"""

import pytest

from actors.recipes.jobs import Failure, FailureKind
from farm.dispatch.loading import is_hopeless
from farm.scheduling.trust import BLAMED_CAMPAIGNS
from storage.states import CampaignState
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, answer

UNLOADABLE = Failure(
    kind=FailureKind.LOADING, detail="The model m cannot be loaded: no such layer."
)


def run(dispatcher, fleet, broken, rounds=30):
    """Workers named in `broken` cannot load anything; returns who tried, in order."""
    tried = []
    for _ in range(rounds):
        dispatcher.tick(NOW)
        for job, worker in fleet.take():
            tried.append(worker)
            fleet.results.append(answer(job, worker, UNLOADABLE if worker in broken else None))
    return tried


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_model_that_cannot_be_loaded_stops_its_campaign_after_one_more_try(
    start, service, campaigns, size
):
    campaign = service.submit("p", data(seeds={"count": 64}))[0]  # 384 renders in 128 chunks
    fleet = FakeFleet(size)
    tried = run(start(fleet), fleet, {f"w{k}" for k in range(size)})
    stopped = campaigns.by_id(campaign.id)
    names = "w0" if size == 1 else "w0 and w1"
    assert (stopped.state, stopped.failed, stopped.held) == (CampaignState.HALTED, 0, 0)
    assert stopped.halted.startswith(f"{UNLOADABLE.detail} Tried by {names}")
    assert len(tried) <= 4 * size  # of 128 chunks: what was given out before the answers had come


def test_a_worker_that_alone_cannot_load_is_passed_over_and_blamed(start, service, campaigns):
    campaign = service.submit("p", data())[0]
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    tried = run(dispatcher, fleet, {"w0"})
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE
    assert tried.count("w0") <= 4
    assert dispatcher._books.ledger.records["w0"].blamed == (campaign.id,)
    for k in range(1, BLAMED_CAMPAIGNS):
        service.submit("p", data(name=f"more-{k}"))
    run(dispatcher, fleet, {"w0"})
    assert dispatcher._books.ledger.records["w0"].quarantined_until is not None


def test_a_stopped_campaign_goes_on_once_its_model_is_mended(start, service, campaigns, control):
    campaign = service.submit("p", data())[0]
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    run(dispatcher, fleet, {"w0", "w1"})
    control.resume(campaign.id)
    run(dispatcher, fleet, {"w0"})
    assert campaigns.by_id(campaign.id).state is CampaignState.DONE


def test_a_worker_of_another_class_is_not_waited_for(start, service, campaigns):
    from tests.farm.test_numerics import MixedFleet

    campaign = service.submit("p", data())[0]
    fleet = MixedFleet("one", "two")
    run(start(fleet), fleet, {"w0", "w1"})
    assert campaigns.by_id(campaign.id).state is CampaignState.HALTED


@pytest.mark.parametrize(
    ("tries", "others", "was_loaded", "hopeless"),
    [
        ({"a": 1}, {"b"}, False, False),
        ({"a": 2}, {"b"}, False, False),
        ({"a": 1, "b": 1}, {"c"}, False, True),
        ({"a": 1, "b": 1}, {"c"}, True, False),
        ({"a": 1}, set(), False, False),
        ({"a": 2}, set(), False, True),
        ({"a": 1, "b": 1}, set(), True, True),
    ],
)
def test_who_has_to_have_tried(tries, others, was_loaded, hopeless):
    assert is_hopeless(tries, others, was_loaded=was_loaded) is hopeless
