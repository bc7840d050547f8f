"""Orders about the fleet, on both engines."""

import pytest

from storage.orders import FleetOrders, Orders


@pytest.fixture
def orders(engine):
    return Orders(engine)


def limits(orders):
    now = orders.get()
    return now.floor, now.ceiling, now.is_frozen


def test_nothing_is_ordered_until_somebody_does(orders):
    assert orders.get() == FleetOrders()


def test_what_is_not_named_stays(orders):
    orders.scale(floor=1, ceiling=9)
    orders.scale(is_frozen=True)
    orders.scale(ceiling=4)
    assert limits(orders) == (1, 4, True)


def test_an_order_says_whose_it_is_until_it_is_taken_back(orders):
    orders.scale(by="ann@studio", ceiling=0, floor=0)
    first = orders.get().given["ceiling"]
    orders.scale(by="bob@studio", is_frozen=True)
    given = orders.get().given
    assert [given[name].by for name in ("floor", "ceiling", "is_frozen")] == [
        "ann@studio",
        "ann@studio",
        "bob@studio",
    ]
    assert given["ceiling"] == first
    assert given["is_frozen"].at >= first.at > 1e9
    orders.scale(floor=None, ceiling=None, is_frozen=False)
    assert orders.get() == FleetOrders()


def test_a_drain_is_ordered_once_and_taken_back(orders):
    orders.drain("worker-1", by="ann@studio")
    orders.drain("worker-1", by="bob@studio")
    orders.drain("node-a")
    assert {target: given.by for target, given in orders.get().drains.items()} == {
        "worker-1": "ann@studio",
        "node-a": None,
    }
    assert (orders.undrain(["worker-1", "worker-2"]), orders.undrain(["worker-1"])) == (1, 0)
    assert orders.get().drains.keys() == {"node-a"}
