"""Reading reviews: verdicts in a campaign, its decisions, and the renders that wait for one."""

from collections.abc import Collection, Iterator
from itertools import chain, islice
from typing import Any

from farm.campaign.shots import Render
from farm.campaign.specs import expansion_of
from farm.service.review_tally import tally
from storage.campaigns import Campaigns
from storage.reviews import Reviews
from storage.rows import CampaignRow, RenderOutcome
from storage.states import HELD_BY_RULE, RenderState, Verdict
from storage.verdicts import Decision, Verdicts, fold

Json = dict[str, Any]
_SHOWN = 200


class ReviewReading:
    """Reads decisions; changes nothing."""

    def __init__(self, *, campaigns: Campaigns, reviews: Reviews) -> None:
        self._campaigns = campaigns
        self._reviews = reviews

    def overview(self, project: str, name: str) -> Json:
        """The verdicts of a campaign in counts, by reason and by the values of axes, and the last
        decisions.
        """
        campaign = self._campaigns.get(project, name)
        expansion = expansion_of(campaign.spec)
        log = self._reviews.log(campaign.id)
        verdicts = fold(log, expansion.size)
        return {
            "campaign": name,
            "state": campaign.state,
            "total": campaign.total,
            "approved": verdicts.approved,
            "rejected": verdicts.rejected,
            "undecided": campaign.total - verdicts.approved - verdicts.rejected,
            "proofs": proofs_json(campaign),
            **tally(expansion, verdicts),
            "decisions": [_entry_json(entry) for entry in log[-_SHOWN:]],
        }

    def waiting(self, project: str, name: str, limit: int) -> Iterator[Json]:
        """The first renders that can be decided about now and are undecided, in their order."""
        campaign = self._campaigns.get(project, name)
        expansion = expansion_of(campaign.spec)
        verdicts = self._verdicts(campaign)
        undecided = (
            outcome
            for outcome in self._with_picture(campaign)
            if verdicts.of(outcome.number) is None
        )
        held = self._campaigns.outcomes_of(campaign.id, self._held(campaign)[:limit])
        # no generator itself: a campaign that is not there is told before an answer begins
        return (
            _waiting_json(outcome, expansion.render(outcome.number)[1])
            for outcome in islice(chain(held, undecided), limit)
        )

    def approved(self, campaign: CampaignRow) -> Collection[int]:
        """The numbers of the approved renders of a campaign."""
        return frozenset(self._verdicts(campaign).numbers(Verdict.APPROVED).tolist())

    def _verdicts(self, campaign: CampaignRow) -> Verdicts:
        return fold(self._reviews.log(campaign.id), expansion_of(campaign.spec).size)

    def _held(self, campaign: CampaignRow) -> list[int]:
        """Finals of approved proofs that a rule holds."""
        if campaign.released is None or not campaign.held:
            return []
        held: list[int] = self._reviews.held(campaign.id).tolist()
        return held

    def _with_picture(self, campaign: CampaignRow) -> Iterator[RenderOutcome]:
        """The renders that a person can look at: proofs, or finals of a campaign without any."""
        if campaign.released is None:
            for outcome, _, _ in self._campaigns.outcomes(campaign.id):
                if outcome.key or outcome.reason in HELD_BY_RULE:
                    yield outcome
            return
        for outcome, _, _ in self._campaigns.outcomes(self._campaigns.proofs_of(campaign).id):
            if outcome.state is not RenderState.CANCELLED:
                yield outcome


def proofs_json(campaign: CampaignRow) -> Json | None:
    """The proofs of a campaign in counts; None if it has none."""
    proofs = campaign.proofs
    if proofs is None:
        return None
    return {
        "total": proofs.total,
        "queued": proofs.left - proofs.running,
        "running": proofs.running,
        "done": proofs.done,
        "failed": proofs.failed,
        "held": proofs.held,
        "cancelled": proofs.cancelled,
    }


def _entry_json(entry: Decision) -> Json:
    return {
        "entry": entry.id,
        "verdict": entry.verdict,
        "undoes": entry.undoes,
        "reason": entry.reason,
        "note": entry.note,
        "by": entry.reviewer,
        "chosen_by": entry.chosen_by,
        "count": entry.count,
        "first": entry.numbers[:20].tolist(),
        "decided_at": entry.decided_at,
    }


def _waiting_json(outcome: RenderOutcome, render: Render) -> Json:
    return {
        "number": outcome.number,
        "shot": render.shot.key,
        "coordinates": render.shot.coordinates,
        "seed": render.seed,
        "version": render.version,
        "state": outcome.state,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "drift": outcome.drift,
        "rules_failed": list(outcome.rules_failed),
        "key": outcome.key,
    }
