"""Which campaign each worker serves next: decided from values alone, with no clock and no I/O."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from farm.plan import CHUNK_S, SECONDS_PER_MEGAPIXEL_STEP
from farm.share import Shares
from storage.rows import ANY_CLASS, OpenCampaign, WorkerRow

CHUNKS_PER_WORKER = 2  # one being painted and the next one waiting, so that a device never waits for the dispatcher
LATE_TIER = 101  # above every priority: a campaign that would miss its deadline
# How far ahead of its share a campaign may be and still be preferred because its model is warm, as the time in which its workers come
# to be so far ahead: so long, or so many times what loading the model takes, so that loading is a small part of the work. Nobody who
# has begun waits longer than that for a fair share.
AFFINITY_S = 120.0
AFFINITY_LOADS = 15.0
BLAMED_CAMPAIGNS = 3
FORGIVE_S = 600.0

Key = tuple[int, int]
NO_LOADS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class FreeWorker:
    """A ready worker: the campaigns of the chunks that it holds, what it paints first, and the digest of the model it has warm."""

    name: str
    holds: tuple[tuple[int, Key], ...] = ()
    """(campaign id, (chunk id, lease)) of each."""
    warm: str | None = None
    numerics_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Room for one chunk of a campaign on a worker, in place of another chunk where `instead_of` names one (id, lease)."""

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
    loads: Mapping[str, float] = NO_LOADS,
) -> list[Seat]:
    """Fill the workers' free places, the emptiest first. `size` is that of the fleet; `barren` names the campaigns that had no
    chunk for a worker when they were asked (campaign id, worker); `loads` has the seconds that loading a model takes, by its digest.

    The highest tier goes first. In it projects, and in a project campaigns, are served by who has been given least. Among those
    that are within AFFINITY_S of that one, or AFFINITY_LOADS times what loading takes, a campaign that has not begun comes first, then
    one whose model is warm. A campaign that has not begun, or that others are further ahead of, then takes the place of a chunk that
    waits behind another, of a campaign that is being painted.
    """
    table = _Table(campaigns, workers, shares, weights=weights, now=now, size=size, barren=barren, loads=loads)
    seats: list[Seat] = []
    for depth in range(CHUNKS_PER_WORKER):
        for worker in sorted(workers, key=lambda w: w.name):
            if table.held[worker.name] <= depth and (best := table.best_for(worker.name)):
                table.seat(best, worker.name)
                seats.append(Seat(campaign_id=best.id, worker=worker.name))
    return seats + _recalls(table, workers)


def _recalls(table: "_Table", workers: Sequence[FreeWorker]) -> list[Seat]:
    seats = []
    behind = [(worker.name, campaign_id, key) for worker in workers for campaign_id, key in worker.holds[1:]]
    painted = Counter(worker.holds[0][0] for worker in workers if worker.holds)
    for campaign in sorted(table.waiting, key=lambda c: (-table.tier(c), table.level(c), c.id)):
        if table.users[campaign.id]:
            continue
        fair = [
            place
            for place in behind
            if table.may_use(campaign, place[0]) and table.may_displace(campaign, place[1], is_painted=painted[place[1]] > 0)
        ]
        if fair:
            place = min(fair, key=lambda p: table.standing(p[1]))
            behind.remove(place)
            table.seat(campaign, place[0])
            seats.append(Seat(campaign_id=campaign.id, worker=place[0], instead_of=place[2]))
    return seats


