"""What the API says of the models that campaigns use."""

from farm.service.views import View


class ModelInUse(View):
    """A model of the campaigns in which one may look: what it is, how fast it was painted with
    lately, how long it takes to load, and how many workers have it warm.

    `grip` is how much of a composition a seed decides, 0 to 1. A measurement that nobody has made
    is null. `workers` has their names, and is null for whoever may not see the fleet.
    """

    digest: str
    model: str
    family: str | None
    pipeline: str | None
    campaigns: int
    last_used_at: float
    seconds_per_megapixel_step: float | None
    load_s: float | None
    grip: float | None
    warm: int
    workers: list[str] | None
