"""What an attempt cost: its seconds add up however they were spent, and money follows them."""

import math
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from actors.recipes.jobs import Facts
from farm.scheduling.spending import NO_PRICES, pool_of, prices_of, spent_by
from farm.scheduling.values import Pool
from storage.spent import WASTES, Spent

SECONDS = st.floats(0, 1e5)


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
