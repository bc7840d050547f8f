"""Which campaigns may have a worker: the rules that refuse one, each a function that returns its
refusal.
"""

from collections import Counter
from collections.abc import Callable

from farm.cost import CHUNK_S, PARTS, is_by_money, seconds_per_render
from farm.scheduling.allocation import Allocation
from farm.scheduling.refusal import MONEY, Refusal, Rule, rounded
from storage.rows import ANY_CLASS, OpenCampaign


def refusal_of(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:
    """Why a worker may not have one more chunk of a campaign: the first rule that refuses it; None
    if it may.
    """
    for refuse in _RULES:
        if refusal := refuse(allocation, campaign, worker):
            return refusal
    return None


def refusals_of(allocation: Allocation, campaign: OpenCampaign, worker: str) -> list[Refusal]:
    """All the rules that keep a worker from a campaign."""
    return [refusal for refuse in _RULES if (refusal := refuse(allocation, campaign, worker))]


def usable_by(allocation: Allocation, worker: str) -> list[OpenCampaign]:
    """The waiting campaigns of which a worker may have one more chunk."""
    numerics_class = allocation.class_of[worker]
    plain = allocation.plain.get(numerics_class)
    if plain is None:
        waiting = [campaign for campaign in allocation.campaigns.values() if campaign.waiting]
        plain = [c for c in waiting if _is_plain(allocation, c, worker)]
        allocation.plain[numerics_class] = plain
    if len(plain) == len(allocation.campaigns) and not (allocation.exhausted or allocation.unable):
        return plain
    known = {campaign.id for campaign in plain}
    return [
        campaign
        for campaign in allocation.campaigns.values()
        if campaign.waiting
        and (
            not (
                _no_chunk(allocation, campaign, worker)
                or _cannot_load(allocation, campaign, worker)
            )
            if campaign.id in known
            else may_use(allocation, campaign, worker)
        )
    ]


def _is_plain(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """Whether only its numerics class and the queue could keep a campaign from a worker, and its
    class does not.
    """
    has_bounds = (
        campaign.has_budget
        or campaign.max_workers is not None
        or campaign.project in allocation.quotas
        or campaign.project in allocation.spent_months
        or allocation.speed(campaign, allocation.class_of[worker]) != 1
    )
    return not has_bounds and _numerics(allocation, campaign, worker) is None


def may_use(allocation: Allocation, campaign: OpenCampaign, worker: str) -> bool:
    """Whether a worker may have one more chunk of a campaign."""
    return refusal_of(allocation, campaign, worker) is None


def _no_chunk(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:
    """It had no chunk for this worker in this round."""
    if (campaign.id, worker) in allocation.exhausted:
        return Refusal(rule=Rule.NO_CHUNK)
    return None


def _cannot_load(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:
    """The worker could not load its model, and others may be able to."""
    if (campaign.id, worker) in allocation.unable:
        return Refusal(rule=Rule.CANNOT_LOAD)
    return None


def _numerics(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:
    """Its pixels are of a numerics class that the worker is not of."""
    pin = allocation.pins[campaign.id]
    if pin in (None, ANY_CLASS, allocation.class_of[worker]):
        return None
    return Refusal(rule=Rule.NUMERICS, other=pin)


def _budget(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:  # noqa: ARG001
    """What it has been given, and what is assigned, spends its budget."""
    left_s = allocation.affordable_s[campaign.id]
    if left_s > 0 or not campaign.has_budget:
        return None
    if is_by_money(campaign) or campaign.budget_s is None:
        has = rounded(campaign.money)
        return Refusal(rule=Rule.BUDGET, other=MONEY, has=has, limit=campaign.budget_money)
    given_s = campaign.budget_s - left_s
    return Refusal(rule=Rule.BUDGET, has=rounded(given_s), limit=campaign.budget_s)


def _quota(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:
    """Its project has all the workers that its quota allows, and this is another one."""
    quota = allocation.quotas.get(campaign.project)
    if quota is None:
        return None
    users = allocation.users_of_project[campaign.project]
    if worker in users or len(users) < quota:
        return None
    return Refusal(rule=Rule.QUOTA, other=campaign.project, has=len(users), limit=quota)


def _month(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:  # noqa: ARG001
    """Its project has used all device time that it may use in this month."""
    use = allocation.spent_months.get(campaign.project)
    if use is None:
        return None
    return Refusal(
        rule=Rule.MONTH,
        other=campaign.project,
        has=rounded(use.used_s),
        limit=use.limit_s,
    )


def _max_workers(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:
    """It has all the workers that it may have (`max_workers`), and this is another one."""
    most = campaign.max_workers
    if most is None:
        return None
    users = allocation.users[campaign.id]
    if worker in users or len(users) < most:
        return None
    return Refusal(rule=Rule.MAX_WORKERS, has=len(users), limit=most)


def _slower(allocation: Allocation, campaign: OpenCampaign, worker: str) -> Refusal | None:
    """Its other workers, faster ones among them, would finish all of it before this one finishes
    one chunk.
    """
    mine = allocation.speed(campaign, allocation.class_of[worker])
    if mine == 1:
        return None
    others = Counter(
        allocation.class_of[other]
        for other in allocation.users[campaign.id] - {worker}
        if other in allocation.class_of
    )
    speeds = {name: allocation.speed(campaign, name) for name in others}
    if max(speeds.values(), default=0.0) <= mine:
        return None
    left_s = campaign.left * seconds_per_render(campaign)
    next_chunk_s = max(seconds_per_render(campaign), min(CHUNK_S, left_s / PARTS))
    alone_s = (allocation.chunks[worker] + 1) * next_chunk_s / mine
    without_s = left_s / sum(count * speeds[name] for name, count in others.items())
    if alone_s <= without_s:
        return None
    return Refusal(rule=Rule.SLOWER, has=rounded(alone_s), limit=rounded(without_s))


_RULES: tuple[Callable[[Allocation, OpenCampaign, str], Refusal | None], ...] = (
    _no_chunk,
    _cannot_load,
    _numerics,
    _budget,
    _quota,
    _month,
    _max_workers,
    _slower,
)
