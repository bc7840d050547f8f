"""Submission: a campaign is stored with its chunks, or takes the place of another version."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from farm.campaign.chunks import Size, chunks_of, in_order, plan_chunks
from farm.campaign.expansion import Expansion
from farm.campaign.specs import derivation_of, difference, expansion_of, fingerprint
from farm.scheduling.budget import is_spent
from farm.scheduling.spending import NO_PRICES, Prices
from farm.service.brands import BrandService
from farm.service.checking import CampaignChecks, branded_as, derived_as, warnings_of
from farm.service.intake import Intake
from farm.service.new_campaign import measured_size, new_campaign, new_proofs
from farm.service.quotas import ProjectRoom
from farm.service.update import Kept, compare, counts
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.control import Control
from storage.errors import AlreadyThere, Conflict, NotFound
from storage.profiles import Profiles
from storage.rows import CampaignRow, NewCampaign, NewChunk
from storage.store import Outputs
from storage.watching import Watching

UPDATES_TRIED = 3

Json = dict[str, Any]


class Submissions:
    """Takes in campaigns."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        control: Control,
        watching: Watching,
        outputs: Outputs,
        brands: Brands,
        profiles: Profiles | None = None,
        intake: Intake | None = None,
        chunk: int | None = None,
        room: ProjectRoom | None = None,
        prices: Prices = NO_PRICES,
    ) -> None:
        """`chunk` is the number of renders in a chunk; None sizes chunks by their work."""
        self._campaigns = campaigns
        self._control = control
        self._watching = watching
        self._intake = intake or Intake(outputs)
        self._checks = CampaignChecks(self._intake, BrandService(brands), profiles, prices)
        self._brands = BrandService(brands)
        self._chunk = chunk
        self._room = room

    def submit(
        self, project: str, data: Json, *, update: bool = False, fresh: bool = False
    ) -> tuple[CampaignRow, Json]:
        """Store a campaign, and say what that did and what may not be meant. The same campaign
        again changes nothing, but lets a halted one go on, if that is not for its budget, which is
        as spent as before; another under its name is refused, or with `update` takes its place.
        Renders in both versions are kept; those only in the old one are retired. With `fresh`,
        nothing is kept or copied: all renders are painted, even those that were painted before.

        Raises DocumentError for a campaign that is wrong, RequestError where another stands under
        its name.
        """
        expansion, spec = self._checks.check(project, data)
        self._check_room(project, expansion)
        if expansion.brand is not None:
            expansion, spec = branded_as(self._brands.keep(project, expansion.brand), spec)
        row, did = self._store(project, expansion, spec, update=update, fresh=fresh)
        return row, {**did, "warnings": warnings_of(data, expansion, derivation_of(row.spec))}

    def _check_room(self, project: str, expansion: Expansion) -> None:
        """Raise Conflict if the project's quota has no room for the renders that are new."""
        if self._room is None:
            return
        try:
            known = self._campaigns.get(project, expansion.campaign.name).total
        except NotFound:
            known = 0
        self._room.check(project, expansion.total - known)

    def _store(
        self, project: str, expansion: Expansion, spec: Json, *, update: bool, fresh: bool
    ) -> tuple[CampaignRow, Json]:
        size = self._size(expansion)
        new = replace(new_campaign(project, expansion, spec), is_fresh=fresh)
        self._intake.keep(project, expansion.sources)
        proofs = self._proofs(new, expansion, spec)
        chunks = plan_chunks(expansion, size) if proofs is None else ()
        try:
            return self._campaigns.add(new, chunks, proofs), {"created": True}
        except AlreadyThere:
            known = self._campaigns.get(project, new.name)
        is_other = new.fingerprint not in (
            known.fingerprint,
            fingerprint(known.spec),
        )  # an earlier version may have counted otherwise
        if is_other and not update:
            raise Conflict(
                f"A different campaign {new.name} was submitted before: give this one another"
                " name, or put it in the other's place with"
                f" --update.\n{difference(known.spec, spec)}"
            )
        if is_other or fresh:
            expansion, spec = derived_as(known.spec, expansion, spec)
            new = replace(new_campaign(project, expansion, spec), is_fresh=fresh)
            return self._update(known, new, expansion)
        if known.halted is not None and not is_spent(known):
            self._control.resume(known.id)
        did: Json = {"created": False} | (
            {"updated": counts(known.total, known.total, known.total)} if update else {}
        )
        return self._campaigns.get(project, new.name), did

    def _update(
        self, known: CampaignRow, new: NewCampaign, expansion: Expansion
    ) -> tuple[CampaignRow, Json]:
        for _ in range(UPDATES_TRIED):
            kept, chunks = self._kept(known, new, expansion, self._size(expansion))
            proofs = self._proofs(new, expansion, new.spec)
            if proofs is not None:
                chunks = iter(())  # people decide first
            if self._control.replace(known.id, new, kept, chunks, proofs):
                row = self._campaigns.get(new.project, new.name)
                return row, {
                    "created": False,
                    "updated": counts(known.total, new.total, len(kept)),
                }
        raise Conflict(f"The campaign {new.name} changes too fast to be updated: pause it first.")

    def _kept(
        self, known: CampaignRow, new: NewCampaign, expansion: Expansion, size: Size
    ) -> tuple[Kept, Iterator[NewChunk]]:
        """What stays of the version before, as (new number, old number), and the chunks of all
        else.
        """
        if new.is_fresh:
            return [], plan_chunks(expansion, size)
        kept, missing = compare(
            expansion_of(known.spec), expansion, partial(self._campaigns.digests, known.id)
        )
        return kept, chunks_of(expansion, in_order(expansion, missing), size, total=len(missing))

    def _proofs(
        self, new: NewCampaign, expansion: Expansion, spec: Json
    ) -> tuple[NewCampaign, Iterator[NewChunk]] | None:
        proofs = new_proofs(new.project, expansion, spec, self._size)
        return proofs and (replace(proofs[0], is_fresh=new.is_fresh), proofs[1])

    def _size(self, expansion: Expansion) -> Size:
        return measured_size(expansion, self._watching, self._chunk)
