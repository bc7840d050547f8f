"""How much work campaigns have for workers, and how fast pools have shown to do it."""

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from farm.cost import budget_left_s, chunk_s, seconds_per_render
from farm.scheduling.history import History
from farm.scheduling.values import NO_QUOTAS, Need, Pool
from storage.rows import ANY_CLASS, OpenCampaign


def needs_of(
    campaigns: Sequence[OpenCampaign],
    waiting_chunks: int,
    now: float,
    quotas: Mapping[str, int] = NO_QUOTAS,
) -> list[Need]:
    """What campaigns need, as far as their budgets and the quotas of their projects go. There are
    `waiting_chunks` of all campaigns together: more workers than these would find nothing to do.
    """
    needs = []
    unclaimed = dict(quotas)
    for campaign in campaigns:
        affordable = _affordable_chunks(campaign)
        if not campaign.waiting or not affordable:
            continue
        most = min(waiting_chunks, affordable) + len(campaign.workers)
        most = most if campaign.max_workers is None else min(most, campaign.max_workers)
        if campaign.project in unclaimed:  # its campaigns share the quota, the first of them first
            most = min(most, unclaimed[campaign.project])
            unclaimed[campaign.project] -= most
        needs.append(_need(campaign, most, now))
    return needs


def rooms_of(
    campaigns: Sequence[OpenCampaign], quotas: Mapping[str, int], ceiling: int
) -> list[tuple[frozenset[int], int]]:
    """Groups of campaigns, by their ids, each with the most waiting chunks that are worth another
    worker.

    Every project with a quota is a group, and every other campaign with a budget. A group whose
    number is not below `ceiling` is left out.
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


def as_measured(
    pools: Sequence[Pool],
    needs: Sequence[Need],
    classes: Mapping[str, Collection[str]],
    history: History,
) -> list[Pool]:
    """Pools with the speeds that their workers have shown at the work that waits, in place of
    those in the fleet file.

    The fastest of these pools sets the scale: its speed stays the one in the file. With fewer than
    two there is nothing to compare.
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


def _need(campaign: OpenCampaign, most: int, now: float) -> Need:
    left = max(0, campaign.left - campaign.running)
    return Need(
        seconds=min(left * seconds_per_render(campaign), budget_left_s(campaign)),
        model=campaign.model_digest,
        most=most,
        due_in_s=None if campaign.deadline is None else campaign.deadline - now,
        numerics_class=None if campaign.numerics_class == ANY_CLASS else campaign.numerics_class,
    )


def _affordable_chunks(campaign: OpenCampaign) -> int:
    """How many more chunks of the usual length its budget has room for."""
    if not campaign.has_budget:
        return sys.maxsize
    return max(0, math.ceil(budget_left_s(campaign) / max(1e-3, chunk_s(campaign))))


def _shown_speed(
    needs: Sequence[Need], classes: Collection[str], history: History
) -> float | None:
    """How fast workers of these classes paint; each model counts by its part in the work that
    waits.
    """
    shown = [
        (need.seconds, speed)
        for need in needs
        for name in classes
        if (speed := history.speed(need.model, name))
    ]
    work = sum(seconds for seconds, _ in shown)
    return work / sum(seconds / speed for seconds, speed in shown) if work else None
