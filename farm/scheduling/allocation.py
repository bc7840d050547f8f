"""What every campaign and worker would have, once all chunks that are assigned are painted."""

import math
from collections import Counter, defaultdict

from farm.cost import budget_left_s, chunk_s, seconds_per_render, would_be_late
from farm.scheduling.situation import Situation
from farm.scheduling.values import AFFINITY_LOADS, AFFINITY_S
from storage.rows import OpenCampaign

LATE_TIER = 101  # above every priority: a campaign that would miss its deadline


class Allocation:
    """Who has what, and how much device time each has been given, as this round assigns chunks.
    Campaigns are known by their ids, workers and projects by their names.
    """

    def __init__(self, situation: Situation) -> None:
        campaigns, workers = situation.campaigns, situation.workers
        ledger = situation.ledger
        shares, self._history = ledger.shares, ledger.history
        self.campaigns = {campaign.id: campaign for campaign in campaigns}
        self.exhausted, self.unable = situation.exhausted, situation.unable
        self.quotas, self._weights = situation.quotas, situation.weights
        self.spent_months = situation.spent_months
        self.load_s = {c.id: self._history.load_s(c.model_digest) for c in campaigns}
        self.affinity_s = {
            c.id: max(AFFINITY_S, AFFINITY_LOADS * self.load_s[c.id]) for c in campaigns
        }
        self._speeds: dict[tuple[str, str | None], float] = {}
        self.class_of = {worker.name: worker.numerics_class for worker in workers}
        self.pins = {campaign.id: campaign.numerics_class for campaign in campaigns}
        self.affordable_s = {campaign.id: budget_left_s(campaign) for campaign in campaigns}
        self.tiers = {campaign.id: _tier(situation, campaign) for campaign in campaigns}
        """Their priorities, or LATE_TIER if they would miss their deadlines."""
        self.has_one_tier = len(set(self.tiers.values())) < 2
        self.chunks = {worker.name: len(worker.holds) for worker in workers}
        self.users = {campaign.id: set(campaign.workers) for campaign in campaigns}
        self._workers = {worker.name: worker for worker in workers}
        self._warm: dict[str, frozenset[str]] = {}
        given_s = {c.id: c.running * seconds_per_render(c) for c in campaigns}
        self._levels = {c.id: shares.campaigns.get(c.id, 0.0) + given_s[c.id] for c in campaigns}
        self.project_levels = {c.project: shares.projects.get(c.project, 0.0) for c in campaigns}
        self.served: Counter[str] = Counter()
        closing = situation.closing
        self.users_of_project = defaultdict(set, {name: set(who) for name, who in closing.items()})
        for campaign in campaigns:
            self._raise_project(campaign.project, given_s[campaign.id])
            self.served[campaign.project] += len(self.users[campaign.id])
            self.users_of_project[campaign.project] |= self.users[campaign.id]
        self.new = {c.id for c in campaigns if not (self.users[c.id] or c.ended or c.running)}
        """The campaigns of which nothing has been painted or assigned yet."""
        self.plain: dict[str | None, list[OpenCampaign]] = {}
        """By numerics class, the waiting campaigns that no rule can refuse to its workers, but
        those about single pairs (`farm.scheduling.eligibility.usable_by`).
        """
        self._highest: tuple[dict[str, float], list[tuple[float, str]]] | None = None

    def assign(self, campaign: OpenCampaign, worker: str) -> None:
        """Count one more chunk of a campaign for a worker."""
        cost_s = chunk_s(campaign)
        self.served[campaign.project] += worker not in self.users[campaign.id]
        self.users[campaign.id].add(worker)
        self.users_of_project[campaign.project].add(worker)
        self.new.discard(campaign.id)
        if self.pins[campaign.id] is None:
            self.pins[campaign.id] = self.class_of[worker]
            self.plain.clear()
        self.chunks[worker] += 1
        self._warm[worker] = _loaded(self.warm(worker), campaign.model_digest)
        self.affordable_s[campaign.id] -= cost_s
        self._levels[campaign.id] += cost_s
        self._raise_project(campaign.project, cost_s)
        self._highest = None

    def warm(self, worker: str) -> frozenset[str]:
        """The models that a worker is sure to have warm once its chunks are painted: one that it
        loads may take the place of the others.
        """
        if worker not in self._warm:
            warm = self._workers[worker].warm
            for campaign_id, _ in self._workers[worker].holds:
                if campaign_id in self.campaigns:
                    warm = _loaded(warm, self.campaigns[campaign_id].model_digest)
            self._warm[worker] = warm
        return self._warm[worker]

    def tier(self, campaign: OpenCampaign) -> int:
        return self.tiers[campaign.id]

    def levels(self, campaign: OpenCampaign) -> tuple[float, float]:
        """The device time, in seconds, that its project and it have been given."""
        return self.project_level(campaign), self.level(campaign)

    def project_level(self, campaign: OpenCampaign) -> float:
        return self.project_levels[campaign.project]

    def level(self, campaign: OpenCampaign) -> float:
        return self._levels[campaign.id]

    def weight(self, project: str) -> float:
        return self._weights.get(project, 1.0)

    def speed(self, campaign: OpenCampaign, numerics_class: str | None) -> float:
        """How fast a class of workers paints its model beside the fastest class, 0 to 1."""
        key = campaign.model_digest, numerics_class
        if key not in self._speeds:
            self._speeds[key] = self._history.speed(*key) or 1.0
        return self._speeds[key]

    def furthest_ahead_s(self, campaign: OpenCampaign) -> float:
        """How far ahead of it another one is that is served: a campaign of its own project, or
        another project. Infinite if nobody is served.
        """
        highest, levels = self._served_levels()
        own = highest.get(campaign.project, -math.inf) - self.level(campaign)
        others = [level for level, project in levels if project != campaign.project]
        other = others[0] - self.project_level(campaign) if others else -math.inf
        return max(own, other) if highest else math.inf

    def _served_levels(self) -> tuple[dict[str, float], list[tuple[float, str]]]:
        """Of the projects that are served: the highest level of their campaigns, and the two
        highest levels of projects.
        """
        if self._highest is None:
            served = [other for other in self.campaigns.values() if self.users[other.id]]
            highest = {other.project: -math.inf for other in served}
            for other in served:
                highest[other.project] = max(self.level(other), highest[other.project])
            levels = sorted(((self.project_levels[name], name) for name in highest), reverse=True)
            self._highest = highest, levels[:2]
        return self._highest

    def _raise_project(self, name: str, seconds: float) -> None:
        self.project_levels[name] += seconds / self.weight(name)


def _loaded(warm: frozenset[str], model: str) -> frozenset[str]:
    return warm if model in warm else frozenset({model})


def _tier(situation: Situation, campaign: OpenCampaign) -> int:
    fleet_size = min(
        situation.fleet_size, situation.quotas.get(campaign.project, situation.fleet_size)
    )
    is_late = would_be_late(campaign, situation.now, fleet_size)
    return LATE_TIER if is_late else campaign.priority
