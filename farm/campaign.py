"""A campaign as its file says it, checked: every mistake is found before anything is written or painted."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from actors.encoding import Encoding, Format
from actors.schedulers import SCHEDULERS
from farm.axes import Axis, AxisError, has_control_characters, parse_axis
from farm.document import Document, DocumentError, Path_, Problem, did_you_mean
from farm.seeds import SEED_LIMIT
from farm.sources import MAX_ADAPTERS, ONLY_VARIED, FileName, Lora, Reference, Scale, Strength, measure_problems, step_problems
from farm.template import Template, TemplateError

MAX_SIDE = 4096
MAX_RENDERS = 100_000_000
MAX_PROMPT = 20_000
JPEG_QUALITY = 90  # where the file names none
LATER = ("brand", "proof", "drift")

_ORDER = re.compile(r"as-written|ends-first|every-([2-9]|[1-9][0-9]{1,6})")
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


def _size(value: object) -> object:
    """`128x128` as (width, height)."""
    if isinstance(value, str):
        sides = value.lower().split("x")
        if len(sides) == 2 and all(side.strip().isdecimal() for side in sides):
            value = [int(side) for side in sides]
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(type(side) is int for side in value):
        raise ValueError("a size is written WIDTHxHEIGHT, like 128x128.")
    for side in value:
        if side < 8 or side > MAX_SIDE:
            raise ValueError(f"a side must be from 8 to {MAX_SIDE} pixels, not {side}.")
        if side % 8:
            raise ValueError(f"a side must be a multiple of 8, which {side} is not: {side // 8 * 8 or 8} and {side // 8 * 8 + 8} are.")
    return tuple(value)


def _scheduler(value: object) -> object:
    if not isinstance(value, str) or value not in SCHEDULERS:
        raise ValueError(f"there is no scheduler {value!r}: {did_you_mean(str(value), SCHEDULERS)}")
    return value


def _format(value: object) -> object:
    known = {kind.value: kind for kind in Format}
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"there is no format {value!r}: {did_you_mean(str(value), known)}")
    return known[value]


Steps = Annotated[int, Field(ge=1, le=1000)]
Guidance = Annotated[float, Field(ge=0, le=100)]
Scheduler = Annotated[str, BeforeValidator(_scheduler)]
Size = Annotated[tuple[int, int], BeforeValidator(_size)]
Batch = Annotated[int, Field(ge=1, le=256)]
Dtype = Literal["float32", "bfloat16", "float16"]
Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]


class Settings(BaseModel):
    """What a campaign may set for all its renders, or vary. What is None is the model's own."""

    model_config = _STRICT

    steps: Steps = 20
    guidance: Guidance | None = None
    scheduler: Scheduler | None = None
    size: Size | None = None
    batch: Batch | None = None
    dtype: Dtype = "float32"
    # These four are for axes alone: a campaign says what all its renders begin from under `reference` and `adapters`.
    reference: FileName | None = None
    strength: Strength | None = None
    lora: FileName | None = None
    lora_scale: Scale | None = None


SETTINGS = frozenset(Settings.model_fields)


class DerivedSeeds(BaseModel):
    """`count` seeds derived from `base`; the axes in `per` give each of their values seeds of its own."""

    model_config = _STRICT

    count: Annotated[int, Field(ge=1, le=SEED_LIMIT)]
    base: Seed = 0
    per: tuple[str, ...] = Field((), strict=False)


class Previews(BaseModel):
    """Keep a small picture of the predicted x0 every so many steps."""

    model_config = _STRICT

    every: Annotated[int, Field(ge=1)]


class Budget(BaseModel):
    """What workers' devices may give to the campaign, in hours of one."""

    model_config = _STRICT

    gpu_hours: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


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
        if not value:
            raise ValueError("the list of seeds is empty: give at least one, or {count: N}.")
        for seed in value:
            if type(seed) is not int:
                raise ValueError(f"the seed {seed!r} is not a whole number.")
            if not 0 <= seed < SEED_LIMIT:
                raise ValueError(f"the seed {seed} is out of range: seeds go from 0 to {SEED_LIMIT - 1}.")
        if len(set(value)) < len(value):
            raise ValueError("a seed stands twice in the list: remove one.")
        return tuple(value)
    if isinstance(value, DerivedSeeds):
        return value
    if isinstance(value, Mapping):
        try:
            return DerivedSeeds.model_validate(value)
        except ValidationError as exc:
            problems = [_problem(error, within="seeds") for error in exc.errors()]
            raise DocumentError(problems) from exc
    raise ValueError("seeds are a list like [11, 12], or {count: 4}.")


