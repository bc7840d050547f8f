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


class MapBefore(View):
    """Some renders in the version before, in columns: the number of the one with the same values
    and the same seed, null if there is none; whether its recipe is the same; and of its picture
    what `MapCells` says.
    """

    version: int
    numbers: list[int]
    before: list[int | None]
    same: list[bool]
    files: list[str | None]
    thumbnails: list[str | None]


class MapCells(View):
    """Some renders as they are now, in columns: the byte of each as in the map, the first digits
    of its file's digest, and where its thumbnail is: its atlas, its place there from the top left,
    and its mean colour, like `8x3-0123456789ab:5:a0b1c2`. Both are null without a picture.
    """

    numbers: list[int]
    codes: list[int]
    files: list[str | None]
    thumbnails: list[str | None]
