"""Campaigns for tests."""

from typing import Any

from actors.models.models import Model
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.schema import Campaign

MODEL = Model(
    name="seedling",
    folder="/nowhere",
    digest="d" * 64,
    pipeline="StableDiffusionPipeline",
    batch=4,
    size=(128, 128),
    scheduler_config={"_class_name": "DDIMScheduler", "beta_schedule": "squaredcos_cap_v2"},
)


def data(**changes: Any) -> dict[str, Any]:
    """A small campaign as a file would say it; a value of None takes a key away."""
    base = {
        "name": "spring",
        "model": "seedling",
        "prompt": "a {color} {product}",
        "vary": {"product": ["mug", "bottle", "lamp"], "color": ["red", "blue"]},
        "seeds": {"count": 3},
        **changes,
    }
    return {key: value for key, value in base.items() if value is not None}


def campaign(**changes: Any) -> Campaign:
    return parse_campaign(data(**changes))


def expansion(**changes: Any) -> Expansion:
    return Expansion(campaign(**changes), MODEL)
