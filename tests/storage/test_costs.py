"""What attempts have cost, added up by the database."""

from dataclasses import replace

import pytest

from storage.costs import Costs
from storage.spent import USES, Spent
from tests.storage.conftest import outcomes, settlement


@pytest.fixture
def costs(engine):
    return Costs(engine)


def test_attempts_are_added_up_by_campaign_and_pool(costs, queue, settling, campaign, campaigns):
    session = queue.lead(owner="o", host="h", pid=1)
    spends = [
        Spent(pool="spot", price=3.6, painted_s=10.0, padding_s=2.0, idle_s=1.0),
        Spent(pool="spot", price=7.2, painted_s=10.0, load_s=5.0),
        Spent(pool="own", lost_s=4.0),
    ]
    for number, spent in enumerate(spends):
        (chunk,) = queue.claim(session, [(campaign.id, f"w{number}")])
        settling.settle(session, [replace(settlement(chunk, outcomes(chunk)), spent=spent)])
    own, spot = costs.of_campaign(campaign.project, campaign.name)
    assert (own.pool, own.attempts, own.seconds["lost_s"], own.money) == ("own", 1, 4.0, None)
    assert {use: spot.seconds[use] for use in USES if spot.seconds[use]} == {
        "painted_s": 20.0, "padding_s": 2.0, "load_s": 5.0, "idle_s": 1.0,
    }  # fmt: skip
    assert sum(spot.money.values()) == pytest.approx(13 * 0.001 + 15 * 0.002)
    row = campaigns.by_id(campaign.id)
    assert row.money == pytest.approx(0.043), "the same as is counted with the campaign"
    assert costs.of_project(campaign.project, None) == [own, spot]
    assert costs.of_project(campaign.project, row.now + 60) == []
    assert costs.of_project("another", None) == costs.of_campaign("another", campaign.name) == []
    assert costs.rejected_s(campaign.project, campaign.name) == 0.0


def test_a_late_answer_is_counted_once(costs, queue, settling, campaign):
    session = queue.lead(owner="o", host="h", pid=1)
    (chunk,) = queue.claim(session, [(campaign.id, "w")])
    once = replace(settlement(chunk, outcomes(chunk)), spent=Spent(price=1.0, painted_s=9.0))
    settling.settle(session, [once])
    settling.settle(session, [once])
    (only,) = costs.of_campaign(campaign.project, campaign.name)
    assert (only.attempts, only.seconds["painted_s"]) == (2, 9.0)
