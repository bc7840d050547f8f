"""The API's answers about single renders, as frozen values."""

from farm.results.line import LineRules, PlannedLine
from farm.service.views import View


class StagePicture(View):
    """A render at one stage, as a proof or as a final, once it has ended there. `version` is a
    few digits that change with the picture; None if there is none. `steps` are those whose looks
    are kept, `drift` is from its anchor.
    """

    stage: str
    state: str
    reason: str
    detail: str | None
    version: str | None
    key: str | None
    bytes: int | None
    steps: list[int]
    rules: LineRules | None
    drift: float | None
    attempts: int
    worker: str | None
    numerics_class: str | None
    seconds: float | None
    finished_at: float | None


class VerdictView(View):
    """The decision about a render that counts. `decided_at` is in seconds since 1970."""

    verdict: str
    reason: str | None
    note: str | None
    by: str | None
    decided_at: float


class CellVersion(View):
    """One of the pictures that were asked for of one shot and seed."""

    number: int
    version: int
    seed: int


class ShotNeighbour(View):
    """A render of another shot with the same place among the seeds."""

    number: int
    coordinates: dict[str, str]


class RenderBefore(View):
    """The render with the same coordinates and seed in the version before."""

    version: int
    number: int
    is_same: bool


class RenderDetails(View):
    """All that the farm knows of a render, whether it has ended or not. `same_shot` has the
    numbers of the renders of its shot, itself among them; `same_seed` the nearest shots, for each
    the render at the same place among the seeds; `versions` all pictures of its shot and seed.
    """

    render: PlannedLine
    project: str
    has_proofs: bool
    pictures: list[StagePicture]
    verdict: VerdictView | None
    same_shot: list[CellVersion]
    same_seed: list[ShotNeighbour]
    versions: list[CellVersion]
    previous: int | None
    next: int | None
    before: RenderBefore | None


class StepLook(View):
    """A look at a picture after one of its steps, with its drift from the picture's anchor."""

    step: int | None
    drift: float | None


class StepLooks(View):
    """The looks at the steps of a render, in their order, the finished picture last."""

    number: int
    looks: list[StepLook]
