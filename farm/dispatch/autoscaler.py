"""Keeps the fleet as `farm.scheduling.scaling` wants it: asks for workers, lets idle ones go, and
empties those whose node is to go.

It looks, decides and acts, like the dispatcher whose part it is; what it keeps, another could find
out anew.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from actors.fleet.fleet import Fleet
from actors.fleet.worker import Worker
from farm.scheduling.history import History
from farm.scheduling.needs import rooms_of
from farm.scheduling.scaling import COOL_OFF_S, classes_of, next_change, surplus_of
from farm.scheduling.values import NO_QUOTAS, Limits, Member, Pool
from storage.campaigns import Campaigns
from storage.orders import FleetOrders, Orders
from storage.queue import Queue
from storage.rows import OpenCampaign

SCALING_S = 1.0
STARTS_BEFORE_HALT = 3
HASTE_S = 15.0
"""With less time than that, a worker that is to go leaves the batch that it paints, too."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A chunk (id, lease) that a worker is to hand back: after its batch, or with `at_step` after
    its step.
    """

    worker: str
    key: tuple[int, int]
    at_step: bool = False


class Autoscaler:
    """The hands on one fleet."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        queue: Queue,
        orders: Orders,
        campaigns: Campaigns,
        pools: Sequence[Pool],
        limits: Limits,
        quotas: Mapping[str, int] = NO_QUOTAS,
    ) -> None:
        self._fleet = fleet
        self._queue = queue
        self._orders = orders
        self._campaigns = campaigns
        self._pools = {pool.name: pool for pool in pools}
        self._limits = limits
        self._quotas = quotas
        self._cooling: dict[str, float] = {}
        self._classes: dict[str, set[str]] = {}
        self._drained_nodes: set[str] = set()
        self._leaving: dict[str, float | None] = {}
        self._failed_starts = 0
        self._next = 0.0

    @property
    def leaving(self) -> frozenset[str]:
        """The workers that are to get nothing more."""
        return frozenset(self._leaving)

    def tick(
        self, campaigns: Sequence[OpenCampaign], history: History, now: float, db_now: float
    ) -> list[Stop]:
        """One round; returns what workers that are to go should hand back."""
        self._watch_starts(campaigns)
        if now < self._next:
            return []
        self._next = now + SCALING_S
        orders = self._orders.get()
        limits = self._ordered(orders)
        self._leaving = self._who_leaves(orders, limits, now)
        self._retire()
        self._scale(campaigns, history, limits, now, db_now)
        return [
            stop
            for name, left_s in self._leaving.items()
            for stop in _handed_back(self._fleet.workers[name], left_s)
        ]

    # --- growing and shrinking ---

    def _ordered(self, orders: FleetOrders) -> Limits:
        floor = self._limits.floor if orders.floor is None else orders.floor
        ceiling = self._limits.ceiling if orders.ceiling is None else orders.ceiling
        return replace(
            self._limits, floor=min(floor, ceiling), ceiling=ceiling, is_frozen=orders.is_frozen
        )

    def _scale(
        self,
        campaigns: Sequence[OpenCampaign],
        history: History,
        limits: Limits,
        now: float,
        db_now: float,
    ) -> None:
        self._cooling = {name: until for name, until in self._cooling.items() if until > now}
        fleet = [self._member(worker, now) for worker in self._fleet.workers.values()]
        waiting = 0
        if any(campaign.waiting for campaign in campaigns):
            waiting = self._queue.waiting_chunks(
                limits.ceiling, rooms_of(campaigns, self._quotas, limits.ceiling)
            )
        self._classes |= classes_of(fleet)
        change = next_change(
            campaigns, fleet, list(self._pools.values()), limits, waiting_chunks=waiting,
            history=history, quotas=self._quotas,
            classes=self._classes, cooling=self._cooling, now=now, db_now=db_now,
        )  # fmt: skip
        for name in change.cool:
            log.warning(
                "No worker has come from pool %s in %.0f s: others are asked. action=cool",
                name,
                self._pools[name].grace_s or 0,
            )
            self._cooling[name] = now + COOL_OFF_S
        for name in (*change.withdraw, *change.end):
            log.info("Worker %s is not needed. action=retire worker=%s", name, name)
            self._fleet.retire(name)
        for pool in change.start:
            name = self._fleet.start(now, pool, self._pools[pool].labels)
            log.info("Asked for worker %s. action=start worker=%s", name, name)

    def _member(self, worker: Worker, now: float) -> Member:
        health = worker.health
        worker.idle_since = (
            None if worker.assigned or not worker.is_ready else worker.idle_since or now
        )
        return Member(
            name=worker.name,
            pool=worker.pool if worker.pool in self._pools else next(iter(self._pools)),
            since=worker.since,
            # one that was taken over may paint, and not have answered yet
            is_ready=worker.is_ready or bool(worker.assigned),
            idle_since=worker.idle_since,
            is_draining=worker.name in self._leaving,
            numerics_class=None if health is None else health.numerics_class,
        )

    # --- draining ---

    def _who_leaves(
        self, orders: FleetOrders, limits: Limits, now: float
    ) -> dict[str, float | None]:
        leaving = self._fleet.leaving(now)
        for worker in self._fleet.workers.values():
            health = worker.health
            place = (
                set() if health is None else {health.node, health.node_id} & orders.drains.keys()
            )
            if place or worker.name in orders.drains:
                leaving.setdefault(worker.name, None)
            if health is not None and place and health.node_id not in self._drained_nodes:
                self._drained_nodes.add(health.node_id)
                self._fleet.drain(health.node_id)
        members = [
            replace(self._member(worker, now), is_draining=name in leaving)
            for name, worker in self._fleet.workers.items()
        ]
        return {**dict.fromkeys(surplus_of(members, limits)), **leaving}

    def _retire(self) -> None:
        """Let those go that have nothing left to hand back."""
        gone = [name for name in self._leaving if not self._fleet.workers[name].assigned]
        for name in gone:
            log.info("Worker %s has gone, as it was to. action=drained worker=%s", name, name)
            self._fleet.retire(name)
            del self._leaving[name]
        if gone:
            self._orders.undrain(gone)

    # --- workers that cannot start ---

    def _watch_starts(self, campaigns: Sequence[OpenCampaign]) -> None:
        """Where no worker can start, say so on every open campaign rather than try for ever."""
        failed, self._fleet.failed_starts = self._fleet.failed_starts, []
        if any(worker.is_ready for worker in self._fleet.workers.values()):
            self._failed_starts = 0
            return
        self._failed_starts += len(failed)
        if failed and self._failed_starts >= STARTS_BEFORE_HALT:
            for campaign in campaigns:
                self._campaigns.halt(campaign.id, f"No worker could be started: {failed[-1]}")
            self._failed_starts = 0


def _handed_back(worker: Worker, left_s: float | None) -> list[Stop]:
    """What a worker that is to go hands back: what it has not begun, and where its time is
    measured, what it paints.
    """
    first, *others = worker.assigned
    stops = [Stop(worker=worker.name, key=chunk.key) for chunk in others]
    if left_s is not None:
        stops.append(Stop(worker=worker.name, key=first.key, at_step=left_s < HASTE_S))
    return stops
