"""An operator's orders to the fleet, in sentences: what, by whom and when."""

from datetime import UTC, datetime

from storage.orders import LIMITS, FleetOrders, Given, is_standing


def ordered_sentences(orders: FleetOrders) -> list[str]:
    """The orders that are in force, a sentence each."""
    limits = [
        order_sentence(orders, name) for name in LIMITS if is_standing(getattr(orders, name))
    ]
    return limits + [
        f"{target} was told to drain{_by_whom(given)}."
        for target, given in sorted(orders.drains.items())
    ]


def order_sentence(orders: FleetOrders, limit: str) -> str:
    """The order about one limit: `floor`, `ceiling` or `is_frozen`."""
    what = (
        "The fleet was frozen"
        if limit == "is_frozen"
        else f"The {limit} was set to {getattr(orders, limit)}"
    )
    return f"{what}{_by_whom(orders.given.get(limit, Given()))}."


def _by_whom(given: Given) -> str:
    by = f" by {given.by}" if given.by else ""
    return (
        by
        if given.at is None
        else f"{by} at {datetime.fromtimestamp(given.at, UTC):%Y-%m-%d %H:%M} UTC"
    )
