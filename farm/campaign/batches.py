"""How many pictures are painted at once, if a campaign says `batch: auto`: as many as its model
paints, or fewer for a size that was found not to fit a device.
"""

from collections.abc import Mapping

from actors.models.models import Model
from farm.campaign.groups import edits_of
from farm.campaign.schema import Campaign
from farm.campaign.settings import AUTO, Settings


def batch_of(settings: Settings, model: Model, smaller: Mapping[str, int]) -> int:
    """The batch of the renders that have these settings; `smaller` has those that were found for
    sizes, as `size_text` writes them. Edits are painted one at a time: pipelines take one set of
    pictures for a call, each in its own shape.
    """
    if edits_of(settings):
        return 1
    if settings.batch == AUTO:
        return smaller.get(size_text(settings.size or model.size), model.batch)
    return settings.batch or model.batch


def size_text(size: tuple[int, int]) -> str:
    """Width and height as campaign files have them."""
    return "{}x{}".format(*size)


def has_auto_batch(campaign: Campaign) -> bool:
    """Whether some of its pictures may be planned anew with a smaller batch."""
    return campaign.settings.batch == AUTO or any(
        axis.assignments(k)["batch"] == AUTO
        for axis in campaign.axes
        if "batch" in axis.variables
        for k in range(len(axis.values))
    )
