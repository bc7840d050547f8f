"""Probes: the first renders of a campaign, painted in one of their own before it is submitted.
They show how long it takes, and the campaign reuses their pictures.
"""

from dataclasses import replace
from typing import Any

from actors.recipes.recipe import digest_of
from farm.campaign.chunks import chunks_of
from farm.campaign.expansion import Expansion
from farm.campaign.selection import all_numbers
from farm.campaign.specs import expansion_of, fingerprint
from farm.service.checking import CampaignChecks
from farm.service.intake import Intake
from farm.service.new_campaign import measured_size, megapixel_steps, new_campaign
from farm.service.quotas import ProjectRoom
from storage.campaigns import Campaigns
from storage.errors import AlreadyThere, NotFound
from storage.projects import Within, always
from storage.rows import CampaignRow
from storage.watching import Watching

Json = dict[str, Any]
NAME_KEPT = 60  # of 80 letters: the rest is for the words that a probe adds to the name


class Probes:
    """Stores campaigns that paint the first renders of others."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        watching: Watching,
        checks: CampaignChecks,
        intake: Intake,
        room: ProjectRoom | None = None,
        chunk: int | None = None,
    ) -> None:
        self._campaigns = campaigns
        self._watching = watching
        self._checks = checks
        self._intake = intake
        self._room = room
        self._chunk = chunk

    def probe(self, project: str, data: Json, renders: int) -> Json:
        """Store the probe of a campaign. The same again changes nothing. Raises DocumentError for
        a campaign that is wrong, and Conflict if the project's quota has no room.
        """
        expansion, spec = self._checks.check(project, data)
        spec = _as_probe(spec)
        expansion = expansion_of(spec)
        numbers = all_numbers(expansion)[:renders].tolist()
        name = _name_of(expansion, spec, len(numbers))
        row, created = self._store(project, name, expansion, spec, numbers)
        return {
            "campaign": row.name,
            "project": project,
            "renders": row.total,
            "created": created,
        }

    def _store(
        self, project: str, name: str, expansion: Expansion, spec: Json, numbers: list[int]
    ) -> tuple[CampaignRow, bool]:
        total = len(numbers)
        within: Within = always
        if self._room is not None and not self._has(project, name):
            self._room.check(project, total)
            within = self._room.within(project, total, are_counted=True)
        new = replace(
            new_campaign(project, expansion, spec),
            name=name,
            total=total,
            megapixel_steps=megapixel_steps(expansion) * total / expansion.total,
        )
        self._intake.keep(project, expansion.sources)
        size = measured_size(expansion, self._watching, self._chunk)
        chunks = chunks_of(expansion, numbers, size, total=total)
        try:
            return self._campaigns.add(new, chunks, None, within), True
        except AlreadyThere:
            return self._campaigns.get(project, name), False

    def _has(self, project: str, name: str) -> bool:
        try:
            self._campaigns.get(project, name)
        except NotFound:
            return False
        return True


def _as_probe(spec: Json) -> Json:
    """The spec without what only the whole campaign can have: a deadline, and proofs with the
    drift that is measured from them.
    """
    campaign = {**spec["campaign"], "deadline": None}
    if campaign.get("proof") is not None:
        campaign |= {"proof": None, "drift": None}
    return {**spec, "campaign": campaign}


def _name_of(expansion: Expansion, spec: Json, renders: int) -> str:
    digest = digest_of([fingerprint(spec), renders])[:8]
    return f"{expansion.campaign.name[:NAME_KEPT]}-probe-{digest}"
