"""The grip of a model's seeds: how much of a composition the seed decides, and not the prompt."""

from actors.models.families import family_of
from actors.models.models import Model
from actors.painting.engine import Engine
from actors.pictures.drift import Layout, layout_of
from farm.campaign.expansion import Expansion
from farm.campaign.schema import Campaign
from farm.scheduling.drift import grip_of
from storage.errors import RequestError, WorkError

_SEEDS = 8
_PROMPTS = (
    "a red mug on a table",
    "a lamp in a dark room",
    "a blue chair by a window",
    "a green vase with flowers",
    "a white teapot, studio light",
    "a wooden bowl of fruit",
    "a pair of shoes on a beach",
    "a yellow clock on a wall",
)


def measured_grip(model: Model, steps: int) -> float:
    """Paint every prompt with every seed on this machine's device, and measure their layouts.
    Raises RequestError for a model that paints nothing from a prompt alone.
    """
    family = family_of(model.pipeline)
    if family is not None and family.only_edits:
        raise RequestError(
            f"{model.name} ({family.name}) paints nothing but edits, and the grip of seeds is"
            " measured from prompts alone."
        )
    campaign = Campaign.model_validate(
        {
            "name": "grip",
            "model": model.name,
            "prompt": "{scene}",
            "vary": {"scene": list(_PROMPTS)},
            "seeds": {"count": _SEEDS},
            "settings": {"steps": steps},
        }
    )
    expansion, engine = Expansion(campaign, model), Engine()
    group = expansion.group(0)
    recipes = [expansion.recipe(0, render) for _, render in expansion.all_renders()]
    layouts: list[Layout] = []
    for k in range(0, len(recipes), group.batch):
        for pixels in engine.paint(recipes[k : k + group.batch], model.folder).pixels:
            if pixels is None:
                raise WorkError(f"{model.name} painted numbers that are not a picture.")
            layouts.append(layout_of(pixels))
    return grip_of([layouts[k : k + _SEEDS] for k in range(0, len(layouts), _SEEDS)])
