"""Submission: a campaign is stored with its chunks, or takes the place of another version."""

from dataclasses import replace
from typing import Any

from farm.campaign.chunks import plan_chunks
from farm.campaign.expansion import Expansion
from farm.campaign.specs import derivation_of, difference, fingerprint, going_on
from farm.scheduling.budget import is_spent
from farm.scheduling.spending import NO_PRICES, Prices
from farm.service.brands import BrandService
from farm.service.checking import CampaignChecks, branded_as, warnings_of
from farm.service.intake import Intake
from farm.service.new_campaign import new_campaign
from farm.service.quotas import ProjectRoom
from farm.service.reviews import ReviewService
from farm.service.update import counts
from farm.service.updating import Updates
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.control import Control
from storage.errors import AlreadyThere, Conflict, NotFound
from storage.profiles import Profiles
from storage.projects import Within, always
from storage.rows import CampaignRow
from storage.store import Outputs
from storage.watching import Watching

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
        reviewing: ReviewService | None = None,
        prices: Prices = NO_PRICES,
    ) -> None:
        """`chunk` is the number of renders in a chunk; None sizes chunks by their work."""
        self._campaigns = campaigns
        self._control = control
        self._intake = intake or Intake(outputs)
        self._checks = CampaignChecks(self._intake, BrandService(brands), profiles, prices)
        self._brands = BrandService(brands)
        self._updates = Updates(
            campaigns=campaigns,
            control=control,
            watching=watching,
            chunk=chunk,
            reviewing=reviewing,
        )
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

    def _within(self, project: str, more: int, *, are_counted: bool = False) -> Within:
        if self._room is None:
            return always
        return self._room.within(project, more, are_counted=are_counted)

    def _store(
        self, project: str, expansion: Expansion, spec: Json, *, update: bool, fresh: bool
    ) -> tuple[CampaignRow, Json]:
        size = self._updates.size(expansion)
        new = replace(new_campaign(project, expansion, spec), is_fresh=fresh)
        self._intake.keep(project, expansion.sources)
        proofs = self._updates.proofs(new, expansion, spec)
        chunks = plan_chunks(expansion, size) if proofs is None else ()
        try:
            within = self._within(project, expansion.total, are_counted=True)
            return self._campaigns.add(new, chunks, proofs, within), {"created": True}
        except AlreadyThere:
            known = self._campaigns.get(project, new.name)
        expansion, spec = going_on(known.spec, expansion, spec)
        new = replace(new_campaign(project, expansion, spec), is_fresh=fresh)
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
            within = self._within(project, expansion.count - known.total)
            return self._updates.update(known, new, expansion, within)
        if known.halted is not None and not is_spent(known):
            self._control.resume(known.id)
        did: Json = {"created": False} | (
            {"updated": counts(known.total, known.total, known.total)} if update else {}
        )
        return self._campaigns.get(project, new.name), did
