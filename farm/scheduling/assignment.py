"""Which campaign each worker serves next: decided from values alone, with no clock and no I/O."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from farm.cost import CHUNK_S, PARTS, budget_left_s, chunk_s, seconds_per_render, would_be_late
from farm.scheduling.history import History
from farm.scheduling.share import Shares
from storage.moments import is_to_come
from storage.rows import ANY_CLASS, OpenCampaign, WorkerRow

# one being painted and the next one waiting, so that a device never waits for the dispatcher
CHUNKS_PER_WORKER = 2
LATE_TIER = 101  # above every priority: a campaign that would miss its deadline
# How far ahead of its share a campaign may be and still be preferred because its model is warm, as
# the time in which its workers come to be so far ahead: so long, or so many times what loading the
# model takes, so that loading is a small part of the work. Nobody who has begun waits longer than
# that for a fair share. For one that has not begun and whose model is cold, others may be so many
# times what loading that takes ahead of it, all their workers together: the more workers there
# are, the sooner one of them loads it.
AFFINITY_S = 120.0
AFFINITY_LOADS = 20.0
BLAMED_CAMPAIGNS = 3
FORGIVE_S = 600.0

Key = tuple[int, int]
NO_HISTORY = History()
NO_QUOTAS: Mapping[str, int] = MappingProxyType({})
NO_WORKERS: Mapping[str, Collection[str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class FreeWorker:
    """A ready worker: the campaigns of the chunks that it holds, what it paints first, and the
    digests of the models it has warm.
    """

    name: str
    holds: tuple[tuple[int, Key], ...] = ()
    """(campaign id, (chunk id, lease)) of each."""
    warm: frozenset[str] = frozenset()
    numerics_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Room for one chunk of a campaign on a worker, in place of another chunk where `instead_of`
    names one (id, lease).
    """

    campaign_id: int
    worker: str
    instead_of: Key | None = None


def assign(
    campaigns: Sequence[OpenCampaign],
    workers: Sequence[FreeWorker],
    shares: Shares,
    *,
    weights: Mapping[str, float],
    now: float,
    size: int,
    barren: Collection[tuple[int, str]] = (),
    history: History = NO_HISTORY,
    quotas: Mapping[str, int] = NO_QUOTAS,
    closing: Mapping[str, Collection[str]] = NO_WORKERS,
) -> list[Seat]:
    """Fill the workers' free places, the emptiest first. `size` is that of the fleet; `barren`
    names the campaigns that had no chunk for a worker when they were asked (campaign id, worker);
    `history` has what loading and painting take; `quotas` the most workers that projects may have,
    and `closing` those that still have chunks of their campaigns that are not open.

    The highest tier goes first. In it projects, and in a project campaigns, are served by who has
    been given least. Among those that are within AFFINITY_S of that one, or AFFINITY_LOADS times
    what loading takes, a campaign that has not begun comes first where its model is warm or its
    time has come, then one whose model is warm, then one that the worker is better at than others
    are. A campaign that has not begun, or that others are further ahead of, then takes the place
    of a chunk that waits behind another, of a campaign that is being painted.

    A campaign whose budget is spent by what it has been given, and by what is under way as far as
    that can be told, gets nothing more. So a budget is overspent by no more than the chunks that
    are under way then.
    """
    table = _Table(
        campaigns,
        workers,
        shares,
        weights=weights,
        now=now,
        size=size,
        barren=barren,
        history=history,
        quotas=quotas,
        closing=closing,
    )
    seats: list[Seat] = []
    for depth in range(CHUNKS_PER_WORKER):
        for worker in sorted(workers, key=lambda w: w.name):
            if table.held[worker.name] <= depth and (best := table.best_for(worker.name)):
                table.seat(best, worker.name)
                seats.append(Seat(campaign_id=best.id, worker=worker.name))
    return seats + _recalls(table, workers)


