"""The medians of sets, from which renders' drift is measured: found once enough of a set is
painted.
"""

from collections.abc import Iterable

from actors.recipes.drift import DriftRule
from farm.campaign.specs import expansion_of
from farm.scheduling.drift import ENOUGH, FEWEST, anchored
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.layouts import Layouts
from storage.rows import CampaignRow, Settlement


class Anchoring:
    """The campaigns some of whose sets have no median yet."""

    def __init__(self, layouts: Layouts, campaigns: Campaigns) -> None:
        self._layouts = layouts
        self._campaigns = campaigns
        self._waiting: set[int] | None = None

    def after(self, settlements: Iterable[Settlement]) -> None:
        """Find the medians that settlements have made possible, and measure what was waiting for
        them. What a dispatcher that died had left is found with the first settlement.
        """
        settled = {settlement.campaign_id for settlement in settlements}
        if self._waiting is None:
            self._waiting = set(self._layouts.waiting())
            settled |= self._waiting
        self._waiting |= {
            settlement.campaign_id
            for settlement in settlements
            if any(outcome.set_layout for outcome in settlement.outcomes)
        }
        for campaign_id in sorted(settled & self._waiting):
            if self._measure(campaign_id):
                self._waiting.discard(campaign_id)

    def _measure(self, campaign_id: int) -> bool:
        """Whether nothing more of a campaign can come to wait."""
        try:
            campaign = self._campaigns.by_id(campaign_id)
        except NotFound:
            return True
        is_over, rule = campaign.finished_at is not None, _rule(campaign)
        full = self._layouts.full(campaign_id, FEWEST if is_over else ENOUGH)
        known = self._layouts.anchors(campaign_id, full)
        for seed, layouts in full.items():
            found = anchored({one.number: one.layout for one in layouts}, known.get(seed))
            held = {
                number: verdict[2]
                for number, drift in found.drifts.items()
                if rule is not None and (verdict := rule.verdict(drift))
            }
            self._layouts.settle(campaign_id, seed, found.anchor, found.drifts, held)
        return is_over


def _rule(campaign: CampaignRow) -> DriftRule | None:
    """By which the renders are judged that make the median of their set."""
    drift = expansion_of(campaign.spec).campaign.drift
    if drift is None or drift.limit is None:
        return None
    return DriftRule(limit=drift.limit, action=drift.action)
