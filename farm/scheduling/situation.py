"""What a round is decided from."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.scheduling.ledger import Ledger
from farm.scheduling.values import Assignment, FreeWorker, Key
from storage.months import MonthUse
from storage.rows import OpenCampaign

Pair = tuple[int, str]
"""A campaign's id and a worker's name."""
NO_PAIRS: frozenset[Pair] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The open campaigns and the workers that may have work, at one moment.

    `ledger` has what attempts have shown so far. `weights` are the shares of projects, and
    `quotas` the most workers that they may have. `spent_months` are the projects that may use no
    more device time in this month. `closing` are the workers, by project, that still
    have chunks of its campaigns that are not open. `exhausted` are the pairs for which the queue
    had no chunk in this round, `unable` those of a worker that could not load the model.
    """

    now: float
    campaigns: Sequence[OpenCampaign]
    workers: Sequence[FreeWorker]
    fleet_size: int
    ledger: Ledger = field(default_factory=Ledger)
    weights: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    spent_months: Mapping[str, MonthUse] = field(default_factory=dict)
    closing: Mapping[str, Collection[str]] = field(default_factory=dict)
    exhausted: Collection[Pair] = NO_PAIRS
    unable: Collection[Pair] = NO_PAIRS


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A chunk that the queue gave for an assignment, and how many renders it has."""

    assignment: Assignment
    key: Key
    renders: int


def after_claims(
    situation: Situation, asked: Iterable[Assignment], claimed: Iterable[Claimed]
) -> Situation:
    """The situation once chunks are claimed for the assignments that were `asked` for. The queue
    had none for the others.
    """
    claimed = list(claimed)
    served = Counter(_pair(one.assignment) for one in claimed)
    unserved = Counter(map(_pair, asked)) - served
    by_campaign: dict[int, list[Claimed]] = defaultdict(list)
    by_worker: dict[str, list[Claimed]] = defaultdict(list)
    classes = {worker.name: worker.numerics_class for worker in situation.workers}
    for one in claimed:
        by_campaign[one.assignment.campaign_id].append(one)
        by_worker[one.assignment.worker].append(one)
    return replace(
        situation,
        campaigns=[
            _with_claims(campaign, by_campaign[campaign.id], classes)
            if campaign.id in by_campaign
            else campaign
            for campaign in situation.campaigns
        ],
        workers=[
            _with_chunks(worker, by_worker[worker.name]) if worker.name in by_worker else worker
            for worker in situation.workers
        ],
        exhausted=frozenset(situation.exhausted).union(unserved),
    )


def _pair(assignment: Assignment) -> Pair:
    return assignment.campaign_id, assignment.worker


def _with_claims(
    campaign: OpenCampaign, claimed: Sequence[Claimed], classes: Mapping[str, str | None]
) -> OpenCampaign:
    """The campaign with these chunks under way. The first worker settles its class."""
    first = classes[claimed[0].assignment.worker]
    return replace(
        campaign,
        running=campaign.running + sum(one.renders for one in claimed),
        workers=campaign.workers.union(one.assignment.worker for one in claimed),
        numerics_class=campaign.numerics_class or first,
    )


def _with_chunks(worker: FreeWorker, claimed: Sequence[Claimed]) -> FreeWorker:
    """The worker with these chunks, without those in whose place they are."""
    recalled = {one.assignment.instead_of for one in claimed}
    kept = tuple(held for held in worker.holds if held[1] not in recalled)
    new = tuple((one.assignment.campaign_id, one.key) for one in claimed)
    return replace(worker, holds=kept + new)