def _recalls(table: "_Table", workers: Sequence[FreeWorker]) -> list[Seat]:
    seats = []
    behind = [
        (worker.name, campaign_id, key)
        for worker in workers
        for campaign_id, key in worker.holds[1:]
    ]
    painted = Counter(worker.holds[0][0] for worker in workers if worker.holds)
    for campaign in sorted(table.waiting, key=lambda c: (-table.tier(c), table.level(c), c.id)):
        if table.users[campaign.id]:
            continue
        fair = [
            place
            for place in behind
            if table.may_use(campaign, place[0])
            and table.may_displace(campaign, *place[:2], is_painted=painted[place[1]] > 0)
        ]
        if fair:
            place = min(fair, key=lambda p: table.standing(p[1]))
            behind.remove(place)
            table.seat(campaign, place[0])
            seats.append(Seat(campaign_id=campaign.id, worker=place[0], instead_of=place[2]))
    return seats


class _Table:
    """Campaigns at the table, with what each would have been given once all that it holds is
    painted.
    """

    def __init__(
        self,
        campaigns: Sequence[OpenCampaign],
        workers: Sequence[FreeWorker],
        shares: Shares,
        *,
        weights: Mapping[str, float],
        now: float,
        size: int,
        barren: Collection[tuple[int, str]],
        history: History,
        quotas: Mapping[str, int],
        closing: Mapping[str, Collection[str]],
    ) -> None:
        self._open = {campaign.id: campaign for campaign in campaigns}
        self._weights, self._now, self._size, self._barren = weights, now, size, barren
        self._history, self._quotas = history, quotas
        self.waiting = [campaign for campaign in campaigns if campaign.waiting]
        self.users = {campaign.id: set(campaign.workers) for campaign in campaigns}
        self._warm = {worker.name: worker.warm for worker in workers}
        """What each worker is sure to have warm once all that it holds is painted: what is loaded
        may take the place of the others.
        """
        for worker in workers:  # what was dealt since the campaigns were looked at counts too
            for campaign_id, _ in worker.holds:
                if campaign_id in self.users:
                    self.users[campaign_id].add(worker.name)
                    self._load(worker.name, self._open[campaign_id].model_digest)
        self.held = {worker.name: len(worker.holds) for worker in workers}
        self._class_of = {worker.name: worker.numerics_class for worker in workers}
        self._pins = {campaign.id: campaign.numerics_class for campaign in campaigns}
        self._affordable = {c.id: budget_left_s(c) for c in campaigns}
        given = {c.id: c.running * seconds_per_render(c) for c in campaigns}
        self._levels = {c.id: shares.campaigns.get(c.id, 0.0) + given[c.id] for c in campaigns}
        self._project_levels = {
            campaign.project: shares.projects.get(campaign.project, 0.0) for campaign in campaigns
        }
        self._served: Counter[str] = Counter()
        self._users_of_project = defaultdict(
            set, {project: set(names) for project, names in closing.items()}
        )
        for campaign in campaigns:
            self._raise_project(campaign.project, given[campaign.id])
            self._served[campaign.project] += len(self.users[campaign.id])
            self._users_of_project[campaign.project] |= self.users[campaign.id]
        self._affinities = {
            c.id: max(AFFINITY_S, AFFINITY_LOADS * history.load_s(c.model_digest))
            for c in campaigns
        }
        self._speeds: dict[tuple[str, str | None], float] = {}
        self._highest: dict[str, float] | None = None
        """By project, the level of the campaign that is furthest ahead of those that are served;
        None where it is to be found anew.
        """

    def best_for(self, worker: str) -> OpenCampaign | None:
        choice = [campaign for campaign in self.waiting if self.may_use(campaign, worker)]
        if not choice:
            return None
        top = max(map(self.tier, choice))
        choice = [campaign for campaign in choice if self.tier(campaign) == top]
        least = min(map(self._project_level, choice))
        choice = [
            campaign
            for campaign in choice
            if self._project_level(campaign) <= least + self._project_lead(campaign)
        ]
        lowest: dict[str, float] = {}
        for campaign in choice:
            lowest[campaign.project] = min(
                self._level(campaign), lowest.get(campaign.project, float("inf"))
            )
        choice = [
            campaign
            for campaign in choice
            if self._level(campaign) <= lowest[campaign.project] + self._lead(campaign)
        ]
        warm = self._warm[worker]
        choice = _preferred(choice, lambda c: self._is_due(c, worker))
        choice = _preferred(choice, lambda c: c.model_digest in warm)
        choice = _preferred(
            choice, lambda c: c.model_digest in warm or not self.users[c.id]
        )  # what no other worker has loaded
        return min(
            choice,
            key=lambda c: (
                -round(self._speed(c, self._class_of[worker]), 1),
                *self.level(c),
                c.id,
            ),
        )

    def seat(self, campaign: OpenCampaign, worker: str) -> None:
        cost = chunk_s(campaign)
        self._served[campaign.project] += worker not in self.users[campaign.id]
        self.users[campaign.id].add(worker)
        self._users_of_project[campaign.project].add(worker)
        self._pins[campaign.id] = self._pins[campaign.id] or self._class_of[worker]
        self.held[worker] += 1
        self._load(worker, campaign.model_digest)
        self._affordable[campaign.id] -= cost
        self._levels[campaign.id] += cost
        self._raise_project(campaign.project, cost)
        self._highest = None

    def _load(self, worker: str, model: str) -> None:
        if model not in self._warm[worker]:
            self._warm[worker] = frozenset({model})

    def tier(self, campaign: OpenCampaign) -> int:
        size = min(self._size, self._quotas.get(campaign.project, self._size))
        return LATE_TIER if would_be_late(campaign, self._now, size) else campaign.priority

    def level(self, campaign: OpenCampaign) -> tuple[float, float]:
        return self._project_level(campaign), self._level(campaign)

    def standing(self, campaign_id: int) -> tuple[int, float, float]:
        """The lower, the sooner a place of it is given up."""
        campaign = self._open.get(campaign_id)
        if campaign is None:
            return -1, 0.0, 0.0  # paused or stopped meanwhile
        project, own = self.level(campaign)
        return self.tier(campaign), -project, -own

    def may_displace(
        self, campaign: OpenCampaign, worker: str, other_id: int, *, is_painted: bool
    ) -> bool:
        other = self._open.get(other_id)
        if other is None or self.tier(campaign) > self.tier(other):
            return True
        if self.tier(campaign) < self.tier(other) or not is_painted:
            return False
        ahead = self._project_level(other) - self._project_level(campaign)
        if self.is_new(campaign):
            return ahead >= -AFFINITY_S and self._is_due(campaign, worker)
        if campaign.project != other.project:
            return ahead > self._project_lead(other)
        return self._level(other) - self._level(campaign) > self._lead(other)

    def is_new(self, campaign: OpenCampaign) -> bool:
        """Whether nothing of it has been painted or dealt yet."""
        return not (self.users[campaign.id] or campaign.ended or campaign.running)

    def _is_due(self, campaign: OpenCampaign, worker: str) -> bool:
        """Whether it has not begun and comes first: at once where its model is warm, or once
        loading it is a small part of the work.
        """
        if not self.is_new(campaign):
            return False
        if campaign.model_digest in self._warm[worker]:
            return True
        return self._furthest_ahead(campaign) >= AFFINITY_LOADS * self._history.load_s(
            campaign.model_digest
        )

    def _furthest_ahead(self, campaign: OpenCampaign) -> float:
        """How far ahead of it another is that is served: in its project, or another project."""
        if self._highest is None:
            served = [other for other in self._open.values() if self.users[other.id]]
            self._highest = {other.project: -math.inf for other in served}
            for other in served:
                self._highest[other.project] = max(
                    self._level(other), self._highest[other.project]
                )
        ahead = [
            (
                level - self._level(campaign)
                if name == campaign.project
                else self._project_levels[name] - self._project_level(campaign)
            )
            for name, level in self._highest.items()
        ]
        return max(ahead, default=math.inf)

    def may_use(self, campaign: OpenCampaign, worker: str) -> bool:
        if (campaign.id, worker) in self._barren or self._pins[campaign.id] not in (
            None,
            ANY_CLASS,
            self._class_of[worker],
        ):
            return False
        if self._affordable[campaign.id] <= 0:
            return False
        of_project, quota = (
            self._users_of_project[campaign.project],
            self._quotas.get(campaign.project),
        )
        if quota is not None and worker not in of_project and len(of_project) >= quota:
            return False
        users = self.users[campaign.id]
        if (
            campaign.max_workers is not None
            and worker not in users
            and len(users) >= campaign.max_workers
        ):
            return False
        return not self._would_hold_up(campaign, worker)

    def _would_hold_up(self, campaign: OpenCampaign, worker: str) -> bool:
        """Whether the others, faster ones among them, would be done with all that is left of it
        before this one is with a chunk.
        """
        mine = self._speed(campaign, self._class_of[worker])
        if mine == 1:
            return False
        others = Counter(
            self._class_of[other]
            for other in self.users[campaign.id] - {worker}
            if other in self._class_of
        )
        speeds = {name: self._speed(campaign, name) for name in others}
        if max(speeds.values(), default=0.0) <= mine:
            return False
        left_s = campaign.left * seconds_per_render(campaign)
        chunk_s = max(seconds_per_render(campaign), min(CHUNK_S, left_s / PARTS))
        return (self.held[worker] + 1) * chunk_s / mine > left_s / sum(
            count * speeds[name] for name, count in others.items()
        )

    def _speed(self, campaign: OpenCampaign, numerics_class: str | None) -> float:
        key = campaign.model_digest, numerics_class
        if key not in self._speeds:
            self._speeds[key] = self._history.speed(*key) or 1.0
        return self._speeds[key]

    def _lead(self, campaign: OpenCampaign) -> float:
        """How far ahead of the others its workers may bring it."""
        return self._affinities[campaign.id] * max(1, len(self.users[campaign.id]))

    def _project_lead(self, campaign: OpenCampaign) -> float:
        return (
            self._affinities[campaign.id]
            * max(1, self._served[campaign.project])
            / self._weights.get(campaign.project, 1.0)
        )

    def _project_level(self, campaign: OpenCampaign) -> float:
        return self._project_levels[campaign.project]

    def _level(self, campaign: OpenCampaign) -> float:
        return self._levels[campaign.id]

    def _raise_project(self, name: str, seconds: float) -> None:
        self._project_levels[name] += seconds / self._weights.get(name, 1.0)


