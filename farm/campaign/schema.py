"""A campaign as its file says it. Whether its parts fit together is checked in
`farm.campaign.checks`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)

from actors.recipes.drift import DriftAction
from actors.recipes.encoding import Encoding, Format
from actors.recipes.previews import Previews as KeptPreviews
from farm.campaign.axes import Axis, parse_axis
from farm.campaign.looks import Drift, Previews
from farm.campaign.seeds import SEED_LIMIT
from farm.campaign.settings import SETTINGS, Seed, Settings, Size, Steps
from farm.campaign.sources import MAX_ADAPTERS, Control, Edit, Likeness, Lora, Reference, Upscale
from farm.campaign.template import Template, TemplateError
from farm.documents.characters import unprintable
from farm.documents.document import DocumentError, Problem, did_you_mean
from farm.problems import problem_of, shown_value

MAX_RENDERS = 100_000_000
MAX_PROMPT = 20_000
JPEG_QUALITY = 90  # if the file names none

BRAND_VERSION = re.compile(r"([a-z0-9][a-z0-9-]{0,79})@([1-9][0-9]{0,8})")
_ORDER = re.compile(r"as-written|ends-first|every-([2-9]|[1-9][0-9]{1,6})")
_SIDE = re.compile(r"(?<![\d.-])[1-9]\d{0,4}(?![\d.])")
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


def _format(value: object) -> object:
    known = {kind.value: kind for kind in Format}
    if not isinstance(value, str) or value not in known:
        raise ValueError(
            f"there is no format {shown_value(value)}: {did_you_mean(str(value), known)}"
        )
    return known[value]


class DerivedSeeds(BaseModel):
    """`count` seeds derived from `base`; the axes in `per` give each of their values seeds of its
    own.
    """

    model_config = _STRICT

    count: Annotated[int, Field(ge=1, le=SEED_LIMIT)]
    base: Seed = 0
    per: tuple[str, ...] = Field((), strict=False)


class AutoApprove(BaseModel):
    """Which proofs are approved without a person: those that pass all that is named here."""

    model_config = _STRICT

    drift: Annotated[float, Field(gt=0, le=1)] | None = None
    rules: Literal["all"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.drift is None and self.rules is None:
            raise ValueError("auto_approve is empty: name a `drift`, or write `rules: all`.")
        return self


class Proof(BaseModel):
    """Cheap drafts that a person looks at before the finals are painted. `every` chooses every
    n-th shot, `first-last` the first and the last one; with neither, all shots have proofs.
    """

    model_config = _STRICT

    steps: Steps | None = None
    size: Size | None = None
    seeds: Annotated[int, Field(ge=1, le=SEED_LIMIT)] | None = None
    every: Annotated[int, Field(ge=1, le=MAX_RENDERS)] | None = None
    shots: Literal["all", "first-last"] = "all"
    auto_approve: AutoApprove | None = None


class Budget(BaseModel):
    """What workers' devices may give to the campaign, in hours of one; and what that may cost, in
    the money of the fleet file.
    """

    model_config = _STRICT

    gpu_hours: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = None
    money: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if self.gpu_hours is None and self.money is None:
            raise ValueError("it needs gpu_hours, money or both: {gpu_hours: 10} or {money: 40}.")
        return self

    @model_serializer
    def _as_written(self) -> dict[str, float]:
        """Without what it does not have: a stored spec of before means the same."""
        limits = {"gpu_hours": self.gpu_hours, "money": self.money}
        return {name: limit for name, limit in limits.items() if limit is not None}


class Output(BaseModel):
    """The format of the pictures' files, and for one that gives pixels up, its quality."""

    model_config = _STRICT

    format: Annotated[Format, BeforeValidator(_format)] = Format.PNG
    quality: Annotated[int, Field(ge=1, le=100)] | None = None

    @cached_property
    def encoding(self) -> Encoding:
        is_unsaid = self.quality is None and self.format is Format.JPEG
        return Encoding(format=self.format, quality=JPEG_QUALITY if is_unsaid else self.quality)

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        _ = self.encoding
        return self


def _seeds(value: object) -> object:
    if isinstance(value, list):
        return _listed_seeds(value)
    if isinstance(value, DerivedSeeds):
        return value
    if isinstance(value, Mapping):
        return _derived_seeds(value)
    raise ValueError("seeds are a list like [11, 12], or {count: 4}.")


def _listed_seeds(seeds: list[Any]) -> tuple[int, ...]:
    if not seeds:
        raise ValueError("the list of seeds is empty: give at least one, or {count: N}.")
    for seed in seeds:
        if type(seed) is not int:
            raise ValueError(f"the seed {shown_value(seed)} is not a whole number.")
        if not 0 <= seed < SEED_LIMIT:
            raise ValueError(
                f"the seed {shown_value(seed)} is out of range:"
                f" seeds go from 0 to {SEED_LIMIT - 1}."
            )
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands twice in the list: remove one.")
    return tuple(seeds)


def _derived_seeds(written: Mapping[str, Any]) -> DerivedSeeds:
    if isinstance(listed := written.get("list"), list):
        raise DocumentError([Problem(("seeds", "list"), _a_list_of(listed))])
    try:
        return DerivedSeeds.model_validate(written)
    except ValidationError as exc:
        keys = {"seeds": DerivedSeeds.model_fields}
        problems = [problem_of(error, keys, within="seeds") for error in exc.errors()]
        raise DocumentError(problems) from exc


