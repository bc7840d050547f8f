"""How many workers there are to be, of which kind, and which are to go: decided from values alone,
with no clock and no I/O.

A worker is worth starting where it will paint for at least as long as it takes to come, which
bounds what cold starts cost to half of what is paid. More are wanted only where a deadline would
be missed; fewer where a limit says so, and limits have the last word.
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from farm.cost import CHUNK_S, budget_left_s, seconds_per_render
from farm.scheduling.assignment import NO_QUOTAS
from farm.scheduling.history import History
from storage.rows import ANY_CLASS, OpenCampaign

# As many may be starting as are there, and a few where few are: what was asked of a cluster comes
# even where it is wanted no more.
FEWEST_STARTING = 4
COOL_OFF_S = 600.0
NO_CLASSES: Mapping[str, Collection[str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Pool:
    """One kind of place for workers: nodes with an accelerator, of a market. `labels` choose them,
    in Ray's syntax.

    `price` is that of an hour of one worker, `speed` how much it paints beside a worker of speed
    1, and `start_s` the seconds from when one is asked for until it paints. One that has not come
    `grace_s` after it was asked for is asked for elsewhere.
    """

    name: str = "worker"
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int = 10_000
    price: float = 0.0
    speed: float = 1.0
    start_s: float = 0.0
    grace_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an operator allows: of workers, `floor` to `ceiling`; of money, `price` an hour.
    `idle_s` a worker may wait for work.
    """

    floor: int = 0
    ceiling: int
    price: float = math.inf
    idle_s: float = 300.0
    is_frozen: bool = False


