"""What an attempt cost: its seconds add up however they were spent, and money follows them."""

import math
from dataclasses import asdict, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.fleet.worker import AssignedChunk, Worker
from actors.recipes.jobs import Facts, Health
from farm.cost import budget_left_s, is_by_money, money_left_s
from farm.scheduling.allocation import Allocation
from farm.scheduling.budget import is_spent, money_of, nearly_spent_sentence, spent_sentence
from farm.scheduling.eligibility import refusal_of
from farm.scheduling.money_text import clock_text, money_text
from farm.scheduling.refusal import MONEY, Rule
from farm.scheduling.situation import Situation
from farm.scheduling.spending import (
    NO_PRICES,
    Prices,
    pool_of,
    priced_snapshot,
    prices_of,
    spent_by,
    with_money_left,
)
from farm.scheduling.values import FreeWorker, Pool
from storage.rows import OpenCampaign, Snapshot
from storage.spent import WASTES, Spent

SECONDS = st.floats(0, 1e5)
PRICED = Prices(of_pools={"gpu": 36.0})


@st.composite
def facts(draw):
    return Facts(
        batch_s=tuple(draw(st.lists(SECONDS, max_size=5))),
        kept_s=draw(SECONDS),
        padding_s=draw(SECONDS),
        stopped_s=draw(SECONDS),
        load_s=draw(SECONDS),
        chunk_s=draw(SECONDS),
        lost_s=draw(SECONDS),
    )


@given(facts(), st.floats(0, 1e3))
def test_painted_waste_and_idle_add_up_to_what_was_given(facts, price):
    """No second of a batch is counted twice or left out, whatever a worker may say."""
    spent = spent_by("gpu-1a", facts, prices_of([Pool(name="gpu", price=price)]))
    batches_s = sum(facts.batch_s)
    on_device = spent.painted_s + spent.padding_s + spent.retries_s + spent.stopped_s
    assert math.isclose(on_device, batches_s, rel_tol=1e-9, abs_tol=1e-9)
    assert min(value for name, value in asdict(spent).items() if name.endswith("_s")) >= 0
    wasted = sum(getattr(spent, name) for name in WASTES)
    assert math.isclose(spent.given_s, spent.painted_s + wasted + spent.idle_s)
    measured = max(facts.chunk_s, batches_s + facts.load_s) + facts.lost_s
    assert math.isclose(spent.given_s, measured, rel_tol=1e-9, abs_tol=1e-6)
    if price:
        assert math.isclose(spent.money, spent.given_s / 3600 * price)


def test_what_is_not_kept_is_a_retry():
    facts = Facts(batch_s=(4.0, 4.0), kept_s=5.0, padding_s=1.0, chunk_s=10.0, load_s=1.5)
    assert spent_by("a-b-1", facts, NO_PRICES) == Spent(
        pool="a-b", painted_s=5.0, padding_s=1.0, retries_s=2.0, load_s=1.5, idle_s=0.5
    )


def test_prices_are_those_of_pools_and_none_if_no_pool_has_one():
    assert not prices_of([Pool(name="a"), Pool(name="b")])
    prices = prices_of([Pool(name="spot", price=1.0), Pool(name="own")])
    assert (prices.of("spot"), prices.of("own")) == (1.0, 0.0)
    assert prices.of("gone") == 1.0, "the dearest: a budget holds all the same"
    assert prices_of([]).of("spot") is None
    assert Spent(painted_s=9.0).money is None
    assert (pool_of("spot-eu-1a2b"), pool_of("w0")) == ("spot-eu", "")


# --- budgets of money ---


def row(**changes):
    given = {
        "budget_money": 10.0, "device_s": 0.0, "money": 0.0, "left": 100, "ended": 0, "running": 0,
        **changes,
    }  # fmt: skip
    return OpenCampaign(
        id=1, project="p", name="spring", model_digest="m", priority=50, max_workers=None,
        deadline=None, megapixel_steps=100.0, waiting=True, workers=frozenset(), **given,
    )  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(0.1, 100), min_size=1),
    st.floats(0.01, 100),
    st.floats(0, 200),
    st.floats(0, 1e6),
)
def test_what_money_pays_for_is_paid_on_whichever_pool_it_is_spent(prices, budget, money, given_s):
    campaign = row(budget_money=budget, money=money, device_s=given_s)
    left_s = with_money_left(campaign, Prices(of_pools=prices)).money_left_s
    assert left_s >= 0
    for price in prices.values():
        assert left_s * price / 3600 <= max(0.0, budget - money) + 1e-6
    assert money < budget or left_s == 0


