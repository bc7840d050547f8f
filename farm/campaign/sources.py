"""What pictures are made from beside a model: the references that they begin from, and the
adapters laid over its weights.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from actors.models.upscalers import LANCZOS
from actors.recipes.recipe import canonical_json
from farm.campaign.axes import Axis, Scalar
from farm.documents.characters import unprintable
from farm.documents.document import Problem

NONE = "none"
"""On an axis: no reference, or no adapter more."""
DEFAULT_STRENGTH = 0.6
DEFAULT_SCALE = 1.0
MAX_ADAPTERS = 7  # and one of an axis: a worker keeps eight beside a model
EDITS = ("edit_image", "edit_image_2", "edit_image_3", "edit_image_4")
"""The settings that name the pictures that a render is an edit of, in their order."""
FILES = frozenset(
    {"reference", "reference_mask", "control_image", "likeness_image", *EDITS, "lora"}
)
"""The settings that name a file."""
ONLY_VARIED = {
    "reference": "reference: {image: …}",
    "reference_mask": "reference: {image: …, mask: …}",
    "strength": "reference: {image: …, strength: …}",
    "control_image": "control: {model: …, image: …}",
    "control_scale": "control: {model: …, image: …, scale: …}",
    "control_kind": "control: {model: …, image: …, kind: …}",
    "likeness_image": "likeness: {model: …, image: …}",
    "likeness_scale": "likeness: {model: …, image: …, scale: …}",
    "likeness_of": "likeness: {model: …, image: …, of: …}",
    "upscale_by": "upscale: {by: …}",
    **dict.fromkeys(EDITS, "edit: [FIRST, SECOND]"),
    "lora": "adapters: [{lora: …}]",
    "lora_scale": "adapters: [{lora: …, scale: …}]",
}
"""The settings that only an axis sets, and how what all renders have is written."""
_MEASURES = {
    "strength": "reference",
    "reference_mask": "reference",
    "control_scale": "control_image",
    "control_kind": "control_image",
    "likeness_scale": "likeness_image",
    "likeness_of": "likeness_image",
    "lora_scale": "lora",
}

_LONELY = {
    "control": ("a control image is followed by a ControlNet", "to follow"),
    "likeness": ("an IP-Adapter makes renders like a picture", "that renders are to be like"),
}
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


def _address(value: object) -> object:
    if isinstance(value, str) and (char := unprintable(value)):
        raise ValueError(f"the address has {char}.")
    if value == NONE:
        raise ValueError("only an axis has `none`: to have none, leave this out.")
    return value


Strength = Annotated[float, Field(gt=0, le=1)]
ControlKind = Literal["pose", "depth", "scribble", "canny", "normal", "segments", "tile"]
LikenessPart = Literal["all", "style", "layout"]
_NO_KIND = ("kind", None)
ControlScale = Annotated[float, Field(gt=0, le=2)]
Scale = Annotated[float, Field(ge=-4, le=4)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Address = Annotated[FileName, BeforeValidator(_address)]


class Reference(BaseModel):
    """The picture that renders begin from, a path or an s3:// address, and how far they may leave
    it. `mask` is a picture too: only what is white in it is painted anew.
    """

    model_config = _STRICT

    image: Address
    strength: Strength = DEFAULT_STRENGTH
    mask: Address | None = None

    @model_serializer(mode="wrap")
    def _as_written(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a mask that it does not have: a stored spec of before means the same."""
        return {name: value for name, value in whole(self).items() if value is not None}