def _a_list_of(seeds: list[object]) -> str:
    like = str(seeds) if 0 < len(seeds) <= 5 else "[1, 2]"
    return f"a list of seeds is written without a key of its own: `seeds: {like}`."


def _template(value: object) -> object:
    if isinstance(value, str):
        if char := unprintable(value):
            raise ValueError(f"the text has {char}.")
        try:
            Template(value)
        except TemplateError as exc:
            raise ValueError(str(exc)) from exc
    return value


def _deadline(value: object) -> object:
    """A moment, with its offset from UTC, as it is stored: in UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            "a deadline is a date and a time with its zone, like 2026-12-01T12:00:00Z."
        )
    return moment.astimezone(UTC).isoformat()


def _brand(value: object) -> object:
    """`acme@3`, or the contents of a pack, which are checked as one by `farm.campaign.brand`."""
    if isinstance(value, str) and not BRAND_VERSION.fullmatch(value):
        raise ValueError(
            f"{shown_value(value)} is not a version of a brand: write one like acme@3, which"
            " `farm brands list` shows, or the file of a pack."
        )
    if value is not None and not isinstance(value, str | Mapping):
        raise ValueError("a brand is a version like acme@3, or the file of a pack.")
    return value


def _order(value: object) -> object:
    if not isinstance(value, str) or not _ORDER.fullmatch(value):
        raise ValueError(
            f"the order {shown_value(value)} is not known: as-written, ends-first, or every-N"
            " with N from 2 on, like every-10."
        )
    return value


TemplateText = Annotated[str, BeforeValidator(_template), StringConstraints(max_length=MAX_PROMPT)]
AxisName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=60)]


class Campaign(BaseModel):
    """A campaign file. Its CSV files are read in already; see `farm.campaign.loading`."""

    model_config = _STRICT

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    prompt: Annotated[TemplateText, StringConstraints(min_length=1)]
    negative: TemplateText = ""
    brand: Annotated[str | dict[str, Any] | None, BeforeValidator(_brand)] = None
    syntax: Literal["plain", "literal"] | None = None
    emphasis: Literal["literal"] | None = None
    vary: Annotated[dict[AxisName, Any], Field(max_length=20)] = {}
    notes: Annotated[tuple[str, ...], Field(strict=False, max_length=1000)] = ()
    skip: Annotated[tuple[dict[str, Any], ...], Field(strict=False, max_length=1000)] = ()
    settings: Settings = Settings()
    reference: Reference | None = None
    control: Control | None = None
    likeness: Likeness | None = None
    edit: Edit = ()
    upscale: Upscale | None = None
    adapters: Annotated[tuple[Lora, ...], Field(strict=False, max_length=MAX_ADAPTERS)] = ()
    seeds: Annotated[tuple[int, ...] | DerivedSeeds, BeforeValidator(_seeds)] = DerivedSeeds(
        count=1
    )
    previews: Previews | None = None
    proof: Proof | None = None
    drift: Drift | None = None
    output: Output = Output()
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    max_workers: Annotated[int, Field(ge=1, le=100_000)] | None = None
    deadline: Annotated[str | None, BeforeValidator(_deadline)] = None
    budget: Budget | None = None
    order: Annotated[str, BeforeValidator(_order)] = "as-written"
    numerics: Literal["pinned", "any"] = "pinned"

    @property
    def deadline_at(self) -> float | None:
        """Seconds since 1970."""
        return None if self.deadline is None else datetime.fromisoformat(self.deadline).timestamp()

    @property
    def budget_s(self) -> float | None:
        hours = None if self.budget is None else self.budget.gpu_hours
        return None if hours is None else hours * 3600

    @property
    def budget_money(self) -> float | None:
        return None if self.budget is None else self.budget.money

    @property
    def encoding(self) -> Encoding:
        return self.output.encoding

    @property
    def files(self) -> str:
        """How its files are written: two campaigns in which this is equal write the same files for
        the same recipe.
        """
        kept = self.kept_previews
        return f"{self.encoding.name}+previews-{kept.name}" if kept else self.encoding.name

    @property
    def kept_previews(self) -> KeptPreviews | None:
        """The steps of which pictures are kept, as a worker is told: also that at which drift is
        looked at, if it may stop a picture.
        """
        kept = self.previews.kept if self.previews else None
        if self.drift is None or self.drift.action is not DriftAction.STOP:
            return kept
        kept = kept or KeptPreviews()
        return replace(kept, at=tuple(sorted({*kept.at, self.drift.at})))

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(parse_axis(name, raw) for name, raw in self.vary.items())


def fields_of(campaign: Campaign) -> frozenset[str]:
    """The names in the templates."""
    return Template(campaign.prompt).fields | Template(campaign.negative).fields


def used_variables(campaign: Campaign) -> frozenset[str]:
    """The names that decide what is painted: those in the templates, settings, a row's own `seed`,
    and columns that `seeds` names.
    """
    per = campaign.seeds.per if isinstance(campaign.seeds, DerivedSeeds) else ()
    columns = set(per) - {axis.name for axis in campaign.axes}
    return fields_of(campaign) | SETTINGS | {"seed"} | columns
