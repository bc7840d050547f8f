"""Costs: what campaigns and projects were given, and what that cost."""

from collections import defaultdict
from typing import Any

from farm.results.costs import Pictures, costs_of, total_of
from storage.campaigns import Campaigns
from storage.costs import Costs
from storage.reviews import Reviews
from storage.rows import CampaignRow
from storage.spent import CostRow

Json = dict[str, Any]


class CostReading:
    """Reads costs from the sums of recorded attempts."""

    def __init__(self, *, campaigns: Campaigns, costs: Costs, reviews: Reviews) -> None:
        self._campaigns = campaigns
        self._costs = costs
        self._reviews = reviews

    def of_campaign(self, project: str, name: str) -> Json:
        """The costs of a campaign. Raises NotFound if the project has none of that name."""
        row = self._campaigns.get(project, name)
        rows = self._costs.of_campaign(project, name)
        costs = costs_of(rows, self._pictures(row, rows))
        return {"campaign": name, "project": project, **costs}

    def of_project(self, project: str, since: float | None) -> Json:
        """The costs of a project's campaigns. Rejected pictures count as painted here."""
        by_campaign: dict[str, list[CostRow]] = defaultdict(list)
        rows = self._costs.of_project(project, since)
        for row in rows:
            by_campaign[row.campaign].append(row)
        return {
            "project": project,
            "since": since,
            "total": total_of(rows),
            "campaigns": {name: total_of(of) for name, of in by_campaign.items()},
        }

    def _pictures(self, row: CampaignRow, rows: list[CostRow]) -> Pictures:
        approved: int | None = row.done
        if row.proofs is None:
            verdicts = self._reviews.verdicts(row)
            approved = verdicts.approved if verdicts.approved + verdicts.rejected else None
        return Pictures(
            done=row.done,
            approved=approved,
            rejected_s=self._costs.rejected_s(row.project, row.name),
            proofs=sum(of.kept for of in rows if of.is_proof),
            proofs_rejected=row.rejected if row.proofs is not None else 0,
        )
