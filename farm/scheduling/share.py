"""The device time that each project and campaign has had, as in start-time fair queueing (Goyal et
al., 1996).

A newcomer starts level with the one that has had least: with neither a debt to the past nor a
claim on it.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from storage.rows import OpenCampaign

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Levels in seconds of device time, a project's divided by its weight, and the projects that
    were active at the last look.
    """

    projects: Mapping[str, float] = field(default_factory=dict)
    campaigns: Mapping[int, float] = field(default_factory=dict)
    active_projects: frozenset[str] = frozenset()


def welcome(shares: Shares, campaigns: Iterable[OpenCampaign]) -> Shares:
    """Add new campaigns and projects, and forget campaigns that have nothing to paint. Projects
    keep their level while they have nothing.
    """
    active = [campaign for campaign in campaigns if campaign.waiting or campaign.workers]
    names = frozenset(campaign.project for campaign in active)
    levels: dict[int, float] = {}
    for name in names:
        members = [campaign.id for campaign in active if campaign.project == name]
        known = {
            number: shares.campaigns[number] for number in members if number in shares.campaigns
        }
        floor = min(known.values(), default=0.0)
        levels |= {number: known.get(number, floor) for number in members}
    there = [shares.projects[name] for name in names & shares.active_projects]
    floor = min(there) if there else max(shares.projects.values(), default=0.0)
    projects = {
        **shares.projects,
        **{name: max(shares.projects.get(name, floor), floor) for name in names},
    }
    return Shares(projects=projects, campaigns=levels, active_projects=names)


def charge(
    shares: Shares, *, project: str, campaign_id: int, seconds: float, weight: float
) -> Shares:
    """Count device time that a campaign was given."""
    return Shares(
        projects=_raised(shares.projects, project, seconds / weight),
        campaigns=_raised(shares.campaigns, campaign_id, seconds),
        active_projects=shares.active_projects,
    )


def _raised(levels: Mapping[K, float], key: K, by: float) -> dict[K, float]:
    return {**levels, key: levels[key] + by} if key in levels else dict(levels)