def _preferred(
    choice: list[OpenCampaign], wish: Callable[[OpenCampaign], bool]
) -> list[OpenCampaign]:
    """Those of a choice that a wish is true of; all of them where it is of none."""
    return [campaign for campaign in choice if wish(campaign)] or choice


# --- workers that fail
# -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Record:
    """A worker's last failures: the campaigns, one after the other, and until when it is left
    alone for them.
    """

    blamed: tuple[int, ...] = ()
    quarantined_until: float | None = None
    why: str | None = None
    """Why nothing that it paints can be trusted; None where it is only out of luck, so that it may
    go on where it is alone.
    """


def after_attempt(record: Record, campaign_id: int, *, failed: bool, now: float) -> Record:
    """A success clears a worker's record; failures of three different campaigns in a row put it
    into quarantine for a time.
    """
    if not failed:
        return replace(record, blamed=())
    blamed = record.blamed if campaign_id in record.blamed else (*record.blamed, campaign_id)
    if len(blamed) < BLAMED_CAMPAIGNS:
        return replace(record, blamed=blamed)
    return replace(record, blamed=(), quarantined_until=now + FORGIVE_S)


def distrusted(why: str, now: float) -> Record:
    """The record of a worker whose numerics are not those of its class. It is asked again after a
    time: a driver may be mended.
    """
    return Record(quarantined_until=now + FORGIVE_S, why=why)


def usable(names: Collection[str], records: Mapping[str, Record], now: float) -> set[str]:
    """The workers that may have work: those not in quarantine, or where there would be none, those
    that only had failures.
    """
    known = {name: records.get(name, Record()) for name in names}
    trusted = {
        name for name, record in known.items() if not is_to_come(record.quarantined_until, now)
    }
    return trusted or {name for name, record in known.items() if record.why is None}


def has_others(
    name: str,
    classes: Mapping[str, str | None],
    records: Mapping[str, Record],
    *,
    size: int,
    now: float,
) -> bool:
    """Whether what a distrusted worker may not paint can go to another of its class, now or once
    that is there. `classes` has those of all workers, None for one that is still starting; `size`
    is that of the whole fleet.
    """
    others = {other: records.get(other, Record()) for other in classes if other != name}
    trusted = {
        other for other, record in others.items() if not is_to_come(record.quarantined_until, now)
    }
    return len(classes) < size or any(
        classes[other] in (None, classes.get(name)) for other in trusted
    )


def record_of(row: WorkerRow) -> Record:
    return Record(
        blamed=row.blamed, quarantined_until=row.quarantined_until, why=row.quarantined_why
    )
