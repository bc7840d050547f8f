"""Orders about the fleet, on both engines."""

import pytest

from storage.orders import FleetOrders, Orders


@pytest.fixture
def orders(engine):
    return Orders(engine)


def test_nothing_is_ordered_until_somebody_does(orders):
    assert orders.get() == FleetOrders()


def test_what_is_not_named_stays(orders):
    orders.scale(floor=1, ceiling=9)
    orders.scale(is_frozen=True)
    orders.scale(ceiling=4)
    assert orders.get() == FleetOrders(floor=1, ceiling=4, is_frozen=True)


def test_a_drain_is_ordered_once_and_taken_back(orders):
    orders.drain("worker-1")
    orders.drain("worker-1")
    orders.drain("node-a")
    assert orders.get().drains == {"worker-1", "node-a"}
    assert (orders.undrain(["worker-1", "worker-2"]), orders.undrain(["worker-1"])) == (1, 0)
    assert orders.get().drains == {"node-a"}
