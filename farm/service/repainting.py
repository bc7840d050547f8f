"""Renders painted again in a campaign of their own, by the spec that is stored: so they have the
recipes that the campaign was painted with.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from actors.models.models import Model
from farm.campaign.chunks import chunks_of
from farm.campaign.expansion import Expansion
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of
from farm.results.reproduce import PROJECT
from farm.service.control import check_number
from farm.service.intake import Intake
from farm.service.new_campaign import measured_size, megapixel_steps, new_campaign
from storage.campaigns import Campaigns
from storage.errors import Conflict, NotFound, RequestError
from storage.keys import reference_key
from storage.rows import CampaignRow
from storage.store import Outputs
from storage.watching import Watching

Json = dict[str, Any]
NAME_KEPT = 60  # of 80 letters: the rest is for the words that a repaint adds to the name


class Repaints:
    """Stores campaigns that paint some renders of another campaign again."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        watching: Watching,
        outputs: Outputs,
        intake: Intake | None = None,
        chunk: int | None = None,
    ) -> None:
        """`chunk` is the number of renders in a chunk; None sizes chunks by their work."""
        self._campaigns = campaigns
        self._watching = watching
        self._outputs = outputs
        self._intake = intake or Intake(outputs)
        self._chunk = chunk

    def repaint(self, project: str, name: str, numbers: Sequence[int]) -> CampaignRow:
        """Store a campaign that paints some of another's renders again, without previews, so that
        they can be compared with what was recorded. They keep their numbers.

        Raises Conflict if the model's weights have changed since, NotFound for a number that
        the campaign does not have.
        """
        campaign = self._campaigns.get(project, name)
        again = f"{name[:NAME_KEPT]}-verify-{uuid4().hex[:8]}"
        return self.paint(
            campaign,
            numbers,
            PROJECT,
            again,
            numerics_class=campaign.numerics_class,
            changes={"previews": None},
        )

    def paint(
        self,
        campaign: CampaignRow,
        numbers: Sequence[int],
        project: str,
        name: str,
        *,
        numerics_class: str | None,
        changes: Json,
    ) -> CampaignRow:
        """Store a campaign of this project and name that paints these renders of another one.

        Raises AlreadyThere if there is a campaign of that name, and like `repaint`.
        """
        spec = _same_spec(campaign, self._intake.model_of(campaign.spec), changes)
        expansion = expansion_of(spec)
        for number in numbers:
            check_number(expansion, campaign, number)
        self._lend_references(campaign, project, expansion, numbers)
        present = {worker.numerics_class for worker in self._watching.workers()}
        total = len(numbers)
        new = replace(
            new_campaign(project, expansion, spec),
            name=name,
            total=total,
            megapixel_steps=megapixel_steps(expansion) * total / expansion.total,
            is_fresh=True,  # another campaign's file of the same recipe may be damaged too
            numerics_class=numerics_class if numerics_class in present else None,
        )
        size = measured_size(expansion, self._watching, self._chunk)
        return self._campaigns.add(new, chunks_of(expansion, numbers, size, total=total))

    def _lend_references(
        self, campaign: CampaignRow, project: str, expansion: Expansion, numbers: Iterable[int]
    ) -> None:
        """Copy the references that renders begin from to where a campaign of the project finds
        them.
        """
        shots = {
            address for number in numbers for address in expansion.render(number)[1].shot.files
        }
        for address in sorted(shots):
            digest = expansion.sources.references[address]
            key = reference_key(campaign.project, digest)
            if not self._holds(key, digest):
                self._take_in_again(campaign.project, address, digest)
            if project != campaign.project:
                self._outputs.copy(key, reference_key(project, digest))

    def _take_in_again(self, project: str, address: str, digest: str) -> None:
        try:
            self._intake.keep(project, Sources(references={address: digest}))
        except RequestError as exc:
            raise RequestError(
                f"The reference {address} is not in the outputs any more, nor is it as it was"
                " where it came from."
            ) from exc

    def _holds(self, key: str, sha256: str | None) -> bool:
        try:
            with self._outputs.open(key) as file:
                return hashlib.sha256(file.read()).hexdigest() == sha256
        except NotFound:
            return False


def _same_spec(campaign: CampaignRow, model: Model, changes: Json) -> Json:
    """The spec of a campaign without its limits, for the same model. Raises Conflict if the
    model's weights have changed.
    """
    if model.digest != campaign.model_digest:
        raise Conflict(
            f"The model {campaign.model} has other weights than when {campaign.name} was painted:"
            " it cannot paint the same pixels."
        )
    known = campaign.spec
    return {
        **known,
        "campaign": {**known["campaign"], "budget": None, "deadline": None, **changes},
        "model": {**known["model"], "folder": model.folder},
        "repaints": campaign.id,
    }
