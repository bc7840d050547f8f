"""Estimates: what a submission would do, without doing it."""

from functools import partial
from itertools import islice
from typing import Any

from farm.campaign.expansion import Expansion
from farm.campaign.seeding import DERIVATION
from farm.campaign.specs import going_on
from farm.cost import SECONDS_PER_MEGAPIXEL_STEP
from farm.documents.document import Problem, problem_json
from farm.scheduling.spending import NO_PRICES, Prices
from farm.service.brands import BrandService
from farm.service.checking import CampaignChecks, warnings_of
from farm.service.intake import Intake
from farm.service.new_campaign import measured_size, megapixel_steps
from farm.service.quotas import ProjectRoom, no_room
from farm.service.update import outlook
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.profiles import Profiles
from storage.rows import CampaignRow
from storage.store import Outputs
from storage.watching import Watching

Json = dict[str, Any]
_EXAMPLES = 3
_GROUPS = 1_000  # that are looked at for their batches


class Estimates:
    """Says what submissions would do."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        watching: Watching,
        outputs: Outputs,
        brands: Brands,
        profiles: Profiles | None = None,
        intake: Intake | None = None,
        chunk: int | None = None,
        prices: Prices = NO_PRICES,
        room: ProjectRoom | None = None,
    ) -> None:
        """`chunk` is the number of renders in a chunk; None sizes chunks by their work. Without
        `room`, no quota is looked at.
        """
        self._room = room
        self._campaigns = campaigns
        self._watching = watching
        self._checks = CampaignChecks(
            intake or Intake(outputs), BrandService(brands), profiles, prices
        )
        self._chunk = chunk

    def plan(
        self, data: Json, project: str = "default", *, update: bool = False, fresh: bool = False
    ) -> Json:
        """What submitting would do, without doing it. With `update`, and if the project has such a
        campaign, `updated` counts the renders that would be kept, new and retired, and `changes`
        names the first of each.
        """
        expansion, spec = self._checks.check(project, data)
        stored = self._known(project, expansion.campaign.name)
        room = self._no_room(project, expansion.total - (stored.total if stored else 0))
        known = stored if update else None
        if known is not None:
            expansion, spec = going_on(known.spec, expansion, spec)
        pace = self._watching.seconds_per_megapixel_step(expansion.model.digest)
        pace_s = pace or SECONDS_PER_MEGAPIXEL_STEP
        plan = {
            **self._work(expansion, pace),
            "warnings": [*room, *warnings_of(data, expansion, DERIVATION)],
        }
        if known is None:
            return plan
        digests = partial(self._campaigns.digests, known.id)
        return plan | outlook(known, expansion, spec, digests, is_fresh=fresh, pace_s=pace_s)

    def _work(self, expansion: Expansion, pace: float | None) -> Json:
        """The renders of a campaign, and how long they take at `pace` seconds a megapixel-step."""
        campaign, work = expansion.campaign, megapixel_steps(expansion)
        groups = map(expansion.group, range(min(expansion.groups, _GROUPS)))
        size = measured_size(expansion, self._watching, self._chunk)
        return {
            "campaign": campaign.name,
            "renders": expansion.total,
            "axes": {axis.name: len(axis.values) for axis in expansion.axes},
            "seeds": expansion.seeds_per_shot,
            "groups": expansion.groups,
            "batch": sorted({group.batch for group in groups}),
            "chunk": size(0, expansion.total),
            "megapixel_steps": round(work, 3),
            "seconds_per_megapixel_step": pace,
            "estimate_s": round(work * (pace or SECONDS_PER_MEGAPIXEL_STEP), 3),
            "budget_s": campaign.budget_s,
            "budget_money": campaign.budget_money,
            "model": campaign.model,
            "brand": expansion.brand.label if expansion.brand else None,
            "priority": campaign.priority,
            "max_workers": campaign.max_workers,
            "references": dict(expansion.sources.references),
            "adapters": dict(expansion.sources.adapters),
            "controls": dict(expansion.sources.controls),
            "ip_adapters": dict(expansion.sources.ip_adapters),
            "upscalers": dict(expansion.sources.upscalers),
            "first": _examples(expansion),
        }

    def _no_room(self, project: str, more: int) -> list[Json]:
        refusals = self._room.of(project, more).refusals if self._room else ()
        if not refusals:
            return []
        return [problem_json(Problem((), f"It would be refused. {no_room(project, refusals)}"))]

    def _known(self, project: str, name: str) -> CampaignRow | None:
        try:
            return self._campaigns.get(project, name)
        except NotFound:
            return None


def _examples(expansion: Expansion) -> list[Json]:
    return [
        {
            "shot": render.shot.key,
            "seed": render.seed,
            "prompt": render.shot.prompt,
            "negative": render.shot.negative,
            "reference": render.shot.reference,
        }
        for _, render in islice(expansion.all_renders(), _EXAMPLES)
    ]