class _Table:
    """Campaigns at the table, with what each would have been given once all that it holds is painted."""

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
        loads: Mapping[str, float],
    ) -> None:
        self._open = {campaign.id: campaign for campaign in campaigns}
        self._shares, self._weights, self._now, self._size, self._barren = shares, weights, now, size, barren
        self._loads = loads
        self.waiting = [campaign for campaign in campaigns if campaign.waiting]
        self.users = {campaign.id: set(campaign.workers) for campaign in campaigns}
        for worker in workers:  # what was dealt since the campaigns were looked at counts too
            for campaign_id, _ in worker.holds:
                if campaign_id in self.users:
                    self.users[campaign_id].add(worker.name)
        self.held = {worker.name: len(worker.holds) for worker in workers}
        self._warm = {worker.name: worker.warm for worker in workers}
        self._class_of = {worker.name: worker.numerics_class for worker in workers}
        self._pins = {campaign.id: campaign.numerics_class for campaign in campaigns}
        self._given = {campaign.id: campaign.running * seconds_per_render(campaign) for campaign in campaigns}
        self._given_to_project: dict[str, float] = defaultdict(float)
        self._served: Counter[str] = Counter()
        for campaign in campaigns:
            self._given_to_project[campaign.project] += self._given[campaign.id]
            self._served[campaign.project] += len(self.users[campaign.id])

    def best_for(self, worker: str) -> OpenCampaign | None:
        choice = [campaign for campaign in self.waiting if self.may_use(campaign, worker)]
        if not choice:
            return None
        top = max(map(self.tier, choice))
        choice = [campaign for campaign in choice if self.tier(campaign) == top]
        least = min(map(self._project_level, choice))
        choice = [campaign for campaign in choice if self._project_level(campaign) <= least + self._project_lead(campaign)]
        lowest: dict[str, float] = {}
        for campaign in choice:
            lowest[campaign.project] = min(self._level(campaign), lowest.get(campaign.project, float("inf")))
        choice = [campaign for campaign in choice if self._level(campaign) <= lowest[campaign.project] + self._lead(campaign)]
        return min(choice, key=lambda c: (not self.is_new(c), c.model_digest != self._warm[worker], *self.level(c), c.id))

    def seat(self, campaign: OpenCampaign, worker: str) -> None:
        cost = _chunk_s(campaign)
        self._served[campaign.project] += worker not in self.users[campaign.id]
        self.users[campaign.id].add(worker)
        self._pins[campaign.id] = self._pins[campaign.id] or self._class_of[worker]
        self.held[worker] += 1
        self._warm[worker] = campaign.model_digest
        self._given[campaign.id] += cost
        self._given_to_project[campaign.project] += cost

    def tier(self, campaign: OpenCampaign) -> int:
        return LATE_TIER if would_be_late(campaign, self._now, self._size) else campaign.priority

    def level(self, campaign: OpenCampaign) -> tuple[float, float]:
        return self._project_level(campaign), self._level(campaign)

    def standing(self, campaign_id: int) -> tuple[int, float, float]:
        """The lower, the sooner a place of it is given up."""
        campaign = self._open.get(campaign_id)
        if campaign is None:
            return -1, 0.0, 0.0  # paused or stopped meanwhile
        project, own = self.level(campaign)
        return self.tier(campaign), -project, -own

    def may_displace(self, campaign: OpenCampaign, other_id: int, *, is_painted: bool) -> bool:
        other = self._open.get(other_id)
        if other is None or self.tier(campaign) > self.tier(other):
            return True
        if self.tier(campaign) < self.tier(other) or not is_painted:
            return False
        ahead = self._project_level(other) - self._project_level(campaign)
        if self.is_new(campaign):
            return ahead >= -AFFINITY_S
        if campaign.project != other.project:
            return ahead > self._project_lead(other)
        return self._level(other) - self._level(campaign) > self._lead(other)

    def is_new(self, campaign: OpenCampaign) -> bool:
        """Whether nothing of it has been painted or dealt yet."""
        return not (self.users[campaign.id] or campaign.ended or campaign.running)

    def may_use(self, campaign: OpenCampaign, worker: str) -> bool:
        if (campaign.id, worker) in self._barren or self._pins[campaign.id] not in (None, ANY_CLASS, self._class_of[worker]):
            return False
        users = self.users[campaign.id]
        return campaign.max_workers is None or worker in users or len(users) < campaign.max_workers

    def _lead(self, campaign: OpenCampaign) -> float:
        """How far ahead of the others its workers may bring it."""
        return self._affinity_s(campaign) * max(1, len(self.users[campaign.id]))

    def _project_lead(self, campaign: OpenCampaign) -> float:
        return self._affinity_s(campaign) * max(1, self._served[campaign.project]) / self._weights.get(campaign.project, 1.0)

    def _affinity_s(self, campaign: OpenCampaign) -> float:
        return max(AFFINITY_S, AFFINITY_LOADS * self._loads.get(campaign.model_digest, 0.0))

    def _project_level(self, campaign: OpenCampaign) -> float:
        name = campaign.project
        return self._shares.projects.get(name, 0.0) + self._given_to_project[name] / self._weights.get(name, 1.0)

    def _level(self, campaign: OpenCampaign) -> float:
        return self._shares.campaigns.get(campaign.id, 0.0) + self._given[campaign.id]


