"""How many workers there should be, from which pools, and which must go: decided from values
alone, with no clock and no I/O.

A worker is worth starting if it will paint for at least as long as it takes to come. So cold
starts cost at most half of the money. More workers are wanted only if a deadline would be missed;
fewer if a limit says so, and limits have the last word.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from farm.scheduling.history import History
from farm.scheduling.needs import as_measured, needs_of
from farm.scheduling.values import NO_CLASSES, Change, Limits, Member, Need, Pool
from storage.rows import OpenCampaign

# As many workers may be starting as are there, and at least these few: a worker that was requested
# from a cluster comes even if it is wanted no more.
FEWEST_STARTING = 4
_ROUNDING = 1e-9  # prices like 0.3 are not exact: ten of them cost 3
COOL_OFF_S = 600.0


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
    """What to do now about a fleet. `now` is by the clock of its members, `db_now` by the clock of
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
    return replace(changes(desired, fleet, pools, limits, now), desired=desired)


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
    """How many workers each pool should have, by its name.

    Workers that are there count first, since they cost no start. More come from the pool with the
    lowest price for its speed that is not in `cooling`. `classes` are the numerics classes that
    each pool's last workers were of.
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


class _Plan:
    """The workers of each pool that are planned so far: first those that are there."""

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
        """Plan workers for the campaigns of each numerics class, in three rounds.

        1. Workers that are there, for parts that would be worth starting them.
        2. Workers that are there, for any part: they cost no start.
        3. Workers that must be started.
        """
        limits = {pool.name: pool.limit for pool in self._pools if pool.name not in self._cooling}
        for part in parts:
            self._add(part, self._have, _worth_starting)
        for part in parts:
            self._add(part, self._have, _all_that_it_may_have)
        for part in parts:
            self._add(part, limits, _worth_starting)

    def _add(
        self, part: "_Part", room: Mapping[str, int], worth: Callable[[Pool, "_Part"], int]
    ) -> None:
        for pool in self._pools:
            if part.numerics_class is not None and not self._may_be(pool, part.numerics_class):
                continue
            left = room.get(pool.name, 0) - self.counts[pool.name]
            wanted = min(worth(pool, part), part.most - part.planned, left)
            more = max(0, min(wanted, self._allowed(pool)))
            self.counts[pool.name] += more
            part.planned += more
            part.speed += more * pool.speed

    def fill_up(self) -> None:
        """Add workers up to the floor: those that are there, then the cheapest."""
        is_used_up = {name: self._have[name] <= count for name, count in self.counts.items()}
        for pool in sorted(self._pools, key=lambda pool: is_used_up[pool.name]):
            while (
                sum(self.counts.values()) < self._limits.floor
                and self.counts[pool.name] < pool.limit
                and pool.name not in self._cooling
                and self._allowed(pool) > 0
            ):
                self.counts[pool.name] += 1

    def _may_be(self, pool: Pool, numerics_class: str) -> bool:
        known = self._classes.get(pool.name)
        return not known or numerics_class in known

    def _allowed(self, pool: Pool) -> int:
        """How many more workers of a pool the limits on all workers allow."""
        room = self._limits.ceiling - sum(self.counts.values())
        if not pool.price or self._limits.price == math.inf:
            return room
        costs = sum(self.counts[other.name] * other.price for other in self._pools)
        affordable = (self._limits.price - costs) / pool.price + _ROUNDING
        return math.floor(min(room, affordable))  # of a price near zero, countless many


@dataclass
class _Part:
    """The needs of all campaigns of one numerics class, in seconds at speed 1, and the workers
    that are planned for them so far.
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
        # A need of a class counts the seconds of its own workers: here they become seconds at
        # speed 1.
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


def _all_that_it_may_have(_pool: Pool, part: _Part) -> int:
    return part.most


def _worth_starting(pool: Pool, part: _Part) -> int:
    """How many workers of a pool to add: as many as paint for at least as long as they take to
    come, or as deadlines need.
    """
    left = part.seconds - part.speed * pool.start_s  # once they have come
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

    A ceiling can be lowered while workers paint. Those beyond it get no more chunks, and go after
    the one that they paint. Workers that leave for another reason do not count.
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
    """The numerics classes of the present workers, by pool."""
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
    """The next steps from a fleet to the desired one: up fast, though few at a time, and down only
    after workers have been idle for a time.
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