@dataclass(frozen=True, kw_only=True)
class Member:
    """A worker as scaling sees it. `since` is when it was asked for, `idle_since` when it last had
    work, by the same clock as `now`.
    """

    name: str
    pool: str
    since: float
    is_ready: bool
    idle_since: float | None = None
    is_draining: bool = False
    numerics_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Need:
    """Work that wants workers, and how many could share it: seconds of a worker of its class, or
    of speed 1 where it has none yet.
    """

    seconds: float
    model: str = ""
    most: int
    due_in_s: float | None = None
    numerics_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to do about a fleet: a worker to be asked for in each pool named, and the workers that
    are to go.
    """

    start: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()
    """Asked for, and not come."""
    end: tuple[str, ...] = ()
    """Idle for long enough."""
    cool: frozenset[str] = frozenset()
    """Pools that have not given what was asked of them: not to be asked again for a while."""


def next_change(
    campaigns: Sequence[OpenCampaign],
    fleet: Sequence[Member],
    pools: Sequence[Pool],
    limits: Limits,
    *,
    waiting_chunks: int,
    history: History,
    quotas: Mapping[str, int],
    classes: Mapping[str, Collection[str]],
    cooling: Collection[str],
    now: float,
    db_now: float,
) -> Change:
    """What to do now about a fleet. `now` is by the clock of its members, `db_now` by that of
    deadlines.
    """
    needs = needs_of(campaigns, waiting_chunks, db_now, quotas)
    pools = as_measured(pools, needs, classes, history)
    desired = desired_fleet(
        needs,
        fleet,
        pools,
        limits,
        waiting_chunks=waiting_chunks,
        cooling=cooling,
        classes=classes,
    )
    return changes(desired, fleet, pools, limits, now)


def needs_of(
    campaigns: Sequence[OpenCampaign],
    waiting_chunks: int,
    now: float,
    quotas: Mapping[str, int] = NO_QUOTAS,
) -> list[Need]:
    """What campaigns need, as far as their budgets and the quotas of their projects go.
    `waiting_chunks` is how many wait in all of them: no more workers than these find anything to
    do.
    """
    needs = []
    unclaimed = dict(quotas)
    for campaign in campaigns:
        if not campaign.waiting:
            continue
        left = max(0, campaign.left - campaign.running)
        affordable = _affordable_chunks(campaign)
        if not affordable:
            continue
        most = min(waiting_chunks, affordable) + len(campaign.workers)
        most = most if campaign.max_workers is None else min(most, campaign.max_workers)
        if campaign.project in unclaimed:  # its campaigns share the quota, the first of them first
            most = min(most, unclaimed[campaign.project])
            unclaimed[campaign.project] -= most
        needs.append(
            Need(
                seconds=min(left * seconds_per_render(campaign), budget_left_s(campaign)),
                model=campaign.model_digest,
                most=most,
                due_in_s=None if campaign.deadline is None else campaign.deadline - now,
                numerics_class=(
                    None if campaign.numerics_class == ANY_CLASS else campaign.numerics_class
                ),
            )
        )
    return needs


def rooms_of(
    campaigns: Sequence[OpenCampaign], quotas: Mapping[str, int], ceiling: int
) -> list[tuple[frozenset[int], int]]:
    """Campaigns, by their ids, of which together no more than so many waiting chunks would find
    one more worker, where that is less than `ceiling`: those of a project with a quota, and each
    one with a budget.
    """
    affordable = {campaign.id: _affordable_chunks(campaign) for campaign in campaigns}
    spent = frozenset(campaign_id for campaign_id, count in affordable.items() if not count)
    rooms = [(spent, 0)] if spent else []
    rooms += [
        (frozenset({c.id}), affordable[c.id])
        for c in campaigns
        if c.project not in quotas and 0 < affordable[c.id] < ceiling
    ]
    for project, quota in quotas.items():
        mine = [campaign for campaign in campaigns if campaign.project == project]
        room = max(0, quota - len({worker for campaign in mine for worker in campaign.workers}))
        if (ids := frozenset(campaign.id for campaign in mine) - spent) and room < ceiling:
            rooms.append((ids, room))
    return rooms


def _affordable_chunks(campaign: OpenCampaign) -> int:
    """How many more chunks of the usual length its budget has room for."""
    if campaign.budget_s is None:
        return sys.maxsize
    chunk_s = min(CHUNK_S, campaign.left * seconds_per_render(campaign))
    return max(0, math.ceil(budget_left_s(campaign) / max(1e-3, chunk_s)))


def desired_fleet(
    needs: Sequence[Need],
    fleet: Sequence[Member],
    pools: Sequence[Pool],
    limits: Limits,
    *,
    waiting_chunks: int,
    cooling: Collection[str] = (),
    classes: Mapping[str, Collection[str]] = NO_CLASSES,
) -> dict[str, int]:
    """How many workers each pool is to have, by its name.

    What is there counts first, since it costs no start; more come from the cheapest pool for what
    it paints that is not in `cooling`. `classes` are the numerics classes that each pool's workers
    were of when there last were any.
    """
    have = Counter(member.pool for member in fleet if not member.is_draining)
    if limits.is_frozen:
        return {pool.name: have[pool.name] for pool in pools}
    known = {**classes, **classes_of(fleet)}
    plan = _Plan(pools, have, known, limits, cooling)
    busy = sum(
        member.idle_since is None and member.is_ready and not member.is_draining
        for member in fleet
    )
    plan.provide(_parts(needs, pools, known, waiting_chunks + busy))
    plan.fill_up()
    return plan.counts


def as_measured(
    pools: Sequence[Pool],
    needs: Sequence[Need],
    classes: Mapping[str, Collection[str]],
    history: History,
) -> list[Pool]:
    """Pools with the speeds that their workers have shown at what is to be painted, in place of
    those that the fleet file has.

    What was shown is put on the file's scale by the fastest of those pools; with fewer than two
    there is nothing to compare.
    """
    shown = {
        pool.name: speed
        for pool in pools
        if (speed := _shown_speed(needs, classes.get(pool.name, ()), history))
    }
    if len(shown) < 2:
        return list(pools)
    fastest = max(pools, key=lambda pool: shown.get(pool.name, 0.0))
    unit = fastest.speed / shown[fastest.name]
    return [
        replace(pool, speed=shown[pool.name] * unit) if pool.name in shown else pool
        for pool in pools
    ]


def _shown_speed(
    needs: Sequence[Need], classes: Collection[str], history: History
) -> float | None:
    """How fast workers of these classes paint, by the part that each model has in what is to be
    painted.
    """
    told = [
        (need.seconds, speed)
        for need in needs
        for name in classes
        if (speed := history.speed(need.model, name))
    ]
    work = sum(seconds for seconds, _ in told)
    return work / sum(seconds / speed for seconds, speed in told) if work else None


class _Plan:
    """The workers of each pool as planned so far, those that are there before any other."""

    def __init__(
        self,
        pools: Sequence[Pool],
        have: Mapping[str, int],
        classes: Mapping[str, Collection[str]],
        limits: Limits,
        cooling: Collection[str],
    ) -> None:
        self._pools = sorted(pools, key=lambda pool: pool.price / pool.speed)
        self._have, self._classes, self._limits, self._cooling = have, classes, limits, cooling
        self.counts = {pool.name: 0 for pool in pools}

    def provide(self, parts: Sequence["_Part"]) -> None:
        """Plan workers for campaigns of each numerics class: those that are there go first to who
        would start them, then to who may have them; others are started beside them.
        """
        for part in parts:
            self._add(part, self._have, _worth_starting)
        for part in parts:
            # they cost no start
            self._add(part, self._have, lambda pool, part: part.most)  # noqa: ARG005
        for part in parts:
            self._add(
                part,
                {pool.name: pool.limit for pool in self._pools if pool.name not in self._cooling},
                _worth_starting,
            )

    def _add(
        self, part: "_Part", room: Mapping[str, int], worth: Callable[[Pool, "_Part"], int]
    ) -> None:
        for pool in self._pools:
            if part.numerics_class is not None and not self._may_be(pool, part.numerics_class):
                continue
            more = worth(pool, part)
            while (
                more > 0
                and part.planned < part.most
                and self.counts[pool.name] < room.get(pool.name, 0)
                and self._is_allowed(pool)
            ):
                self.counts[pool.name] += 1
                part.planned, part.speed, more = (
                    part.planned + 1,
                    part.speed + pool.speed,
                    more - 1,
                )

    def fill_up(self) -> None:
        """Up to the floor, with those that are there and then the cheapest."""
        for pool in sorted(
            self._pools, key=lambda pool: self._have[pool.name] <= self.counts[pool.name]
        ):
            while (
                sum(self.counts.values()) < self._limits.floor
                and self.counts[pool.name] < pool.limit
                and pool.name not in self._cooling
                and self._is_allowed(pool)
            ):
                self.counts[pool.name] += 1

    def _may_be(self, pool: Pool, numerics_class: str) -> bool:
        known = self._classes.get(pool.name)
        return not known or numerics_class in known

    def _is_allowed(self, pool: Pool) -> bool:
        costs = sum(self.counts[other.name] * other.price for other in self._pools) + pool.price
        return sum(self.counts.values()) < self._limits.ceiling and costs <= self._limits.price


@dataclass
class _Part:
    """What campaigns of one numerics class need together, in seconds at speed 1, and the workers
    planned for them so far.
    """

    needs: Sequence[Need]
    most: int
    numerics_class: str | None
    planned: int = 0
    speed: float = 0.0

    @property
    def seconds(self) -> float:
        return sum(need.seconds for need in self.needs)


def _parts(
    needs: Sequence[Need], pools: Sequence[Pool], classes: Mapping[str, Collection[str]], most: int
) -> list[_Part]:
    parts = []
    for numerics_class in sorted({need.numerics_class for need in needs if need.seconds}, key=str):
        # The seconds of a class are those of its own workers.
        unit = max(
            (pool.speed for pool in pools if numerics_class in classes.get(pool.name, ())),
            default=1.0,
        )
        mine = [
            replace(need, seconds=need.seconds * unit)
            for need in needs
            if need.numerics_class == numerics_class
        ]
        parts.append(
            _Part(
                needs=mine,
                most=min(sum(need.most for need in mine), most),
                numerics_class=numerics_class,
            )
        )
    return parts


def _worth_starting(pool: Pool, part: _Part) -> int:
    """How many workers of a pool to add to those planned: as many as paint for as long as they
    take to come, or deadlines need.
    """
    left = part.seconds - part.speed * pool.start_s  # when they have come
    worth = 0
    if left > 0:
        worth = (
            math.floor((left / pool.start_s - part.speed) / pool.speed)
            if pool.start_s >= 1
            else pool.limit
        )
    for need in part.needs:
        if need.due_in_s is not None and need.due_in_s > pool.start_s:
            needed = need.seconds / max(1.0, need.due_in_s - pool.start_s)
            worth = max(worth, math.ceil((needed - part.speed) / pool.speed))
    return max(worth, 1 if part.planned == 0 and part.seconds > 0 else 0)


def surplus_of(fleet: Sequence[Member], limits: Limits) -> frozenset[str]:
    """The workers beyond the ceiling: first those that have not come, then idle ones, then those
    that paint, the newest first.

    A ceiling can be lowered while workers paint. Those beyond it get nothing more, and go after
    their chunk. Workers that leave for another reason do not count.
    """
    staying = [member for member in fleet if not member.is_draining]
    if limits.is_frozen or len(staying) <= limits.ceiling:
        return frozenset()
    dearest = sorted(
        staying,
        key=lambda member: (
            member.is_ready,
            member.idle_since is None,
            -member.since,
            member.name,
        ),
    )
    return frozenset(member.name for member in dearest[: len(staying) - limits.ceiling])


def classes_of(fleet: Sequence[Member]) -> dict[str, set[str]]:
    """The numerics classes of the workers that there are, by pool."""
    classes: dict[str, set[str]] = {}
    for member in fleet:
        if member.numerics_class is not None:
            classes.setdefault(member.pool, set()).add(member.numerics_class)
    return classes


def changes(
    desired: Mapping[str, int],
    fleet: Sequence[Member],
    pools: Sequence[Pool],
    limits: Limits,
    now: float,
) -> Change:
    """What to do now for a fleet to become what is desired: up fast, though few at a time, and
    down only after a time of idleness.
    """
    if limits.is_frozen:
        return Change()
    starting = [member for member in fleet if not member.is_ready]
    late = [member for member in starting if _is_late(member, pools, now)]
    have = Counter(member.pool for member in fleet if not member.is_draining)
    room = max(FEWEST_STARTING, len(fleet) - len(starting)) - len(starting)
    missing = [name for name, count in desired.items() for _ in range(count - have[name])]
    spare = {name: count - desired.get(name, 0) for name, count in have.items()}
    unneeded = [
        member
        for member in reversed(starting)
        if not member.is_draining and _take(spare, member.pool)
    ]
    idle = sorted(
        (member for member in fleet if _has_idled(member, limits, now)),
        key=lambda member: member.idle_since or 0.0,
    )
    return Change(
        start=tuple(missing[: max(0, room)]),
        withdraw=tuple(dict.fromkeys(member.name for member in [*late, *unneeded])),
        end=tuple(member.name for member in idle if _take(spare, member.pool)),
        cool=frozenset(member.pool for member in late),
    )


def _take(spare: dict[str, int], pool: str) -> bool:
    spare[pool] -= 1
    return spare[pool] >= 0


def _is_late(member: Member, pools: Sequence[Pool], now: float) -> bool:
    grace = next((pool.grace_s for pool in pools if pool.name == member.pool), None)
    return grace is not None and now - member.since > grace


def _has_idled(member: Member, limits: Limits, now: float) -> bool:
    return (
        member.is_ready
        and not member.is_draining
        and member.idle_since is not None
        and now - member.idle_since >= limits.idle_s
    )
