"""A campaign as it is stored before its first render, and the size of its chunks."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from farm.campaign.chunks import Size, chunk_size, chunks_among
from farm.campaign.expansion import Expansion
from farm.campaign.selection import proof_numbers
from farm.campaign.specs import expansion_of, fingerprint, proof_spec
from storage.rows import ANY_CLASS, NewCampaign, NewChunk
from storage.watching import Watching

Json = dict[str, Any]


def new_campaign(project: str, expansion: Expansion, spec: Json) -> NewCampaign:
    """A campaign's row. Of one with proofs nothing may be painted yet."""
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
        total=expansion.count,
        megapixel_steps=megapixel_steps(expansion),
        deadline=campaign.deadline_at,
        budget_s=campaign.budget_s,
        budget_money=campaign.budget_money,
        encoding=campaign.files,
        brand=brand.label if brand else None,
        brand_digest=brand.digest if brand else None,
        numerics_class=ANY_CLASS if campaign.numerics == "any" else None,
        released=None if campaign.proof is None else 0,
    )


def new_proofs(
    project: str, expansion: Expansion, spec: Json, size_of: Callable[[Expansion], Size]
) -> tuple[NewCampaign, Iterator[NewChunk]] | None:
    """The row of a campaign's proofs with its chunks; None if it has none."""
    proof = expansion.campaign.proof
    if proof is None:
        return None
    drafts_spec = proof_spec(spec)
    drafts = expansion_of(drafts_spec)
    redone = sorted(redo.number for redo in drafts.redos.values() if redo.has_proof)
    numbers = np.concatenate([proof_numbers(expansion, proof), np.array(redone, np.int64)])
    new = replace(
        new_campaign(project, drafts, drafts_spec),
        total=len(numbers),
        megapixel_steps=megapixel_steps(drafts) * len(numbers) / drafts.total,
    )
    return new, chunks_among(drafts, numbers, size_of(drafts))


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
