"""A campaign takes the place of another version of it, and keeps what both have."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from farm.campaign.chunks import Size, chunks_of, in_order, plan_chunks
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of, with_smaller
from farm.service.new_campaign import measured_size, new_campaign, new_proofs
from farm.service.reviews import ReviewService
from farm.service.update import Kept, compare, counts
from storage.campaigns import Campaigns
from storage.control import Control
from storage.errors import Conflict
from storage.projects import Within, always
from storage.rows import CampaignRow, NewCampaign, NewChunk, SmallerBatch
from storage.watching import Watching

UPDATES_TRIED = 3

Json = dict[str, Any]


class Updates:
    """Puts versions of campaigns in each other's place."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        control: Control,
        watching: Watching,
        chunk: int | None = None,
        reviewing: ReviewService | None = None,
    ) -> None:
        """`chunk` is the number of renders in a chunk; None sizes chunks by their work. With
        `reviewing`, decisions go on to the new versions.
        """
        self._reviewing = reviewing
        self._campaigns = campaigns
        self._control = control
        self._watching = watching
        self._chunk = chunk

    def update(
        self, known: CampaignRow, new: NewCampaign, expansion: Expansion, within: Within = always
    ) -> tuple[CampaignRow, Json]:
        """The row of the new version, and how many renders are kept, new and retired. One that is
        fresh keeps none. Nothing is changed if `within` raises in the transaction. Raises Conflict
        if somebody asks for its renders again all the time.
        """
        return self._put(known, new, expansion, within, is_whole=new.is_fresh)

    def with_smaller_batch(self, campaign_id: int, smaller: SmallerBatch) -> CampaignRow | None:
        """Plan anew the pictures of a size that a device has too little memory for, with a smaller
        batch: all of that size, so that they stay alike. None if that is not wanted any more.

        Raises NotFound for a campaign that was removed, Conflict like `update`.
        """
        known = self._campaigns.by_id(campaign_id)
        if known.is_over or known.halted is not None:
            return None
        spec = with_smaller(known.spec, smaller.size, smaller.batch)
        expansion = expansion_of(spec)
        new = replace(
            new_campaign(known.project, expansion, spec),
            is_fresh=known.is_fresh,
            priority=known.priority,
        )
        return self._put(known, new, expansion, always, is_whole=False)[0]

    def proofs(
        self, new: NewCampaign, expansion: Expansion, spec: Json
    ) -> tuple[NewCampaign, Iterator[NewChunk]] | None:
        """The row of a campaign's proofs with its chunks; None if it has none."""
        proofs = new_proofs(new.project, expansion, spec, self.size)
        return proofs and (replace(proofs[0], is_fresh=new.is_fresh), proofs[1])

    def size(self, expansion: Expansion) -> Size:
        return measured_size(expansion, self._watching, self._chunk)

    def _put(
        self,
        known: CampaignRow,
        new: NewCampaign,
        expansion: Expansion,
        within: Within,
        *,
        is_whole: bool,
    ) -> tuple[CampaignRow, Json]:
        for _ in range(UPDATES_TRIED):
            kept, chunks = self._kept(known, expansion, self.size(expansion), is_whole=is_whole)
            proofs = self.proofs(new, expansion, new.spec)
            if proofs is not None:
                chunks = iter(())  # people decide first
            if self._control.replace(known.id, new, kept, chunks, proofs, within):
                row = self._campaigns.get(new.project, new.name)
                if self._reviewing is not None and proofs is None:
                    self._reviewing.carry_over(row)  # else once the proofs are there
                return row, {
                    "created": False,
                    "updated": counts(known.total, new.total, len(kept)),
                }
        raise Conflict(f"The campaign {new.name} changes too fast to be updated: pause it first.")

    def _kept(
        self, known: CampaignRow, expansion: Expansion, size: Size, *, is_whole: bool
    ) -> tuple[Kept, Iterator[NewChunk]]:
        """What stays of the version before, as (new number, old number), and the chunks of all
        else.
        """
        if is_whole:
            redone = sorted(expansion.redos)
            more = chunks_of(expansion, redone, size, total=len(redone))
            return [], chain(plan_chunks(expansion, size), more)
        kept, missing = compare(
            expansion_of(known.spec), expansion, partial(self._campaigns.digests, known.id)
        )
        return kept, chunks_of(expansion, in_order(expansion, missing), size, total=len(missing))
