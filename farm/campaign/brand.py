"""Brand packs: what a brand wants of its campaigns, and how a pack is merged into one.

A pack is merged before a campaign is expanded, so that no recipe knows of brands: a picture is the
same, and has the same digest, as in a campaign that says all of it itself.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from actors.recipes import rules as values
from actors.recipes.recipe import canonical_json
from farm.campaign.banned import Banned, empty_phrases
from farm.campaign.schema import BRAND_VERSION, AxisName, Campaign, DerivedSeeds
from farm.campaign.settings import (
    SETTINGS,
    Batch,
    Dtype,
    Guidance,
    Scheduler,
    Seed,
    Settings,
    Size,
    Steps,
)
from farm.campaign.syntax import find_syntax
from farm.campaign.template import Template
from farm.documents.characters import unprintable
from farm.documents.document import Document, DocumentError, Problem, did_you_mean, read_document
from farm.documents.parsed import Path_
from farm.problems import check, shown_value

Json = dict[str, Any]

MAX_TEXT = 5_000
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
_RESERVED = SETTINGS | {"seed", "prompt", "negative"}


def _text(value: object) -> object:
    if isinstance(value, str) and (char := unprintable(value)):
        raise ValueError(f"the text has {char}.")
    return value.strip() if isinstance(value, str) else value


def _color(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(
            f'{shown_value(value)} is not a colour: write one in quotes, like "#d62828".'
        )
    return value.lower()


Text = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=MAX_TEXT)]
Phrase = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=200)]
Color = Annotated[str, BeforeValidator(_color)]
Share = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=1000)]


class PackSettings(BaseModel):
    """Settings that a campaign has if it does not say otherwise."""

    model_config = _STRICT

    steps: Steps | None = None
    guidance: Guidance | None = None
    scheduler: Scheduler | None = None
    size: Size | None = None
    batch: Batch | None = None
    dtype: Dtype | None = None


class PackSeeds(BaseModel):
    """The base of seeds that are derived, if a campaign names none."""

    model_config = _STRICT

    base: Seed


class Palette(BaseModel):
    """Colours, of which a picture has some: `share` of its pixels within a difference ΔE00."""

    model_config = _STRICT

    colors: Annotated[tuple[Color, ...], Field(strict=False, min_length=1, max_length=64)]
    within: Annotated[float, Field(gt=0, le=100)] = 12.0
    share: Share = 0.05


class CopySpace(BaseModel):
    """An even area for text along a side; `busy` is the share of it that may have edges."""

    model_config = _STRICT

    side: Literal["top", "bottom", "left", "right"]
    height: Annotated[float, Field(gt=0, le=1)] | None = None
    width: Annotated[float, Field(gt=0, le=1)] | None = None
    busy: Share = 0.02


class SafeArea(BaseModel):
    """The subject stays inside; `outside` is the share of it that may be in the margin."""

    model_config = _STRICT

    margin: Annotated[float, Field(gt=0, lt=0.5)]
    outside: Share = 0.08


class AtMost(BaseModel):
    model_config = _STRICT

    at_most: Share


class AtLeast(BaseModel):
    model_config = _STRICT

    at_least: Share


class PackRules(BaseModel):
    """What every finished picture is judged by."""

    model_config = _STRICT

    copy_space: CopySpace | None = None
    safe_area: SafeArea | None = None
    border: Literal["none"] | None = None
    clipped: AtMost | None = None
    sharpness: AtLeast | None = None


class Pack(BaseModel):
    """A brand pack's file."""

    model_config = _STRICT

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
    texts: Annotated[dict[AxisName, Text], Field(max_length=100)] = {}
    negative: Annotated[str, BeforeValidator(_text), StringConstraints(max_length=MAX_TEXT)] = ""
    banned: Annotated[tuple[Phrase, ...], Field(strict=False, max_length=1000)] = ()
    models: Names | None = None
    adapters: Annotated[tuple[Text, ...], Field(strict=False, max_length=1000)] | None = None
    controls: Annotated[tuple[Text, ...], Field(strict=False, max_length=1000)] | None = None
    sizes: Annotated[tuple[Size, ...], Field(strict=False, min_length=1)] | None = None
    schedulers: Annotated[tuple[Scheduler, ...], Field(strict=False, min_length=1)] | None = None
    settings: PackSettings = PackSettings()
    locked: Annotated[tuple[str, ...], Field(strict=False)] = ()
    seeds: PackSeeds | None = None
    palette: Palette | None = None
    rules: PackRules = PackRules()
    on_violation: Literal["flag", "hold"] = "flag"

    @cached_property
    def digest(self) -> str:
        """sha256 of what the pack says, however its file is laid out."""
        return hashlib.sha256(canonical_json(self.document).encode()).hexdigest()

    @cached_property
    def document(self) -> Json:
        """The pack as it is stored: without what it does not say."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @cached_property
    def banned_words(self) -> Banned:
        return Banned(self.banned)

    @property
    def defaults(self) -> Json:
        """The settings that it sets, by their names."""
        return {name: value for name, value in self.settings if value is not None}


@dataclass(frozen=True, kw_only=True)
class Brand:
    """The version of a pack that a campaign was submitted with."""

    name: str
    version: int
    digest: str
    pack: Json = field(repr=False)

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def identity(self) -> Json:
        """What manifests and picture files say of it."""
        return {"name": self.name, "version": self.version, "digest": self.digest}

    @cached_property
    def contents(self) -> Pack:
        return Pack.model_validate(self.pack)

    @property
    def negative(self) -> str:
        """What is added to every negative prompt."""
        return self.contents.negative

    @cached_property
    def rules(self) -> values.Rules | None:
        return rules_of(self.contents)


def version_named(text: str) -> tuple[str, int] | None:
    """The name and the version in `acme@3`, or None for another text."""
    found = BRAND_VERSION.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def load_pack(path: Path) -> Pack:
    """Read and check a pack's file. Raises RequestError or DocumentError, naming file and line."""
    document = read_document(path)
    return parse_pack(document.data, document)


