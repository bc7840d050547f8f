"""The API's answers about the map of a campaign, as frozen values."""

from farm.service.views import View


class MapAxis(View):
    """An axis: its name, and the labels of its values in order."""

    name: str
    labels: list[str]


class MapLayout(View):
    """What the numbers of a campaign mean. A number is that of its cell times `seeds_per_shot`,
    plus the place of its seed; cells are the product of the axes, the last one running fastest.
    From `first_redo` on, numbers are redos: `redos` has for each the render whose place it takes.
    `seeds` are empty if shots have seeds of their own.
    """

    campaign: str
    version: int
    stage: str
    size: int
    total: int
    axes: list[MapAxis]
    seeds_per_shot: int
    seeds: list[int]
    first_redo: int
    redos: list[int]
    aspect: float


class MapCounts(View):
    """How many renders fit a filter, and how many would with each value of each kind in place of
    those chosen. `drift` has ten deciles; `axes` the values of each axis in order, seeds last.
    """

    total: int
    matches: int
    states: dict[str, int]
    reviews: dict[str, int]
    reasons: dict[str, int]
    drift: list[int]
    rules: dict[str, int]
    axes: list[list[int]]


class MapCells(View):
    """Some renders as they are now, in columns: the byte of each as in the map, and the first
    digits of its file's digest, null without a picture.
    """

    numbers: list[int]
    codes: list[int]
    files: list[str | None]
