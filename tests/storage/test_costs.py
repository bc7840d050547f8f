"""What attempts have cost, added up by the database."""

from dataclasses import replace

import pytest

from storage.costs import Costs, prices_of
from storage.spent import USES, Spent
from tests.storage.conftest import new_campaign, new_chunks, outcomes, settlement


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


def test_each_render_costs_its_seconds_at_the_price_of_its_attempt(
    queue, settling, control, campaign, campaigns
):
    """Also after the price has changed, and in a version that keeps it."""
    session = queue.lead(owner="o", host="h", pid=1)
    for price in (3.6, 7.2, None):
        (chunk,) = queue.claim(session, [(campaign.id, "w")])
        painted = tuple(replace(one, seconds=10.0) for one in outcomes(chunk))
        spent = Spent(pool="gpu", price=price, painted_s=20.0)
        settling.settle(session, [replace(settlement(chunk, painted), spent=spent)])

    def told(number):
        return {one.number: one.money for one, _, _ in campaigns.outcomes(number)}

    cents = [0.01, 0.01, 0.02, 0.02]
    known = told(campaign.id)
    assert [known[number] for number in range(4)] == pytest.approx(cents)
    assert known[4] is known[5] is None
    outcome, _, _ = campaigns.outcome(campaign.id, 2)
    assert outcome.money == pytest.approx(0.02)
    assert campaigns.outcome(campaign.id, 5)[0].money is None
    new = new_campaign(fingerprint="g", total=2)
    control.replace(campaign.id, new, [(0, 0), (1, 2)], [])
    version = campaigns.get(campaign.project, campaign.name)
    assert (version.version, list(told(version.id).values())) == (2, pytest.approx([0.01, 0.02]))


def test_another_campaign_s_prices_count_for_nothing(engine, queue, settling, campaigns):
    """Names that begin alike are not versions of each other."""
    session = queue.lead(owner="o", host="h", pid=1)
    numbers = [campaigns.add(new_campaign(name), new_chunks()).id for name in ("a", "a_b", "axb")]
    for number in numbers[1:]:
        (chunk,) = queue.claim(session, [(number, "w")])
        spent = Spent(pool="gpu", price=1.0, painted_s=1.0)
        settling.settle(session, [replace(settlement(chunk, outcomes(chunk)), spent=spent)])
    with engine.connect() as connection:
        assert [len(prices_of(connection, number)) for number in numbers] == [0, 1, 1]
        assert prices_of(connection, numbers[1], "other") == prices_of(connection, 99) == {}
