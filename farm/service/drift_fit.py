"""Whether a campaign's limit of drift can be kept: each picture needs an anchor."""

from collections.abc import Iterator, Mapping
from typing import Any

from actors.recipes.drift import DriftAction
from farm.campaign.expansion import Expansion
from farm.campaign.schema import Campaign
from farm.documents.counting import counted
from farm.documents.document import Problem
from farm.scheduling.drift import FEWEST, LEAST_GRIP

_INSTEAD = "give it a `reference`, or approve proofs, from which drift is measured then"


def calibrated_campaign(campaign: Campaign, profile: Mapping[str, Any]) -> Campaign:
    """The campaign with the limit that was calibrated for its model and step, if it stops pictures
    and names no limit itself.
    """
    drift = campaign.drift
    if drift is None or drift.limit is not None:
        return campaign
    found = profile.get("stops", {}).get(f"{drift.at:g}")
    if not found:
        return campaign
    return campaign.model_copy(
        update={"drift": drift.model_copy(update={"limit": found["limit"]})}
    )


def drift_problems(expansion: Expansion, profile: Mapping[str, Any]) -> Iterator[Problem]:
    """Why a campaign's drift cannot be measured or stopped."""
    drift = expansion.campaign.drift
    if drift is None:
        return
    if drift.limit is None:
        yield Problem(
            ("drift",),
            f"no limit is calibrated for this model at {drift.at:g} of the steps: write one, like"
            " `limit: 0.3`, or let `farm drift calibrate CAMPAIGN` find one in a campaign with"
            " previews at that step.",
        )
    yield from _anchor_problems(expansion, profile)


def drift_warnings(expansion: Expansion) -> Iterator[Problem]:
    """A family that cannot be stopped is painted in whole batches."""
    drift = expansion.campaign.drift
    if drift is None or drift.action is not DriftAction.STOP:
        return
    if not expansion.family.has_previews:
        yield Problem(
            ("drift", "action"),
            f"a {expansion.family.pipeline} is painted through its plain call, which cannot be"
            " stopped: its batches are painted whole, and pictures that drift are held.",
        )


def _anchor_problems(expansion: Expansion, profile: Mapping[str, Any]) -> Iterator[Problem]:
    campaign = expansion.campaign
    by_axis = any("reference" in axis.variables for axis in expansion.axes)
    if campaign.reference is not None or by_axis or campaign.proof is not None:
        return
    if expansion.locked_seeds is None:
        yield Problem(
            ("drift",),
            "no two shots have the same seed, so that there is no set to compare with:"
            f" {_INSTEAD}.",
        )
        return
    shots = expansion.total // max(1, len(expansion.locked_seeds))
    if shots < FEWEST:
        yield Problem(
            ("drift",),
            f"a seed has {counted(shots, 'picture')} here, and the median of"
            f" a set needs {FEWEST}: {_INSTEAD}.",
        )
    grip = profile.get("grip")
    if grip is not None and grip < LEAST_GRIP:
        yield Problem(
            ("drift",),
            f"the model {expansion.model.name} does not repeat a composition over prompts: a seed"
            f" decides {grip:.0%} of it, and less than {LEAST_GRIP:.0%} make no median:"
            f" {_INSTEAD}.",
        )