def seconds_per_render(campaign: OpenCampaign) -> float:
    """What a render of it costs a device: as it has shown, or as its size lets expect."""
    if campaign.ended and campaign.device_s:
        return campaign.device_s / campaign.ended
    return campaign.megapixel_steps / max(1, campaign.left + campaign.ended) * SECONDS_PER_MEGAPIXEL_STEP


def would_be_late(campaign: OpenCampaign, now: float, size: int) -> bool:
    """Whether it would miss its deadline even if every worker that it may have began on it now."""
    if campaign.deadline is None:
        return False
    workers = min(size, campaign.max_workers or size)
    return now + campaign.left * seconds_per_render(campaign) / max(1, workers) > campaign.deadline


def _chunk_s(campaign: OpenCampaign) -> float:
    return min(CHUNK_S, campaign.left * seconds_per_render(campaign))


# --- workers that fail -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Record:
    """A worker's last failures: the campaigns, one after the other, and until when it is left alone for them."""

    blamed: tuple[int, ...] = ()
    quarantined_until: float | None = None
    why: str | None = None
    """Why nothing that it paints can be trusted; None where it is only out of luck, so that it may go on where it is alone."""


def after_attempt(record: Record, campaign_id: int, *, failed: bool, now: float) -> Record:
    """A success clears a worker's record; failures of three different campaigns in a row put it into quarantine for a time."""
    if not failed:
        return replace(record, blamed=())
    blamed = record.blamed if campaign_id in record.blamed else (*record.blamed, campaign_id)
    if len(blamed) < BLAMED_CAMPAIGNS:
        return replace(record, blamed=blamed)
    return replace(record, blamed=(), quarantined_until=now + FORGIVE_S)


def distrusted(why: str, now: float) -> Record:
    """The record of a worker whose numerics are not those of its class. It is asked again after a time: a driver may be mended."""
    return Record(quarantined_until=now + FORGIVE_S, why=why)


def usable(names: Collection[str], records: Mapping[str, Record], now: float) -> set[str]:
    """The workers that may have work: those not in quarantine, or where there would be none, those that only had failures."""
    known = {name: records.get(name, Record()) for name in names}
    trusted = {name for name, record in known.items() if (record.quarantined_until or 0) <= now}
    return trusted or {name for name, record in known.items() if record.why is None}


def has_others(name: str, classes: Mapping[str, str | None], records: Mapping[str, Record], *, size: int, now: float) -> bool:
    """Whether what a distrusted worker may not paint can go to another of its class, now or once that is there. `classes` has those
    of all workers, None for one that is still starting; `size` is that of the whole fleet.
    """
    trusted = {other for other in classes if other != name and (records.get(other, Record()).quarantined_until or 0) <= now}
    return len(classes) < size or any(classes[other] in (None, classes.get(name)) for other in trusted)


def record_of(row: WorkerRow) -> Record:
    return Record(blamed=row.blamed, quarantined_until=row.quarantined_until, why=row.quarantined_why)
