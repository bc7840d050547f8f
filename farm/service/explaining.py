"""Explaining: why a campaign, or one render of it, is where it is."""

from collections.abc import Iterator

from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from farm.scheduling.review_words import why_undecided, why_verdict
from farm.scheduling.why import Farm, why_campaign, why_render
from farm.service.control import check_number
from farm.service.render_reading import version_or_present
from storage.campaigns import Campaigns
from storage.reviews import Reviews
from storage.rows import CampaignRow
from storage.states import CampaignState
from storage.verdicts import last_about
from storage.watching import Watching


class Explaining:
    """Reads what the rules, the workers and people have decided, and puts it into words."""

    def __init__(self, *, campaigns: Campaigns, reviews: Reviews, watching: Watching) -> None:
        self._campaigns = campaigns
        self._reviews = reviews
        self._watching = watching

    def why(
        self, project: str, name: str, number: int | None = None, version: int | None = None
    ) -> list[str]:
        """Why a campaign, or one render of it, is where it is; of the present version if none is
        named.
        """
        campaign = version_or_present(self._campaigns, project, name, version)
        farm = Farm(
            dispatcher=self._watching.dispatcher(),
            workers=self._watching.workers(),
            orders=self._watching.orders(),
        )
        if number is None:
            return list(self._campaign(campaign, farm))
        expansion = expansion_of(campaign.spec)
        check_number(expansion, campaign, number)
        return list(self._render(number, campaign, expansion, farm))

    def _campaign(self, campaign: CampaignRow, farm: Farm) -> Iterator[str]:
        """Finals first: what they wait for, then proofs and people."""
        is_held = campaign.state in (CampaignState.PAUSED, CampaignState.HALTED)
        if campaign.left or not campaign.undecided or is_held:
            yield from why_campaign(campaign, farm)
        yield from why_undecided(campaign)
        if campaign.proofs is not None and campaign.proofs.left and not is_held:
            yield from why_campaign(self._campaigns.proofs_of(campaign), farm)

    def _render(
        self, number: int, campaign: CampaignRow, expansion: Expansion, farm: Farm
    ) -> Iterator[str]:
        outcome = self._campaigns.outcome(campaign.id, number)
        place = expansion.place(number)
        chunk = None if outcome else self._campaigns.chunk_of(campaign.id, *place, number)
        last = last_about(self._reviews.log(campaign.id), number)
        if outcome or chunk or campaign.released is None or campaign.cancelled_at:
            yield from why_render(number, campaign, farm, outcome=outcome, chunk=chunk)
            yield from why_verdict(number, campaign, last, None)
            return
        proofs = self._campaigns.proofs_of(campaign)
        proof = self._campaigns.outcome(proofs.id, number)
        if said := list(why_verdict(number, campaign, last, proof[0] if proof else None)):
            yield from said
            return
        proof_chunk = self._campaigns.chunk_of(proofs.id, *place, number)
        if proof_chunk is None:
            yield (
                f"Render {number} has no proof of its own, and nobody has decided about it: `farm"
                f" approve {campaign.name} {number}` has it painted."
            )
            return
        yield f"Render {number} has a proof, which comes first."
        yield from why_render(number, proofs, farm, outcome=None, chunk=proof_chunk)