def _template(value: object) -> object:
    if isinstance(value, str):
        if has_control_characters(value):
            raise ValueError("the text has characters that cannot be printed: remove them.")
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
        raise ValueError("a deadline is a date and a time with its zone, like 2026-12-01T12:00:00Z.")
    return moment.astimezone(UTC).isoformat()


def _order(value: object) -> object:
    if not isinstance(value, str) or not _ORDER.fullmatch(value):
        raise ValueError(f"the order {value!r} is not known: as-written, ends-first, or every-N with N from 2 on, like every-10.")
    return value


TemplateText = Annotated[str, BeforeValidator(_template), StringConstraints(max_length=MAX_PROMPT)]
AxisName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=60)]


class Campaign(BaseModel):
    """A campaign file. Its CSV files are read in already; see `farm.campaign_file`."""

    model_config = _STRICT

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    prompt: Annotated[TemplateText, StringConstraints(min_length=1)]
    negative: TemplateText = ""
    vary: Annotated[dict[AxisName, Any], Field(max_length=20)] = {}
    skip: Annotated[tuple[dict[str, Any], ...], Field(strict=False, max_length=1000)] = ()
    settings: Settings = Settings()
    reference: Reference | None = None
    adapters: Annotated[tuple[Lora, ...], Field(strict=False, max_length=MAX_ADAPTERS)] = ()
    seeds: Annotated[tuple[int, ...] | DerivedSeeds, BeforeValidator(_seeds)] = DerivedSeeds(count=1)
    previews: Previews | None = None
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
        return None if self.budget is None else self.budget.gpu_hours * 3600

    @property
    def encoding(self) -> Encoding:
        return self.output.encoding

    @property
    def files(self) -> str:
        """How its files are written: two campaigns in which this is equal write the same files for the same recipe."""
        return f"{self.encoding.name}+previews-{self.previews.every}" if self.previews else self.encoding.name

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(parse_axis(name, raw) for name, raw in self.vary.items())

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        problems = list(_axis_problems(self.vary)) or [
            *_variable_problems(self),
            *_setting_problems(self),
            *_source_problems(self),
            *_skip_problems(self),
            *_seed_problems(self),
        ]
        problems = problems or list(step_problems(self.reference, self.axes, self.settings.steps))
        if problems:
            raise DocumentError(problems)
        return self


def parse_campaign(data: Mapping[str, Any], document: Document | None = None) -> Campaign:
    """Check a campaign's data. Raises DocumentError with every problem found, each at its place in the document."""
    try:
        early = [Problem((key,), f"{key!r} is not supported yet by this version: remove it.") for key in data if key in LATER]
        if early:
            raise DocumentError(early)
        return Campaign.model_validate(dict(data))
    except DocumentError as exc:
        raise DocumentError(exc.problems, document) from None
    except ValidationError as exc:
        raise DocumentError([_problem(error) for error in exc.errors()], document) from None


def _axis_problems(vary: Mapping[str, object]) -> Iterable[Problem]:
    for name, raw in vary.items():
        try:
            parse_axis(name, raw)
        except AxisError as exc:
            yield Problem(("vary", name) if exc.index is None else ("vary", name, exc.index), str(exc))


def _variable_problems(campaign: Campaign) -> Iterable[Problem]:
    owners: dict[str, str] = {}
    for axis in campaign.axes:
        for variable in axis.variables:
            if variable in owners:
                yield Problem(("vary", axis.name), f"{variable!r} is set by the axis {owners[variable]!r} already: one of them must go.")
            owners[variable] = axis.name
    fields = {"prompt": Template(campaign.prompt).fields, "negative": Template(campaign.negative).fields}
    for key, names in fields.items():
        for name in sorted(names - set(owners)):
            message = f"the template has {{{name}}}, but no axis in `vary` sets it: add an axis {name!r}"
            yield Problem((key,), f"{message}, or {did_you_mean(name, owners)}" if owners else f"{message}.")
    used = fields["prompt"] | fields["negative"] | SETTINGS
    for axis in campaign.axes:
        if not axis.variables & used:
            needed = ", ".join(f"{{{name}}}" for name in sorted(axis.variables))
            yield Problem(
                ("vary", axis.name),
                f"the axis is never used: put {needed} into the prompt, or remove it ({did_you_mean(axis.name, SETTINGS)})",
            )
            continue
        for variable in sorted(axis.variables - used):
            # A column that nothing uses is a note to oneself; one that is nearly a setting's name is a slip.
            if near := get_close_matches(variable, used, n=1, cutoff=0.75):
                yield Problem(("vary", axis.name), f"nothing uses {variable!r}: did you mean {near[0]!r}?")


