"""What the API takes: parameters of its paths and queries, and the bodies of orders. Numbers are
numbers here, never texts of them.
"""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from storage.states import RejectReason, Stage, Verdict

_NAME = r"^[a-z0-9][a-z0-9-]*$"
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]+$"
_STRICT = ConfigDict(extra="forbid", strict=True)

Project = Annotated[str, Query(pattern=_NAME, max_length=80)]
Name = Annotated[str, Path(pattern=_NAME, max_length=80)]

Version = Annotated[
    int | None,
    Query(
        ge=1, lt=2**31, description="A version that an update has replaced, or the present one."
    ),
]


AtStage = Annotated[Stage, Query(description="Finals, or the proofs of the campaign.")]
Bound = Annotated[float | None, Query(ge=0, le=1, description="Of drift, 0 to 1.")]
RuleName = Annotated[
    Literal["copy_space", "safe_area", "border", "clipped", "sharpness", "palette"] | None,
    Query(description="A rule of a brand."),
]


def _whole(value: object) -> object:
    """JSON knows one kind of number: 3.0 is the integer 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Every parser of JSON reads integers below this one alike; no campaign has so many renders.
Number = Annotated[int, Field(ge=0, lt=2**53), BeforeValidator(_whole)]
Workers = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_whole)]


Who = Annotated[str, Field(min_length=1, max_length=120, pattern=_PRINTABLE)]
"""Who gives an order, in their own words: shown with it, and no evidence of anything."""


class Submission(BaseModel):
    """A campaign to submit; its CSV files are read in already."""

    model_config = _STRICT

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    campaign: dict[str, Any]
    dry_run: bool = False
    update: bool = False
    fresh: bool = False


class Estimating(BaseModel):
    """A campaign to estimate, as its contents or as the text that people write, with the CSV files
    that the text names; and for how many workers, as many as the farm may have if none are given.
    """

    model_config = _STRICT

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    campaign: dict[str, Any] | None = None
    text: Annotated[str, Field(max_length=64 * 1024 * 1024)] | None = None
    files: Annotated[dict[str, str], Field(max_length=100)] = {}
    workers: Annotated[int, Field(ge=1, le=1_000), BeforeValidator(_whole)] | None = None


class Probing(BaseModel):
    """A campaign of which the first renders shall be painted."""

    model_config = _STRICT

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    campaign: dict[str, Any]
    renders: Annotated[int, Field(ge=1, le=1_000), BeforeValidator(_whole)]


class PromptQuestion(BaseModel):
    """A campaign whose prompts are wanted, the first `limit` of them."""

    model_config = _STRICT

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    campaign: dict[str, Any]
    limit: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(_whole)] = 100


class NewBrand(BaseModel):
    """A brand pack, as its file says it."""

    model_config = _STRICT

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    pack: dict[str, Any]


class Calibrating(BaseModel):
    """How far pictures may end from their anchors, if not as far as their campaign says."""

    model_config = _STRICT

    limit: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None


class Measured(BaseModel):
    """How much of a composition a model's seed decides, and the name of the measure."""

    model_config = _STRICT

    grip: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    measure: Annotated[str, Field(pattern=r"^layout@[1-9][0-9]{0,3}$")]


class Retry(BaseModel):
    """Which renders to try again: those that failed, those that are held, or one of either."""

    model_config = _STRICT

    failed: bool = True
    held: bool = True
    render: Number | None = None


class Repaint(BaseModel):
    """Which renders to paint once more, in a campaign of their own."""

    model_config = _STRICT

    numbers: Annotated[list[Number], Field(min_length=1, max_length=100_000)]


class PutBack(BaseModel):
    """Files that a repair has painted take their places, those of the renders after this
    number.
    """

    model_config = _STRICT

    after: Annotated[int, Field(ge=-1, lt=2**53), BeforeValidator(_whole)] = -1


class Cleaning(BaseModel):
    """Remove the files that no render has any more, or only say what they are."""

    model_config = _STRICT

    dry_run: bool = False


class _Entry(BaseModel):
    """What every entry in the log of decisions has. `client` and `sequence` name it: a request
    that is sent again counts once.
    """

    model_config = _STRICT

    client: Annotated[str, Field(min_length=1, max_length=64, pattern=_PRINTABLE)]
    sequence: Number
    by: Who | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None


Numbers = Annotated[list[Number], Field(min_length=1, max_length=100_000)]


class Review(_Entry):
    """A decision about the renders named by number, or about all undecided ones to which the rest
    applies.
    """

    verdict: Annotated[Verdict, Field(strict=False)]
    numbers: Numbers | None = None
    shot: Annotated[str, Field(max_length=200)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32), BeforeValidator(_whole)] | None = None
    where: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=100)] = []
    drift_below: Annotated[float, Field(gt=0, le=1)] | None = None
    rule: Annotated[str, Field(max_length=100)] | None = None
    reason: Annotated[RejectReason, Field(strict=False)] | None = None
    reroll: bool = False
    dry_run: bool = False


class Undo(_Entry):
    """Take a decision back: the last one that counts, or the entry named."""

    entry: Number | None = None


class Redo(_Entry):
    """Paint renders again, with another seed, another prompt, or both."""

    numbers: Numbers
    seed: Annotated[int, Field(ge=0, lt=2**32), BeforeValidator(_whole)] | None = None
    next_seed: bool = False
    prompt: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None


class Priority(BaseModel):
    """A campaign's place among the others: 0 to 100, higher goes first."""

    model_config = _STRICT

    priority: Annotated[int, Field(ge=0, le=100), BeforeValidator(_whole)]


class Scaling(BaseModel):
    """How many workers there are at least and at most, and whether their number is to stay. A
    field that is null stays as it is; `default` takes every order back first.
    """

    model_config = _STRICT

    floor: Workers | None = None
    ceiling: Workers | None = None
    frozen: bool | None = None
    default: bool = False
    by: Who | None = None


class Drain(BaseModel):
    """A worker, or a node by its id or its host's name, that is to go once it has nothing; `undo`
    takes that back.
    """

    model_config = _STRICT

    target: Annotated[str, Field(min_length=1, max_length=255, pattern=_PRINTABLE)]
    undo: bool = False
    by: Who | None = None


class PreviewPruning(BaseModel):
    """Campaigns of which no preview is kept: those named, or those that have been over for so
    long.
    """

    model_config = _STRICT

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    names: Annotated[
        list[Annotated[str, Field(pattern=_NAME, max_length=80)]], Field(max_length=10_000)
    ] = []
    older_than_s: Annotated[float, Field(ge=0, le=1e11)] | None = None
    dry_run: bool = False


class Pruning(BaseModel):
    """Campaigns to forget: those named, or those of a project that have been over for so long. A
    null `project` stands for all. With neither names nor an age, only what an earlier pruning has
    begun is finished. `over_before`, seconds since 1970 by the clock of the database, takes the
    place of `older_than_s`.
    """

    model_config = _STRICT

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] | None = "default"
    names: Annotated[
        list[Annotated[str, Field(pattern=_NAME, max_length=80)]], Field(max_length=10_000)
    ] = []
    older_than_s: Annotated[float, Field(ge=0, le=1e11)] | None = None
    over_before: Annotated[float, Field(ge=0, le=1e11)] | None = None
    dry_run: bool = False
    with_pictures: bool = False
