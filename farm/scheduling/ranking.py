"""Which of the campaigns that may have a worker is next.

Each rule keeps some of the campaigns that are left, until there is one:

1. PRIORITY: the highest priority, 0 to 100. A campaign that would miss its deadline is above all
   (LATE).
2. PROJECT_SHARE: the project that has been given the least device time, divided by its weight, and
   each project that is ahead of it by no more than its head start.
3. SHARE: in each project the campaign that has been given least, and each that is ahead of it by
   no more than its head start. `farm.scheduling.head_start` says how long head starts are.
4. NEW: campaigns that have not begun, if there are any: at once if their model is loaded on the
   worker, or else (COLD) when another one is ahead by twenty times the time that loading takes.
5. WARM: campaigns whose model is loaded on the worker, if there are any.
6. UNLOADED: on a worker that must load a model, campaigns that no worker has a chunk of.
7. SPEED: the campaigns that the worker is best at, beside other classes of workers.
8. TURN: the project, and then the campaign, that has been given least; then the oldest campaign.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from farm.scheduling.allocation import LATE_TIER, Allocation
from farm.scheduling.head_start import (
    due_at_s,
    head_start_s,
    is_due,
    is_new,
    project_head_start_s,
)
from farm.scheduling.refusal import Refusal, Rule, rounded
from storage.rows import OpenCampaign

Keep = Callable[[Allocation, list[OpenCampaign], str], list[OpenCampaign]]
Refuse = Callable[[Allocation, OpenCampaign, OpenCampaign], Refusal]


@dataclass(frozen=True)
class Stage:
    """One rule of the ranking: which campaigns it keeps for a worker, and what it answers to one
    that it drops, given the campaign that is next.
    """

    keep: Keep
    refuse: Refuse


def next_of(
    allocation: Allocation, choice: list[OpenCampaign], worker: str
) -> OpenCampaign | None:
    """The campaign that a worker serves next, of those that it may; None if there are none.

    It is the one that the stages leave. Mostly that is one of the few that are warm or have not
    begun: head starts are worked out for these first, and for all others only if none is in line.
    """
    if len(choice) < 2:
        return choice[0] if choice else None
    top = _of_highest_tier(allocation, choice, worker)
    warm, new = allocation.warm(worker), allocation.new
    few = [c for c in top if c.model_digest in warm or c.id in new]
    line = _Line(allocation, top)
    left = [c for c in few if line.has(c)]
    left = [c for c in left if is_due(allocation, c, worker)] or [
        c for c in left if c.model_digest in warm
    ]
    left = left or [c for c in top if line.has(c)]
    for stage in STAGES[_AFTER_LINE:]:
        if len(left) < 2:
            break
        left = stage.keep(allocation, left, worker)
    return left[0]


class _Line:
    """Which of some campaigns are within their head start of those that have been given least."""

    def __init__(self, allocation: Allocation, choice: Sequence[OpenCampaign]) -> None:
        self._allocation = allocation
        self._members: dict[str, list[OpenCampaign]] = defaultdict(list)
        for campaign in choice:
            self._members[campaign.project].append(campaign)
        levels = allocation.project_levels
        self._least = min([levels[project] for project in self._members])
        self._lowest: dict[str, float] = {}

    def has(self, campaign: OpenCampaign) -> bool:
        if not self._has_project(campaign):
            return False
        allocation, project = self._allocation, campaign.project
        if project not in self._lowest:
            members = filter(self._has_project, self._members[project])
            self._lowest[project] = min(map(allocation.level, members))
        ahead_s = allocation.level(campaign) - self._lowest[project]
        return ahead_s <= 0 or ahead_s <= head_start_s(allocation, campaign)

    def _has_project(self, campaign: OpenCampaign) -> bool:
        ahead_s = self._allocation.project_level(campaign) - self._least
        return ahead_s <= 0 or ahead_s <= project_head_start_s(self._allocation, campaign)


def by_stages(allocation: Allocation, choice: Sequence[OpenCampaign], worker: str) -> OpenCampaign:
    """The campaign that all stages leave, one after the other."""
    left = list(choice)
    for stage in STAGES:
        left = stage.keep(allocation, left, worker)
    return left[0]


def standings(
    allocation: Allocation, choice: Sequence[OpenCampaign], worker: str
) -> dict[int, tuple[int, Refusal | None]]:
    """How far each campaign comes in the ranking, by its id: the number of the rule that drops it,
    and the refusal. The one that is next has none.
    """
    found: dict[int, tuple[int, Refusal | None]] = {}
    if not choice:
        return found
    first = by_stages(allocation, choice, worker)
    left = list(choice)
    for number, stage in enumerate(STAGES):
        kept = stage.keep(allocation, left, worker)
        there = {campaign.id for campaign in kept}
        for campaign in left:
            if campaign.id not in there:
                found[campaign.id] = number, stage.refuse(allocation, campaign, first)
        left = kept
    return {**found, first.id: (len(STAGES), None)}


def _of_highest_tier(
    allocation: Allocation,
    choice: list[OpenCampaign],
    worker: str,  # noqa: ARG001
) -> list[OpenCampaign]:
    if allocation.has_one_tier:
        return choice
    tiers = allocation.tiers
    top = max([tiers[campaign.id] for campaign in choice])
    return [campaign for campaign in choice if tiers[campaign.id] == top]


def _below_tier(allocation: Allocation, campaign: OpenCampaign, first: OpenCampaign) -> Refusal:
    rule = Rule.LATE if allocation.tier(first) == LATE_TIER else Rule.PRIORITY
    return Refusal(
        rule=rule, other=first.name, has=campaign.priority, limit=allocation.tier(first)
    )


def _of_projects_in_line(
    allocation: Allocation,
    choice: list[OpenCampaign],
    worker: str,  # noqa: ARG001
) -> list[OpenCampaign]:
    least = min(map(allocation.project_level, choice))
    return [
        campaign
        for campaign in choice
        if allocation.project_level(campaign) <= least + project_head_start_s(allocation, campaign)
    ]


def _project_is_ahead(
    allocation: Allocation, campaign: OpenCampaign, first: OpenCampaign
) -> Refusal:
    ahead_s = allocation.project_level(campaign) - allocation.project_level(first)
    limit_s = project_head_start_s(allocation, campaign)
    return Refusal(
        rule=Rule.PROJECT_SHARE,
        other=first.project,
        has=rounded(ahead_s),
        limit=rounded(limit_s),
    )


def _in_line(
    allocation: Allocation,
    choice: list[OpenCampaign],
    worker: str,  # noqa: ARG001
) -> list[OpenCampaign]:
    lowest: dict[str, float] = {}
    for campaign in choice:
        level = allocation.level(campaign)
        lowest[campaign.project] = min(level, lowest.get(campaign.project, level))
    return [
        campaign
        for campaign in choice
        if allocation.level(campaign)
        <= lowest[campaign.project] + head_start_s(allocation, campaign)
    ]


def _is_ahead(allocation: Allocation, campaign: OpenCampaign, first: OpenCampaign) -> Refusal:
    ahead_s = allocation.level(campaign) - allocation.level(first)
    return Refusal(
        rule=Rule.SHARE,
        other=first.name,
        has=rounded(ahead_s),
        limit=rounded(head_start_s(allocation, campaign)),
    )


def _due(allocation: Allocation, choice: list[OpenCampaign], worker: str) -> list[OpenCampaign]:
    return [c for c in choice if is_due(allocation, c, worker)] or choice


def _has_begun(
    allocation: Allocation,  # noqa: ARG001
    campaign: OpenCampaign,  # noqa: ARG001
    first: OpenCampaign,
) -> Refusal:
    return Refusal(rule=Rule.NEW, other=first.name)


def _warm(allocation: Allocation, choice: list[OpenCampaign], worker: str) -> list[OpenCampaign]:
    warm = allocation.warm(worker)
    return [c for c in choice if c.model_digest in warm] or choice


def _is_cold(allocation: Allocation, campaign: OpenCampaign, first: OpenCampaign) -> Refusal:
    if is_new(allocation, campaign):
        return Refusal(
            rule=Rule.COLD,
            other=first.name,
            has=rounded(allocation.furthest_ahead_s(campaign)),
            limit=rounded(due_at_s(allocation, campaign)),
        )
    if campaign.project == first.project:
        ahead_s = allocation.level(first) - allocation.level(campaign)
        limit_s = head_start_s(allocation, first)
    else:
        ahead_s = allocation.project_level(first) - allocation.project_level(campaign)
        limit_s = project_head_start_s(allocation, first)
    return Refusal(rule=Rule.WARM, other=first.name, has=rounded(ahead_s), limit=rounded(limit_s))


def _unloaded(
    allocation: Allocation, choice: list[OpenCampaign], worker: str
) -> list[OpenCampaign]:
    warm = allocation.warm(worker)
    return [c for c in choice if c.model_digest in warm or not allocation.users[c.id]] or choice


def _is_loaded(
    allocation: Allocation,  # noqa: ARG001
    campaign: OpenCampaign,  # noqa: ARG001
    first: OpenCampaign,
) -> Refusal:
    return Refusal(rule=Rule.UNLOADED, other=first.name)


def _fastest(
    allocation: Allocation, choice: list[OpenCampaign], worker: str
) -> list[OpenCampaign]:
    speeds = {c.id: round(allocation.speed(c, allocation.class_of[worker]), 1) for c in choice}
    best = max(speeds.values())
    return [c for c in choice if speeds[c.id] == best]


def _is_slower(
    allocation: Allocation,  # noqa: ARG001
    campaign: OpenCampaign,  # noqa: ARG001
    first: OpenCampaign,
) -> Refusal:
    return Refusal(rule=Rule.SPEED, other=first.name)


def _given_least(
    allocation: Allocation,
    choice: list[OpenCampaign],
    worker: str,  # noqa: ARG001
) -> list[OpenCampaign]:
    return [min(choice, key=lambda c: (*allocation.levels(c), c.id))]


def _is_later(
    allocation: Allocation,  # noqa: ARG001
    campaign: OpenCampaign,  # noqa: ARG001
    first: OpenCampaign,
) -> Refusal:
    return Refusal(rule=Rule.TURN, other=first.name)


STAGES = (
    Stage(_of_highest_tier, _below_tier),
    Stage(_of_projects_in_line, _project_is_ahead),
    Stage(_in_line, _is_ahead),
    Stage(_due, _has_begun),
    Stage(_warm, _is_cold),
    Stage(_unloaded, _is_loaded),
    Stage(_fastest, _is_slower),
    Stage(_given_least, _is_later),
)
"""The rules of the ranking, the first one first."""
_AFTER_LINE = 3  # the number of those that come before the head starts, and they themselves