def _setting_problems(campaign: Campaign) -> Iterable[Problem]:
    for axis in campaign.axes:
        if not axis.variables & SETTINGS:
            continue
        seen: dict[object, int] = {}
        for index in range(len(axis.values)):
            chosen = {name: value for name, value in axis.assignments(index).items() if name in SETTINGS}
            try:
                settings = Settings.model_validate({**campaign.settings.model_dump(), **chosen})
            except ValidationError as exc:
                yield Problem(("vary", axis.name, index), _problem(exc.errors()[0]).message)
                continue
            first = seen.setdefault(settings, index)
            if first != index and axis.variables <= SETTINGS:
                yield Problem(("vary", axis.name, index), f"the value stands twice in the axis (first at {first}): remove one.")


def _source_problems(campaign: Campaign) -> Iterable[Problem]:
    for name, written in ONLY_VARIED.items():
        if getattr(campaign.settings, name) is not None:
            yield Problem(("settings", name), f"only an axis sets {name!r} alone; for all renders it is written `{written}`.")
    yield from measure_problems(campaign.reference, campaign.axes)


def _skip_problems(campaign: Campaign) -> Iterable[Problem]:
    values: dict[str, set[str]] = {}
    for axis in campaign.axes:
        for index in range(len(axis.values)):
            for variable, value in axis.assignments(index).items():
                values.setdefault(variable, set()).add(str(value))
    for k, rule in enumerate(campaign.skip):
        if not rule:
            yield Problem(("skip", k), "the rule is empty and would skip everything: name what it skips.")
        for variable, value in rule.items():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                yield Problem(("skip", k, variable), "a rule names one text or number of an axis; put words like true in quotes.")
            elif variable not in values:
                yield Problem(("skip", k, variable), f"no axis sets {variable!r}: {did_you_mean(variable, values)}")
            elif str(value) not in values[variable]:
                yield Problem(("skip", k, variable), f"{value!r} is no value of {variable!r}: {did_you_mean(str(value), values[variable])}")


def _seed_problems(campaign: Campaign) -> Iterable[Problem]:
    if not isinstance(campaign.seeds, DerivedSeeds):
        return
    names = {axis.name for axis in campaign.axes}
    for k, name in enumerate(campaign.seeds.per):
        if name not in names:
            yield Problem(("seeds", "per", k), f"there is no axis {name!r}: {did_you_mean(name, names)}")
    if len(set(campaign.seeds.per)) < len(campaign.seeds.per):
        yield Problem(("seeds", "per"), "an axis stands twice: remove one.")


_KEYS: dict[str, Iterable[str]] = {
    "": Campaign.model_fields,
    "settings": SETTINGS,
    "seeds": DerivedSeeds.model_fields,
    "previews": Previews.model_fields,
    "reference": Reference.model_fields,
    "adapters": Lora.model_fields,
    "output": Output.model_fields,
    "budget": Budget.model_fields,
}


def _problem(error: ErrorDetails, within: str | None = None) -> Problem:
    """One of pydantic's errors as a sentence of ours; `within` is the section that was checked alone."""
    outer = () if within is None else (within,)
    path: Path_ = (*outer, *(part for part in error["loc"] if part != "[key]"))
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            section = next((str(part) for part in path[-2::-1] if isinstance(part, str)), "")
            message = f"unknown key {path[-1]!r}: {did_you_mean(str(path[-1]), _KEYS.get(section, ()))}"
        case "missing":
            message = f"the key {path[-1]!r} is missing."
            path = path[:-1]
        case "value_error":
            message = str(context["error"])
        case "string_pattern_mismatch" if path == ("name",):
            message = f"{error['input']!r} cannot name a campaign: use small letters, digits and hyphens, like spring-launch."
        case "string_pattern_mismatch":
            message = f"{error['input']!r} cannot name an axis: use letters, digits and underscores."
        case _:
            message = f"{_short(error['input'])} will not do: {error['msg'][0].lower()}{error['msg'][1:]}."
    return Problem(path, message)


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of more than 4300 digits
        return "the number"
    return text if len(text) <= 60 else f"{text[:57]}..."