class Control(BaseModel):
    """A ControlNet, by its registered name or the path of its folder, and the picture that renders
    follow: its edges, depths, poses or whatever else the ControlNet was trained with. It counts
    with `scale`, in the first of all steps up to the part `until`. A union of several is told by
    `kind` which of them it is.
    """

    model_config = _STRICT

    model: Address
    image: Address | None = None
    scale: ControlScale = DEFAULT_SCALE
    until: Annotated[float, Field(gt=0, le=1)] = 1.0
    kind: ControlKind | None = None

    @model_serializer(mode="wrap")
    def _as_written(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a kind that it does not have: a stored spec of before means the same."""
        return {name: value for name, value in whole(self).items() if (name, value) != _NO_KIND}


class Likeness(BaseModel):
    """An IP-Adapter, by its registered name or the path of its folder, and the picture that
    renders are to be like. It counts with `scale`. Of the likeness it brings all, or the style or
    the layout alone.
    """

    model_config = _STRICT

    model: Address
    image: Address | None = None
    scale: ControlScale = DEFAULT_SCALE
    of: LikenessPart = "all"


UpscaleBy = Annotated[int, Field(ge=1, le=4)]


class Upscale(BaseModel):
    """How pictures are made larger after they were painted: by how many times as many pixels a
    side, and by Lanczos or by a model, which is its registered name or the path of its folder.
    """

    model_config = _STRICT

    model: Address = LANCZOS
    by: Annotated[int, Field(ge=2, le=4)] = 2


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Edit = Annotated[
    tuple[Address, ...],
    Field(strict=False, max_length=len(EDITS)),
    BeforeValidator(_one_or_more),
]
"""The pictures that renders are edits of, paths or s3:// addresses. The prompt is the instruction,
and may call them the first, the second and so on.
"""


class Lora(BaseModel):
    """An adapter, by its registered name or the path of its file or folder, and how strongly it
    counts.
    """

    model_config = _STRICT

    lora: Address
    scale: Scale = DEFAULT_SCALE


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The digests that a campaign's files had when it was submitted, by address. They, not the
    names, decide what is painted. Masks, control images and the pictures that renders are to be
    like are among the references.
    """

    references: Mapping[str, str] = field(default_factory=dict)
    adapters: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    """Of ControlNets."""
    ip_adapters: Mapping[str, str] = field(default_factory=dict)
    upscalers: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """By address, for each of them that is registered: the version that was meant, as
    `NAME@DIGEST`.
    """
    manifests: Mapping[str, str] = field(default_factory=dict)
    """Likewise, by address: the sha256 of the list of its files."""

    def digest(self, kind: str, address: str) -> str:
        return (
            address
            if address == NONE
            else (self.adapters if kind == "lora" else self.references)[address]
        )

    def of(self, address: str | None) -> str | None:
        """The digest of one of the references, None if there is none."""
        return None if address is None else self.references[address]

    def by_content(self, name: str, value: Any) -> Any:
        """An axis' value with the digests of the files in it in place of their addresses: the same
        wherever they lie.
        """
        if isinstance(value, Mapping):
            return {part: self.by_content(part, inner) for part, inner in value.items()}
        return self.digest(name, value) if name in FILES else value


def measure_problems(
    reference: Reference | None,
    axes: Sequence[Axis],
    control: Control | None = None,
    edit: Edit = (),
    likeness: Likeness | None = None,
    upscale: Upscale | None = None,
) -> Iterator[Problem]:
    """Strengths and scales that nothing is there for, and controls, likenesses and edits that lack
    a part.
    """
    varied = {name for axis in axes for name in axis.variables}
    yield from _lonely_problems("control", control, axes, varied)
    yield from _lonely_problems("likeness", likeness, axes, varied)
    yield from _edit_problems(edit, axes, varied)
    varied |= {"reference"} if reference else set()
    varied |= {"control_image"} if control else set()
    varied |= {"likeness_image"} if likeness else set()
    if upscale is None and (axis := next((a for a in axes if "upscale_by" in a.variables), None)):
        why = "the campaign does not say how pictures are made larger: add `upscale: {by: 2}`."
        yield Problem(("vary", axis.name), why)
    for axis in axes:
        for measure, kind in _MEASURES.items():
            if measure in axis.variables and kind not in varied:
                yield Problem(
                    ("vary", axis.name),
                    f"{measure!r} is that of a {kind}, and no axis names one: vary {kind!r} too,"
                    " or remove it.",
                )


def _lonely_problems(
    key: str,
    given: Control | Likeness | None,
    axes: Iterable[Axis],
    varied: Collection[str],
) -> Iterator[Problem]:
    """Pictures without the model that follows them, or is to make renders like them, and such a
    model without a picture.
    """
    does, lacks = _LONELY[key]
    if given is None:
        for axis in axes:
            if f"{key}_image" in axis.variables:
                why = f"{does}, and the campaign names none: add `{key}: {{model: …}}`."
                yield Problem(("vary", axis.name), why)
    elif given.image is None and f"{key}_image" not in varied:
        yield Problem(
            (key,), f"it has no picture {lacks}: add `image: …`, or an axis `{key}_image`."
        )


def _edit_problems(edit: Edit, axes: Iterable[Axis], varied: Collection[str]) -> Iterator[Problem]:
    """Pictures with none before them: what the prompt calls the second would be the first."""
    for axis in axes:
        for place, (before, name) in enumerate(pairwise(EDITS)):
            if name in axis.variables and before not in varied and place >= len(edit):
                yield Problem(
                    ("vary", axis.name),
                    f"{name!r} comes after {before!r}, and nothing names that: add it to `edit`,"
                    " or vary it too.",
                )


def step_problems(
    reference: Reference | None, axes: Sequence[Axis], steps: int
) -> Iterator[Problem]:
    """Strengths so small that of all steps none is left: a picture makes the last `steps` times
    `strength` of them.
    """
    if reference is None and not any("reference" in axis.variables for axis in axes):
        return
    strength = reference.strength if reference else DEFAULT_STRENGTH
    least: dict[str, Scalar] = {
        "steps": _least(axes, "steps", steps),
        "strength": _least(axes, "strength", strength),
    }
    varied = [axis for axis in axes if axis.variables & set(least)]
    for axis in varied:
        for index in range(len(axis.values)):
            cell = {
                **least,
                **{name: value for name, value in axis.assignments(index).items() if value != ""},
            }
            if cell.get("reference") != NONE and _leaves_none(cell["steps"], cell["strength"]):
                yield Problem(
                    ("vary", axis.name, index), _no_step(cell["steps"], cell["strength"])
                )
    if not varied and _leaves_none(steps, strength):
        yield Problem(
            ("reference", "strength") if reference else ("settings", "steps"),
            _no_step(steps, strength),
        )


def _leaves_none(steps: Scalar, strength: Scalar) -> bool:
    return int(float(steps) * float(strength)) < 1


def _no_step(steps: Scalar, strength: Scalar) -> str:
    return f"of {float(steps):g} steps a strength of {strength} leaves none: raise one of them."


def _least(axes: Iterable[Axis], name: str, constant: float) -> Scalar:
    """The smallest value that a setting takes; an empty one is the constant."""
    values = (
        axis.assignments(k)[name]
        for axis in axes
        if name in axis.variables
        for k in range(len(axis.values))
    )
    return min((float(value) if value != "" else constant for value in values), default=constant)


def repeated_adapter_problems(
    sources: Sources, adapters: Sequence[Lora], axes: Iterable[Axis]
) -> Iterator[Problem]:
    """Files that are there twice under two names: two pictures of one would be the same, and two
    adapters could not be told apart.
    """
    constant: dict[str, str] = {}
    for k, adapter in enumerate(adapters):
        digest = sources.adapters[adapter.lora]
        if (first := constant.setdefault(digest, adapter.lora)) is not adapter.lora:
            yield Problem(
                ("adapters", k),
                f"the adapter stands twice ({first} is the same): remove one, and add up their"
                " scales.",
            )
    for axis in axes:
        if not axis.variables & FILES:
            continue
        seen: dict[str, int] = {}
        for index, value in enumerate(axis.values):
            content = sources.by_content(axis.name, value)
            first_index = seen.setdefault(canonical_json(content), index)
            if first_index != index:
                yield Problem(
                    ("vary", axis.name, index),
                    f"the file is the same as that of value {first_index}, by another name: remove"
                    " one.",
                )
            lora = axis.assignments(index).get("lora", NONE)
            if sources.digest("lora", str(lora)) in constant:
                yield Problem(
                    ("vary", axis.name, index),
                    "the adapter is in `adapters` already: take it out there.",
                )