def test_budgets_of_money_bind_like_those_of_time():
    prices = Prices(of_pools={"gpu": 36.0})
    fresh = with_money_left(row(), prices)
    assert fresh.money_left_s == budget_left_s(fresh) == 1000
    assert is_by_money(fresh)
    assert not is_spent(fresh)
    waits = with_money_left(row(device_s=100.0, money=2.0), prices)
    assert waits.money_left_s == 400, "its attempts cost more than their painting alone"
    both = with_money_left(row(budget_s=50.0), prices)
    assert (budget_left_s(both), is_by_money(both)) == (50.0, False)
    assert is_spent(with_money_left(row(money=10.0), prices))
    assert with_money_left(row(budget_money=None), prices).money_left_s is None
    unpriced = with_money_left(row(), NO_PRICES)
    assert is_spent(unpriced)
    assert "no pool of the fleet file has a price" in spent_sentence(unpriced)
    assert "10.00 of its budget of 10.00" in spent_sentence(
        with_money_left(row(money=10.0), prices)
    )


# --- a worker that is lost ---


def test_a_worker_knows_how_long_it_has_had_its_first_chunk():
    worker = Worker(
        name="gpu-1", handle=None, pending_health=None, asked_at=0.0, pool="gpu", since=0.0
    )
    worker.answered(Health(name="gpu-1", node="n", device="cpu", numerics_class="c"))
    assert worker.painted_for_s(50.0) == 0.0, "it has none"
    worker.assign("first", AssignedChunk(1, 1, 1), 10.0)
    worker.assign("second", AssignedChunk(2, 1, 1), 20.0)
    assert worker.painted_for_s(50.0) == 40.0, "from when it got the first"
    worker.returned("first", 60.0)
    assert worker.painted_for_s(65.0) == 5.0, "it began with the second when the first ended"
    worker.returned("second", 70.0)
    assert worker.painted_for_s(90.0) == 0.0
    worker.assign("third", AssignedChunk(3, 1, 1), 100.0)
    assert worker.painted_for_s(101.0) == 1.0


def test_what_an_earlier_dispatcher_gave_is_not_guessed():
    worker = Worker(
        name="gpu-1", handle=None, pending_health=None, asked_at=0.0, pool="gpu", since=0.0
    )
    worker.inherit(AssignedChunk(1, 1, 1))
    assert worker.painted_for_s(50.0) == 0.0


# --- in words ---


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (0.0, "0.00"),
        (0.000123456, "0.0001235"),
        (0.5, "0.5"),
        (1.0, "1.00"),
        (1234.5678, "1,234.57"),
        (-2.5, "-2.50"),
    ],
)
def test_money_is_written_to_a_hundredth_or_as_small_as_it_is(money, text):
    assert money_text(money) == text


def test_a_moment_today_is_a_time_and_another_day_has_its_date():
    today = datetime.now().astimezone().replace(hour=12, minute=30, second=5)
    assert clock_text(today.timestamp()) == "12:30:05"
    assert len(clock_text((today + timedelta(days=40)).timestamp())) == len("2026-11-27 12:30")


def test_budgets_in_words_name_what_binds():
    by_money = with_money_left(row(budget_s=1e9, money=9.0, device_s=900.0), PRICED)
    assert nearly_spent_sentence(replace(by_money, running=0)) is None, "there is room"
    waits = replace(by_money, running=100, ended=10, device_s=900.0)
    assert "9.00 of its budget of 10.00" in nearly_spent_sentence(waits)
    by_time = with_money_left(row(budget_s=900.0, money=1.0, device_s=900.0), PRICED)
    assert is_spent(by_time)
    assert "GPU hours" in spent_sentence(by_time)
    assert money_of(1.5, 40.0) == "1.50 of its budget of 40.00"


def test_a_whole_queue_is_priced_and_only_budgets_of_money_change():
    plain = row(budget_money=None)
    snapshot = Snapshot(now=1.0, campaigns=(plain, row()))
    same, priced = priced_snapshot(snapshot, PRICED).campaigns
    assert same is plain
    assert priced.money_left_s == 1000


def test_a_stored_campaign_s_money_lasts_as_long_as_its_attempts_have_cost():
    """The API knows a row, not the dispatcher's prices."""
    assert money_left_s(row(money=0.0, device_s=0.0)) == math.inf
    assert money_left_s(row(money=4.0, device_s=400.0)) == 600.0
    assert money_left_s(row(money=10.0, device_s=400.0)) == 0.0
    assert not is_by_money(row(budget_money=None))


def test_a_worker_may_have_no_more_once_chunks_under_way_take_the_money():
    """Two workers with budgets of money are bound as by device time: the refusal says money."""
    campaign = with_money_left(
        row(ended=10, left=90, device_s=100.0, money=9.9, running=20), PRICED
    )
    free = FreeWorker(name="gpu-1", numerics_class="c")
    situation = Situation(now=0.0, campaigns=[campaign], workers=[free], fleet_size=1)
    refusal = refusal_of(Allocation(situation), campaign, "gpu-1")
    assert (refusal.rule, refusal.other, refusal.has, refusal.limit) == (
        Rule.BUDGET,
        MONEY,
        9.9,
        10.0,
    )
    rich = with_money_left(row(budget_money=1e6, ended=10, left=90, device_s=100.0), PRICED)
    situation = Situation(now=0.0, campaigns=[rich], workers=[free], fleet_size=1)
    assert refusal_of(Allocation(situation), rich, "gpu-1") is None
