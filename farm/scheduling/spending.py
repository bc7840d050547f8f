"""What an attempt cost: how its seconds were spent, and at which price. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from actors.recipes.jobs import Facts
from farm.scheduling.values import Pool
from storage.rows import OpenCampaign, Settlement, Snapshot
from storage.spent import Spent


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The price of an hour of a worker, by pool. Empty if no pool has a price: then nothing is
    said about money.
    """

    of_pools: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.of_pools)

    def of(self, pool: str | None) -> float | None:
        """The price of a pool; a pool that is not in the fleet file any more costs what the
        dearest one does.
        """
        if not self.of_pools:
            return None
        return self.of_pools.get(str(pool), max(self.of_pools.values()))


NO_PRICES = Prices()


def prices_of(pools: Iterable[Pool]) -> Prices:
    """The prices of a fleet file's pools. Pools without one are free beside pools with one."""
    prices = {pool.name: pool.price for pool in pools}
    return Prices(of_pools=prices) if any(prices.values()) else NO_PRICES


def pool_of(worker: str) -> str:
    """The pool of a worker, by its name."""
    return worker.rpartition("-")[0]


def spent_by(worker: str, facts: Facts, prices: Prices) -> Spent:
    """How a worker spent the seconds for which it had a chunk."""
    batches_s = sum(facts.batch_s)
    kept_s = min(facts.kept_s, batches_s)
    padding_s = min(facts.padding_s, batches_s - kept_s)
    stopped_s = min(facts.stopped_s, batches_s - kept_s - padding_s)
    pool = pool_of(worker)
    return Spent(
        pool=pool or None,
        price=prices.of(pool),
        painted_s=kept_s,
        padding_s=padding_s,
        load_s=facts.load_s,
        retries_s=max(0.0, batches_s - kept_s - padding_s - stopped_s),
        stopped_s=stopped_s,
        lost_s=facts.lost_s,
        idle_s=max(0.0, facts.chunk_s - batches_s - facts.load_s),
        megapixel_steps=facts.megapixel_steps,
    )


def priced(settlement: Settlement, facts: Facts, prices: Prices) -> Settlement:
    """The settlement of an attempt with what the attempt cost."""
    return replace(settlement, spent=spent_by(settlement.worker, facts, prices))


def with_money_left(campaign: OpenCampaign, prices: Prices) -> OpenCampaign:
    """A campaign with the device time for which its budget of money pays: at the price of the
    dearest pool, or at what its attempts have cost, whichever is more. Nothing, if no pool has a
    price any more: then nobody could say what is spent.
    """
    if campaign.budget_money is None:
        return campaign
    dearest = max(prices.of_pools.values(), default=0.0) / 3600
    shown = campaign.money / campaign.device_s if campaign.device_s else 0.0
    price_s, left = max(dearest, shown), campaign.budget_money - campaign.money
    return replace(campaign, money_left_s=max(0.0, left) / price_s if prices else 0.0)


def priced_snapshot(snapshot: Snapshot, prices: Prices) -> Snapshot:
    """The queue with the device time that budgets of money pay for."""
    priced = tuple(with_money_left(campaign, prices) for campaign in snapshot.campaigns)
    return replace(snapshot, campaigns=priced)
