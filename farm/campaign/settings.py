"""The settings of renders: what a campaign says for all of them, and what an axis may vary."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticKnownError

from actors.models.schedulers import SCHEDULERS
from farm.campaign.axes import Axis, Scalar
from farm.campaign.seeds import SEED_LIMIT
from farm.campaign.sources import (
    FILES,
    NONE,
    ControlKind,
    ControlScale,
    FileName,
    LikenessPart,
    Scale,
    Strength,
    UpscaleBy,
)
from farm.documents.foreign_words import scheduler_hint
from farm.problems import shown_value

MAX_SIDE = 4096

_SIDE = re.compile(r"(?<![\d.-])[1-9]\d{0,4}(?![\d.])")
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


def _size(value: object) -> object:
    """`128x128` as (width, height)."""
    if isinstance(value, str):
        sides = value.lower().split("x")
        if len(sides) == 2 and all(side.strip().isdecimal() for side in sides):
            value = [int(side) for side in sides]
    if (
        not isinstance(value, list | tuple)
        or len(value) != 2
        or not all(type(side) is int for side in value)
    ):
        raise ValueError(f"a size is written WIDTHxHEIGHT, like {_size_like(value)}.")
    for side in value:
        if side < 8 or side > MAX_SIDE:
            raise ValueError(f"a side must be from 8 to {MAX_SIDE} pixels, not {side}.")
        if side % 8:
            raise ValueError(
                f"a side must be a multiple of 8, which {side} is not: {side // 8 * 8 or 8} and"
                f" {side // 8 * 8 + 8} are."
            )
    return tuple(value)


def _size_like(value: object) -> str:
    """A size with the numbers that somebody wrote in another way, like 64×64."""
    numbers = _SIDE.findall(str(value))
    return "x".join((numbers * 2)[:2]) if len(numbers) in (1, 2) else "128x128"


def _scheduler(value: object) -> object:
    if not isinstance(value, str) or value not in SCHEDULERS:
        raise ValueError(
            f"there is no scheduler {shown_value(value)}: {scheduler_hint(str(value), SCHEDULERS)}"
        )
    return value


Steps = Annotated[int, Field(ge=1, le=1000)]
Guidance = Annotated[float, Field(ge=0, le=100)]
Scheduler = Annotated[str, BeforeValidator(_scheduler)]
Size = Annotated[tuple[int, int], BeforeValidator(_size)]
Batch = Annotated[int, Field(ge=1, le=256)]
AUTO: Literal["auto"] = "auto"
"""A batch that begins as the model's own, and is halved for the sizes that do not fit a device."""
_NUMBER: TypeAdapter[int] = TypeAdapter(Batch, config=ConfigDict(strict=True))


def _batch(value: Any) -> Any:
    """One mistake is told, that of the number, and not another one for each kind of value."""
    if value is None or value == AUTO:
        return value
    try:
        return _NUMBER.validate_python(value)
    except ValidationError as exc:
        error: Any = exc.errors()[0]
        raise PydanticKnownError(error["type"], error.get("ctx")) from None


BatchOrAuto = Annotated[Batch | Literal["auto"], BeforeValidator(_batch)]
Dtype = Literal["float32", "bfloat16", "float16"]


def _own(value: object) -> object:
    """On an axis, `none` is the model's own."""
    return None if value == NONE else value


Spacing = Annotated[Literal["leading", "linspace", "trailing"] | None, BeforeValidator(_own)]
TerminalSnr = Annotated[Literal["zero"] | None, BeforeValidator(_own)]
Eta = Annotated[float, Field(ge=0, le=1)]
ClipSkip = Annotated[int, Field(ge=0, le=11)]
Rescale = Annotated[float, Field(ge=0, le=1)]
VaeTile = Annotated[int, Field(ge=0, le=4096, multiple_of=128)]
Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]


class Settings(BaseModel):
    """What a campaign may set for all its renders, or vary. A setting that is None is the model's
    own.
    """

    model_config = _STRICT

    steps: Steps = 20
    guidance: Guidance | None = None
    scheduler: Scheduler | None = None
    size: Size | None = None
    batch: BatchOrAuto | None = None
    dtype: Dtype = "float32"
    spacing: Spacing = None
    terminal_snr: TerminalSnr = None
    eta: Eta | None = None
    clip_skip: ClipSkip | None = None
    guidance_rescale: Rescale | None = None
    vae_tile: VaeTile | None = None
    # These are for axes alone: a campaign says what all its renders begin from under `reference`,
    # `control`, `likeness`, `edit`, `upscale` and `adapters`.
    reference: FileName | None = None
    reference_mask: FileName | None = None
    strength: Strength | None = None
    control_image: FileName | None = None
    control_scale: ControlScale | None = None
    control_kind: ControlKind | None = None
    likeness_image: FileName | None = None
    likeness_scale: ControlScale | None = None
    likeness_of: LikenessPart | None = None
    upscale_by: UpscaleBy | None = None
    edit_image: FileName | None = None
    edit_image_2: FileName | None = None
    edit_image_3: FileName | None = None
    edit_image_4: FileName | None = None
    lora: FileName | None = None
    lora_scale: Scale | None = None


SETTINGS = frozenset(Settings.model_fields)
OPTIONS = ("spacing", "terminal_snr", "eta", "clip_skip", "guidance_rescale", "vae_tile")
"""Settings that an older version did not have, and that only some models take."""


def settings_of(axis: Axis, index: int) -> dict[str, Scalar]:
    """The settings that a value chooses. The campaign decides those that are empty in it."""
    return {
        name: value
        for name, value in axis.assignments(index).items()
        if name in SETTINGS and (value != "" or name in FILES)
    }
