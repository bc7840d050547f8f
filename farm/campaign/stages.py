"""Proofs: cheap drafts of some of a campaign's renders, painted first, so that people decide which
finals they want. Pure.

A proof has the number, the seed, the prompt and the settings of its final, but for those settings
that `proof` changes.
"""

from collections.abc import Iterator
from typing import Any

from actors.recipes.drift import DriftAction
from farm.campaign.batches import has_auto_batch
from farm.campaign.schema import Campaign
from farm.campaign.sources import step_problems
from farm.documents.document import Problem

_CHANGED = ("steps", "size")
"""The settings that `proof` may change."""


def proof_campaign(campaign: Campaign) -> Campaign:
    """The campaign that paints the proofs. Its renders have the numbers of the finals."""
    assert campaign.proof is not None
    given = {name: getattr(campaign.proof, name) for name in _CHANGED}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    settings = campaign.settings.model_copy(update=changes)
    # Drafts stay as small as they are painted. Proofs that are the finals are made larger, too.
    upscale = None if changes else campaign.upscale
    # A person decides about proofs anyway: their drift is measured, and none is held or stopped.
    drift = campaign.drift and campaign.drift.model_copy(update={"action": DriftAction.FLAG})
    return campaign.model_copy(
        update={"settings": settings, "proof": None, "drift": drift, "upscale": upscale}
    )


def proof_problems(campaign: Campaign) -> Iterator[Problem]:
    """What does not fit between `proof` and the rest of a campaign."""
    if campaign.proof is None:
        return
    for name in _CHANGED:
        owner = next((axis for axis in campaign.axes if name in axis.variables), None)
        if getattr(campaign.proof, name) is not None and owner is not None:
            yield Problem(
                ("proof", name),
                f"the axis {owner.name!r} varies {name}, so proofs cannot have one {name} for"
                f" all: remove `{name}` from `proof`.",
            )
    if has_auto_batch(campaign):
        yield Problem(
            ("settings", "batch"),
            "auto may become another batch, and another batch is another picture than the proof"
            " that somebody approved: give a number, or remove `proof`.",
        )
    auto = campaign.proof.auto_approve
    if auto is not None and auto.drift is not None and campaign.drift is None:
        yield Problem(
            ("proof", "auto_approve", "drift"),
            "the drift of proofs is only measured if the campaign has `drift`: add it.",
        )
    if auto is not None and auto.rules is not None and campaign.brand is None:
        yield Problem(
            ("proof", "auto_approve", "rules"),
            "rules are those of a brand, and the campaign has no `brand`: add it.",
        )
    for problem in step_problems(
        campaign.reference, campaign.axes, proof_campaign(campaign).settings.steps
    ):
        yield Problem(("proof", "steps"), problem.message)


def proof_warnings(campaign: Campaign, final_size: tuple[int, int]) -> Iterator[Problem]:
    """Another size is another composition: said at submission, so that nobody approves a picture
    that the final will not be like.
    """
    size = None if campaign.proof is None else campaign.proof.size
    if size is not None and size != final_size:
        proofs, finals = (f"{width}x{height}" for width, height in (size, final_size))
        yield Problem(
            ("proof", "size"),
            f"proofs are {proofs} and finals {finals}: another size is another composition, even"
            " with the same seed. Proofs of the same size with fewer steps show the framing.",
        )
