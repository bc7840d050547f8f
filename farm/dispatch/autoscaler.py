"""Keeps the fleet as `farm.scheduling.scaling` wants it: asks for workers, lets idle ones go, and
empties those whose node will be taken away.

It looks, decides and acts, like the dispatcher that it is a part of. The next dispatcher finds out
anew whatever this one keeps in memory.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from actors.fleet.fleet import Fleet
from actors.fleet.worker import Worker
from farm.dispatch.scaling_counts import ScalingCounts
from farm.scheduling.history import History
from farm.scheduling.needs import rooms_of
from farm.scheduling.scaling import COOL_OFF_S, classes_of, next_change, surplus_of
from farm.scheduling.scaling_reasons import change_reasons
from farm.scheduling.values import NO_QUOTAS, Change, Limits, Member, Pool
from storage.campaigns import Campaigns
from storage.event_kinds import EventKind
from storage.months import NO_MONTHS, MonthUse
from storage.orders import FleetOrders, Orders
from storage.queue import Queue
from storage.rows import OpenCampaign

SCALING_S = 1.0
STARTS_BEFORE_HALT = 3
HASTE_S = 15.0
"""A worker with less time than that leaves its batch after the step under way."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A chunk (id, lease) that a worker must return: after its batch, or with `at_step` after its
    step.
    """

    worker: str
    key: tuple[int, int]
    at_step: bool = False


class Autoscaler:
    """Starts, drains and retires the workers of one fleet."""

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
        spent_months: Mapping[str, MonthUse] = NO_MONTHS,
    ) -> None:
        self._fleet = fleet
        self._queue = queue
        self._orders = orders
        self._campaigns = campaigns
        self._pools = {pool.name: pool for pool in pools}
        self._limits = limits
        self._quotas = quotas
        self._spent_months = spent_months
        self._cooling: dict[str, float] = {}
        self._classes: dict[str, set[str]] = {}
        self._drained_nodes: set[str] = set()
        self._leaving: dict[str, float | None] = {}
        self._idle_since: dict[str, float] = {}
        self._failed_starts = 0
        self._next = 0.0
        self.let_go: dict[str, EventKind] = {}
        """The workers that were retired since the roster was last published, and why."""
        self.counts = ScalingCounts()

    @property
    def leaving(self) -> frozenset[str]:
        """The workers that get no more work."""
        return frozenset(self._leaving)

    def note_work(self, worker: str) -> None:
        """A chunk was sent to a worker: it has not been idle since. It may have finished the chunk
        before the next look.
        """
        self._idle_since.pop(worker, None)

    def tick(
        self, campaigns: Sequence[OpenCampaign], history: History, now: float, db_now: float
    ) -> list[Stop]:
        """One round; returns the chunks that leaving workers must return."""
        self._watch_starts(campaigns)
        if now < self._next:
            return []
        self._next = now + SCALING_S
        self._watch_idle(now)
        orders = self._orders.get()
        limits = self._ordered(orders)
        self._leaving = self._who_leaves(orders, limits, now)
        self._drain_nodes(orders)
        self._retire()
        self._act(*self._decide(campaigns, history, limits, now, db_now), now)
        return [
            stop
            for name, left_s in self._leaving.items()
            for stop in _returned(self._fleet.workers[name], left_s)
        ]

    # --- growing and shrinking ---

    def _watch_idle(self, now: float) -> None:
        self._idle_since = {
            worker.name: self._idle_since.get(worker.name, now)
            for worker in self._fleet.workers.values()
            if worker.is_ready and not worker.assigned
        }

    def _ordered(self, orders: FleetOrders) -> Limits:
        floor = self._limits.floor if orders.floor is None else orders.floor
        ceiling = self._limits.ceiling if orders.ceiling is None else orders.ceiling
        return replace(
            self._limits, floor=min(floor, ceiling), ceiling=ceiling, is_frozen=orders.is_frozen
        )

    def _decide(
        self,
        campaigns: Sequence[OpenCampaign],
        history: History,
        limits: Limits,
        now: float,
        db_now: float,
    ) -> tuple[Change, list[str]]:
        """The change, and its reasons."""
        self._cooling = {name: until for name, until in self._cooling.items() if until > now}
        fleet = [self._member(worker) for worker in self._fleet.workers.values()]
        quotas = {**dict(self._quotas.items()), **dict.fromkeys(self._spent_months, 0)}
        waiting = 0
        if any(campaign.waiting for campaign in campaigns):
            waiting = self._queue.waiting_chunks(
                limits.ceiling, rooms_of(campaigns, quotas, limits.ceiling)
            )
        self._classes |= classes_of(fleet)
        change = next_change(
            campaigns, fleet, list(self._pools.values()), limits, waiting_chunks=waiting,
            history=history, quotas=quotas,
            classes=self._classes, cooling=self._cooling, now=now, db_now=db_now,
        )  # fmt: skip
        return change, change_reasons(change, fleet, limits, waiting_chunks=waiting, now=now)

    def _act(self, change: Change, why: Sequence[str], now: float) -> None:
        self.counts.count(change, {w.name: w.pool for w in self._fleet.workers.values()})
        if change != Change():
            self._orders.note_change(
                why=why,
                start=change.start,
                end=(*change.withdraw, *change.end),
                cool=change.cool,
            )
        for name in change.cool:
            log.warning(
                "No worker has come from pool %s in %.0f s: other pools are asked. action=cool",
                name,
                self._pools[name].grace_s or 0,
            )
            self._cooling[name] = now + COOL_OFF_S
        for name in (*change.withdraw, *change.end):
            log.info("Worker %s is not needed. action=retire worker=%s", name, name)
            self._retire_one(name, EventKind.WORKER_LEFT)
        for pool in change.start:
            name = self._fleet.start(now, pool, self._pools[pool].labels)
            log.info("Asked for worker %s. action=start worker=%s", name, name)

    def _member(self, worker: Worker) -> Member:
        health = worker.health
        return Member(
            name=worker.name,
            pool=worker.pool if worker.pool in self._pools else next(iter(self._pools)),
            since=worker.since,
            # One that was taken over may paint before it has answered.
            is_ready=worker.is_ready or bool(worker.assigned),
            idle_since=self._idle_since.get(worker.name),
            is_draining=worker.name in self._leaving,
            numerics_class=None if health is None else health.numerics_class,
        )

    # --- draining ---

    def _who_leaves(
        self, orders: FleetOrders, limits: Limits, now: float
    ) -> dict[str, float | None]:
        """The workers that leave, with the seconds they have left, None if nobody measures
        them.
        """
        ordered = [
            worker.name
            for worker in self._fleet.workers.values()
            if worker.name in orders.drains or _is_on(worker, orders.drains.keys())
        ]
        leaving = {**dict.fromkeys(ordered), **self._fleet.leaving(now)}
        members = [
            replace(self._member(worker), is_draining=name in leaving)
            for name, worker in self._fleet.workers.items()
        ]
        return {**dict.fromkeys(surplus_of(members, limits)), **leaving}

    def _drain_nodes(self, orders: FleetOrders) -> None:
        """Have each node that was ordered to drain end after its last worker; it is asked once."""
        for worker in self._fleet.workers.values():
            health = worker.health
            if (
                health is not None
                and _is_on(worker, orders.drains.keys())
                and health.node_id not in self._drained_nodes
            ):
                self._drained_nodes.add(health.node_id)
                self._fleet.drain(health.node_id)

    def _retire(self) -> None:
        """Retire the leaving workers that have no chunk."""
        empty = [name for name in self._leaving if not self._fleet.workers[name].assigned]
        for name in empty:
            log.info("Worker %s was drained. action=drained worker=%s", name, name)
            self.counts.note(self._fleet.workers[name].pool, "drain")
            self._retire_one(name, EventKind.WORKER_DRAINED)
            del self._leaving[name]
        if empty:
            self._orders.undrain(empty)

    def _retire_one(self, name: str, how: EventKind) -> None:
        self._fleet.retire(name)
        self.let_go[name] = how

    # --- workers that cannot start ---

    def _watch_starts(self, campaigns: Sequence[OpenCampaign]) -> None:
        """If no worker can start, halt every open campaign with the reason instead of trying for
        ever.
        """
        failed = self._fleet.take_failed_starts()
        self.counts.failed_starts += len(failed)
        if any(worker.is_ready for worker in self._fleet.workers.values()):
            self._failed_starts = 0
            return
        self._failed_starts += len(failed)
        if failed and self._failed_starts >= STARTS_BEFORE_HALT:
            for campaign in campaigns:
                self._campaigns.halt(campaign.id, f"No worker could be started: {failed[-1]}")
            self._failed_starts = 0


def _is_on(worker: Worker, nodes: Collection[str]) -> bool:
    """Whether a worker is on one of these nodes, by their names or Ray's."""
    health = worker.health
    return health is not None and not {health.node, health.node_id}.isdisjoint(nodes)


def _returned(worker: Worker, left_s: float | None) -> list[Stop]:
    """The chunks that a leaving worker returns: those it has not begun, and if its time is
    measured, also the one that it paints.
    """
    first, *others = worker.assigned
    stops = [Stop(worker=worker.name, key=chunk.key) for chunk in others]
    if left_s is not None:
        stops.append(Stop(worker=worker.name, key=first.key, at_step=left_s < HASTE_S))
    return stops
