"""The question and the answer of `farm simulate`: a trace of campaigns and workers, and a report
with the least time that any schedule could take.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from farm.scheduling.values import Limits, Pool


@dataclass(frozen=True, kw_only=True)
class Work:
    """A campaign. On a worker of speed 1, a batch of `batch` renders takes `batch_s` seconds.
    Loading the model takes `load_s` seconds on any worker. All pixels come from one numerics
    class, unless `any_class` allows workers of all classes.
    """

    name: str
    model: str
    renders: int
    batch: int = 4
    batch_s: float
    load_s: float = 30.0
    project: str = "default"
    priority: int = 50
    max_workers: int | None = None
    deadline_s: float | None = None
    arrives_s: float = 0.0
    any_class: bool = False

    @property
    def seconds(self) -> float:
        """Those of a worker of speed 1 for the whole campaign."""
        return self.seconds_of(self.renders)

    def seconds_of(self, renders: int) -> float:
        """Those of a worker of speed 1, padding of the last batch included."""
        return -(-renders // self.batch) * self.batch_s


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Campaigns, pools of workers, the operator's limits, and how often things go wrong.

    - `losses_per_hour` are the losses of one worker, by pool.
    - `failure_rate` is the part of attempts at a chunk that fail.
    - `faulty` is the part of the workers, by pool, on which every attempt fails.
    - `missing` names the pools that never give a worker.
    - `classes` are the numerics classes of pools. Pools that it does not name share one class.
    - `speeds` are the real speeds of a pool's workers by model, if they are not the pool's speed.
    - `warm` is the number of models that a worker keeps loaded at a time, by pool; by default 1.
    """

    works: Sequence[Work]
    pools: Sequence[Pool]
    limits: Limits
    weights: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    losses_per_hour: Mapping[str, float] = field(default_factory=dict)
    failure_rate: float = 0.0
    faulty: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    speeds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    warm: Mapping[str, int] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    seed: int = 0

    def speed(self, pool: Pool, model: str) -> float:
        """How fast a pool's workers paint a model, beside a worker of speed 1."""
        return self.speeds.get(pool.name, {}).get(model, pool.speed)

    def top_speed(self, pool: Pool) -> float:
        return max(self.speed(pool, work.model) for work in self.works)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a trace. Times are in seconds, `cost` in the pools' money.

    `bound` is a time that no schedule can beat, see `lower_bound`. `busy` is the part of the paid
    time in which workers painted. `fairness` is Jain's index of the device time that projects
    were given for each second in which they had work, by weight, when the first of them had none
    left. It is 1 if all were given the same.
    """

    makespan: float
    bound: float
    busy: float
    fairness: float
    loads: int
    lost: int
    quarantined: int
    failed: int
    chunks: int
    renders: int
    most_workers: int
    cost: float
    finished: Mapping[str, float]


def lower_bound(trace: Trace) -> float:
    """Seconds that no schedule can beat: those of the fastest workers that the limits allow, if
    all of them come as soon as one can, load each model once and are never idle.
    """
    pools = sorted(
        (pool for pool in trace.pools if pool.name not in trace.missing),
        key=lambda pool: -trace.top_speed(pool),
    )
    room, speed = trace.limits.ceiling, 0.0
    for pool in pools:
        count = min(room, pool.limit)
        room, speed = room - count, speed + count * trace.top_speed(pool)
    earliest = min(work.arrives_s for work in trace.works) + min(pool.start_s for pool in pools)
    loads: dict[str, float] = {}
    first: dict[str, float] = {}
    for work in trace.works:
        loads[work.model] = min(work.load_s, loads.get(work.model, math.inf))
        first[work.model] = min(work.arrives_s, first.get(work.model, math.inf))
    shared = earliest + sum(work.seconds for work in trace.works) / speed + min(loads.values())
    return max(
        shared,
        *(
            _alone(work, earliest, loads, first, trace.top_speed(pools[0]), speed)
            for work in trace.works
        ),
    )


def _alone(
    work: Work,
    earliest: float,
    loads: Mapping[str, float],
    first: Mapping[str, float],
    fastest: float,
    speed: float,
) -> float:
    """When a campaign could be done if no other one used the workers that it may have."""
    mine = speed if work.max_workers is None else min(speed, work.max_workers * fastest)
    # A campaign that arrives later may find its model loaded by others.
    load_s = loads[work.model] if work.arrives_s <= first[work.model] else 0.0
    return (
        max(work.arrives_s, earliest) + load_s + max(work.seconds / mine, work.batch_s / fastest)
    )
