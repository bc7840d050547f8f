"""Who has been given how much: device time by project and campaign, in the manner of start-time
fair queueing (Goyal et al., 1996).

Whoever comes anew starts level with the one that has been given least, neither with a debt to the
past nor with a claim on it.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from storage.rows import OpenCampaign

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Levels in seconds of device time, a project's divided by its weight, and who was active when
    they were last looked at.
    """

    projects: Mapping[str, float] = field(default_factory=dict)
    campaigns: Mapping[int, float] = field(default_factory=dict)
    active_projects: frozenset[str] = frozenset()


def welcome(shares: Shares, campaigns: Iterable[OpenCampaign]) -> Shares:
    """Bring in who is new and let go who is not there any more. Projects keep their level while
    they are away.
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
