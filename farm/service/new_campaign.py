"""A campaign as it is stored before its first render, and the size of its chunks."""

from typing import Any

from farm.campaign.chunks import Size, chunk_size
from farm.campaign.expansion import Expansion
from farm.campaign.specs import fingerprint
from storage.rows import ANY_CLASS, NewCampaign
from storage.watching import Watching

Json = dict[str, Any]


def new_campaign(project: str, expansion: Expansion, spec: Json) -> NewCampaign:
    campaign, brand = expansion.campaign, expansion.brand
    return NewCampaign(
        project=project,
        name=campaign.name,
        spec=spec,
        fingerprint=fingerprint(spec),
        model=campaign.model,
        model_digest=expansion.model.digest,
        priority=campaign.priority,
        max_workers=campaign.max_workers,
        total=expansion.total,
        megapixel_steps=megapixel_steps(expansion),
        deadline=campaign.deadline_at,
        budget_s=campaign.budget_s,
        encoding=campaign.files,
        brand=brand.label if brand else None,
        brand_digest=brand.digest if brand else None,
        numerics_class=ANY_CLASS if campaign.numerics == "any" else None,
    )


def megapixel_steps(expansion: Expansion) -> float:
    """The work of a campaign; of very many groups the first thousand stand for all."""
    groups = [expansion.group(k) for k in range(min(expansion.groups, 1000))]
    return sum(group.megapixel_steps for group in groups) / len(groups) * expansion.total


def measured_size(expansion: Expansion, watching: Watching, renders: int | None) -> Size:
    """The size of a campaign's chunks: `renders` renders, or else about a minute of work at the
    pace that the farm has measured for its model.
    """
    pace = watching.seconds_per_megapixel_step(expansion.model.digest)
    return chunk_size(expansion, pace, renders)