def parse_pack(data: Mapping[str, Any], document: Document | None = None) -> Pack:
    """Check a pack's data. Raises DocumentError with every problem found, each at its place."""
    pack = check(Pack, data, document)
    if problems := list(_problems(pack)):
        raise DocumentError(problems, document)
    return pack


def with_brand(campaign: Campaign, pack: Pack) -> Campaign:
    """A campaign with what its brand's pack adds: its texts in place of their fields, and its
    settings and its base of seeds, if the campaign has none of its own. What the pack forbids is
    found by `farm.campaign.brand_checks`.
    """
    given, seeds = campaign.settings, campaign.seeds
    settings = {
        name: value for name, value in pack.defaults.items() if name not in given.model_fields_set
    }
    changes: Json = {
        "prompt": _with_texts(campaign.prompt, pack.texts),
        "negative": _with_texts(campaign.negative, pack.texts),
        "settings": Settings.model_validate({**given.model_dump(exclude_unset=True), **settings}),
    }
    if (
        pack.seeds is not None
        and isinstance(seeds, DerivedSeeds)
        and "base" not in seeds.model_fields_set
    ):
        changes["seeds"] = seeds.model_copy(update={"base": pack.seeds.base})
    return campaign.model_copy(update=changes)


def rules_of(pack: Pack) -> values.Rules | None:
    """The rules that pictures are judged by, or None if there are none."""
    rules = pack.rules
    found = values.Rules(
        copy_space=_copy_space(rules.copy_space) if rules.copy_space else None,
        safe_area=values.SafeArea(**rules.safe_area.model_dump()) if rules.safe_area else None,
        no_border=rules.border == "none",
        clipped_at_most=rules.clipped.at_most if rules.clipped else None,
        sharpness_at_least=rules.sharpness.at_least if rules.sharpness else None,
        palette=_palette(pack.palette) if pack.palette else None,
        holds=pack.on_violation == "hold",
    )
    return None if found == values.Rules(holds=found.holds) else found


def _copy_space(space: CopySpace) -> values.CopySpace:
    share = space.height if space.height is not None else space.width
    assert share is not None  # `parse_pack` has seen to it
    return values.CopySpace(side=space.side, share=share, busy=space.busy)


def _palette(palette: Palette) -> values.Palette:
    colors = tuple(_rgb(color) for color in palette.colors)
    return values.Palette(colors=colors, within=palette.within, share=palette.share)


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def _with_texts(template: str, texts: Mapping[str, str]) -> str:
    """A template with texts in place of their fields. Braces in them stay braces."""

    def piece(before: str, name: str | None) -> str:
        said = "" if name is None else texts.get(name)
        return _escaped(before) + (f"{{{name}}}" if said is None else _escaped(said))

    return "".join(piece(before, name) for before, name in Template(template).parts)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# --- what is wrong with a pack by itself ---


def _problems(pack: Pack) -> Iterator[Problem]:
    yield from _text_problems(pack)
    for k in empty_phrases(pack.banned):
        yield Problem(("banned", k), "there is no letter and no digit in it: remove it.")
    yield from _own_banned_problems(pack)
    yield from _locked_problems(pack)
    yield from _list_problems(pack)
    space = pack.rules.copy_space
    if space is not None:
        wanted, other = (
            ("height", "width") if space.side in ("top", "bottom") else ("width", "height")
        )
        if getattr(space, other) is not None or getattr(space, wanted) is None:
            yield Problem(
                ("rules", "copy_space"),
                f"an area at the {space.side} has a {wanted}, and no {other}: write"
                f" {{side: {space.side}, {wanted}: 0.25}}.",
            )


def _text_problems(pack: Pack) -> Iterator[Problem]:
    for name in pack.texts.keys() & _RESERVED:
        yield Problem(
            ("texts", name), f"{name!r} has a meaning of its own: give the text another name."
        )
    texts: list[tuple[Path_, str]] = [(("texts", name), text) for name, text in pack.texts.items()]
    for path, text in [*texts, (("negative",), pack.negative)]:
        for syntax in find_syntax(text)[:1]:
            yield Problem(path, syntax.sentence(text))


def _own_banned_problems(pack: Pack) -> Iterator[Problem]:
    for name, text in pack.texts.items():
        for phrase in pack.banned_words.find(text):
            yield Problem(("texts", name), f"{phrase!r} stands in it, and the pack bans it.")


def _locked_problems(pack: Pack) -> Iterator[Problem]:
    for k, name in enumerate(pack.locked):
        if name not in PackSettings.model_fields:
            known = did_you_mean(name, PackSettings.model_fields)
            yield Problem(("locked", k), f"there is no setting {name!r}: {known}")
        elif name not in pack.defaults:
            yield Problem(
                ("locked", k),
                f"{name!r} is locked, and the pack does not set it: write it under `settings`.",
            )


def _list_problems(pack: Pack) -> Iterator[Problem]:
    """Settings of the pack that its own lists do not allow."""
    settings = pack.settings
    if pack.sizes is not None and settings.size is not None and settings.size not in pack.sizes:
        yield Problem(("settings", "size"), "the size is not among the pack's `sizes`.")
    if (
        pack.schedulers is not None
        and settings.scheduler is not None
        and settings.scheduler not in pack.schedulers
    ):
        yield Problem(("settings", "scheduler"), "it is not among the pack's `schedulers`.")
