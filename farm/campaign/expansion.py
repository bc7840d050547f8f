"""From a campaign to its renders, one at a time: any render is computed from its place, none is
kept.

A *number* is a render's place in the whole campaign: all axes in the order of the file, seeds
innermost. An *ordinal* is its place within its group, the renders whose settings are the same.
Skipped cells keep their numbers and ordinals, empty.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from pathlib import PurePath
from typing import Any

from actors.models.families import Family, family_of
from actors.models.models import Model
from actors.models.schedulers import scheduler_config
from actors.recipes.recipe import Adapter, Group, Recipe, canonical_json
from farm.campaign.axes import Axis, Scalar
from farm.campaign.schema import SETTINGS, Campaign, Settings, settings_of
from farm.campaign.seeding import DERIVATION, Seeding
from farm.campaign.skipping import Skipping
from farm.campaign.sources import DEFAULT_SCALE, DEFAULT_STRENGTH, FILES, NONE, Sources
from farm.campaign.template import Template
from farm.campaign.texts import filled
from storage.errors import RequestError

_SLUG = 60
_DEVICE = re.compile(
    r"^(con|prn|aux|nul|com\d|lpt\d)\."
)  # on Windows, no file or folder can have a name that begins so
_SIGN = re.compile(r"(?<![\w.])[+-](?=\.?\d)")  # of a number: a hyphen is no sign


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One cell of the product of axes."""

    coordinates: Mapping[str, Any]
    told: Mapping[str, Any]
    """The coordinates with the digests of files in place of their addresses."""
    prompt: str
    negative: str
    reference: str | None = None
    """The address of the picture that it begins from."""
    derivation: int = DERIVATION

    @cached_property
    def key(self) -> str:
        """A folder name that a person can read: the values, and sixteen digits of a hash that
        keeps alike ones apart.

        Axes are sorted, so that a shot keeps its name when a campaign's axes are put in another
        order.
        """
        words = "_".join(
            _slug(name, self.coordinates[name], self.derivation)
            for name in sorted(self.coordinates)
        )[:_SLUG].strip("-_")
        words = _DEVICE.sub(r"\1-", words)
        digest = hashlib.sha256(canonical_json(dict(self.told)).encode()).hexdigest()[:16]
        return f"{words}_{digest}" if words else f"shot_{digest}"


@dataclass(frozen=True, kw_only=True)
class Render:
    """One shot with one seed."""

    number: int
    shot: Shot
    seed: int


def _slug(axis: str, value: object, derivation: int) -> str:
    parts = value if isinstance(value, Mapping) else {axis: value}
    text = " ".join(
        (PurePath(str(part)).stem if name in FILES else str(part)) or NONE
        for name, part in parts.items()
    )
    if derivation > 1:
        text = _SIGN.sub(lambda found: "plus-" if found[0] == "+" else "minus-", text)
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


class Expansion:
    """All renders of a campaign for a model."""

    def __init__(
        self,
        campaign: Campaign,
        model: Model,
        sources: Sources | None = None,
        derivation: int = DERIVATION,
    ) -> None:
        """`derivation` is how seeds and names are derived, as the campaign's spec records it; see
        `farm.campaign.seeding`.
        """
        self.campaign = campaign
        self.model = model
        self.sources = sources or Sources()
        self.axes = campaign.axes
        self._prompt = Template(campaign.prompt)
        self._negative = Template(campaign.negative)
        self._sizes = [len(axis.values) for axis in self.axes]
        # Of each axis, its values in classes that set the same settings: a group is a choice of
        # one class of each.
        self._classes = [_classes(axis) for axis in self.axes]
        self._class_counts = [len(classes) for classes in self._classes]
        self._class_of = [
            {i: k for k, values in enumerate(classes) for i in values} if len(classes) > 1 else {}
            for classes in self._classes
        ]
        self._derivation = derivation
        self.seeding = Seeding(campaign, self.axes, self.sources, derivation)
        self.skipping = Skipping(campaign, self.axes, self.seeding, derivation)
        self.group = lru_cache(maxsize=256)(self._group)

    @cached_property
    def family(self) -> Family:
        family = family_of(self.model.pipeline)
        if family is None:
            raise RequestError(f"This version cannot paint with a {self.model.pipeline}.")
        return family

    @property
    def schedulers(self) -> tuple[str, ...]:
        """Those that it can be painted with; the first is the one of renders that name none."""
        return self.model.schedulers or self.family.schedulers

    @property
    def seeds_per_shot(self) -> int:
        """The most that any shot has; the number of a render is the number of its shot times this,
        and its seed's place.
        """
        return self.seeding.per_shot

    @cached_property
    def locked_seeds(self) -> tuple[int, ...] | None:
        """The seeds that every shot has, or None if some axis or row has its own."""
        return self.seeding.locked

    @property
    def has_gaps(self) -> bool:
        """Whether some places of renders are empty, because cells are skipped or have fewer seeds
        than others.
        """
        return bool(self.campaign.skip) or not self.seeding.is_even

    @cached_property
    def groups(self) -> int:
        return prod(self._class_counts)

    def first_cell(self, group_no: int) -> list[int]:
        """The index into each axis of a group's first shot, skipped or not."""
        return self._cell(group_no, 0)

    def shots_in_group(self, group_no: int) -> int:
        """Cells of a group, skipped ones too."""
        return prod(len(values) for values in self._chosen(group_no))

    @cached_property
    def total(self) -> int:
        """How many renders there are, without expanding them."""
        return self.skipping.total()

    def _group(self, group_no: int) -> Group:
        """What the renders of a group share; `group` is this, remembered."""
        settings = self.settings(group_no)
        width, height = settings.size or self.model.size
        guidance = self.model.guidance if settings.guidance is None else settings.guidance
        scheduler, config = self.scheduler_of(settings)
        has_reference = settings.reference not in (None, NONE)
        return Group(
            model=self.model.digest,
            pipeline=(self.model.image_to_image if has_reference else None) or self.model.pipeline,
            steps=settings.steps,
            guidance=None if guidance is None else float(guidance),
            scheduler=scheduler,
            scheduler_config=config,
            width=width,
            height=height,
            dtype=settings.dtype,
            batch=settings.batch or self.model.batch,
            strength=(settings.strength or DEFAULT_STRENGTH) if has_reference else None,
            adapters=tuple(
                Adapter(digest=self.sources.adapters[path], scale=scale)
                for path, scale in self._adapters(settings)
            ),
        )

    def settings(self, group_no: int) -> Settings:
        """The settings of a group, as its first cell has them."""
        return self._settings([values[0] for values in self._chosen(group_no)])

    def scheduler_of(self, settings: Settings) -> tuple[str, dict[str, Any]]:
        """The name of the scheduler that renders with these settings have, and its config."""
        name = settings.scheduler or self.schedulers[0]
        return name, scheduler_config(name, self.model.scheduler_config, self.model.assumed)

    def adapter_paths(self, group_no: int) -> tuple[str, ...]:
        """The files of a group's adapters, in the group's order."""
        return tuple(path for path, _ in self._adapters(self.settings(group_no)))

    def recipe(self, group_no: int, render: Render) -> Recipe:
        shot, reference = render.shot, self.reference(render)
        return Recipe(
            group=self.group(group_no),
            prompt=shot.prompt,
            negative=shot.negative,
            seed=render.seed,
            reference=reference,
        )

    def reference(self, render: Render) -> str | None:
        """The digest of the picture that a render begins from."""
        return (
            None
            if render.shot.reference is None
            else self.sources.references[render.shot.reference]
        )

    def renders(self, group_no: int, start: int, stop: int) -> Iterator[Render]:
        """The renders of a group from one ordinal up to but not including another, without the
        skipped ones.
        """
        per_shot = self.seeds_per_shot
        for shot_no in range(start // per_shot, -(-stop // per_shot)):
            cell = self._cell(group_no, shot_no)
            count, left_out = self.seeding.count(cell), self.skipping.left_out(cell)
            if len(left_out) == count:
                continue
            shot = self._shot(cell)
            first = _number(cell, self._sizes) * per_shot
            for k in range(
                max(start - shot_no * per_shot, 0), min(stop - shot_no * per_shot, count)
            ):
                if k not in left_out:
                    yield Render(number=first + k, shot=shot, seed=self.seeding.seed(cell, k))

    def all_renders(self) -> Iterator[tuple[int, Render]]:
        """Every render with its group, group by group."""
        for group_no in range(self.groups):
            for render in self.renders(
                group_no, 0, self.shots_in_group(group_no) * self.seeds_per_shot
            ):
                yield group_no, render

    def render(self, number: int) -> tuple[int, Render]:
        """The group and the render at a number."""
        cell_no, k = divmod(number, self.seeds_per_shot)
        cell = _digits(cell_no, self._sizes)
        return self._group_of(cell), Render(
            number=number, shot=self._shot(cell), seed=self.seeding.seed(cell, k)
        )

    def numbers(self, group_no: int) -> Iterator[int]:
        """The numbers of a group's renders in order, without working out what they are."""
        for shot_no in range(self.shots_in_group(group_no)):
            cell = self._cell(group_no, shot_no)
            first = _number(cell, self._sizes) * self.seeds_per_shot
            yield from (first + k for k in self._places(cell))

    def has(self, number: int) -> bool:
        """Whether there is a render of that number."""
        cell_no, k = divmod(number, self.seeds_per_shot)
        if not 0 <= cell_no < prod(self._sizes):
            return False
        cell = _digits(cell_no, self._sizes)
        return k < self.seeding.count(cell) and k not in self.skipping.left_out(cell)

    def is_skipped(self, number: int) -> bool:
        """Whether a rule leaves out the render that would have this number; one for which its shot
        has no seed is not left out.
        """
        cell_no, k = divmod(number, self.seeds_per_shot)
        cell = _digits(cell_no, self._sizes)
        return k < self.seeding.count(cell) and k in self.skipping.left_out(cell)

    def place(self, number: int) -> tuple[int, int]:
        """The group of a render, and its ordinal there."""
        cell_no, k = divmod(number, self.seeds_per_shot)
        cell = _digits(cell_no, self._sizes)
        group_no = self._group_of(cell)
        chosen = self._chosen(group_no)
        places = [values.index(index) for values, index in zip(chosen, cell, strict=True)]
        return (
            group_no,
            _number(places, [len(values) for values in chosen]) * self.seeds_per_shot + k,
        )

    def group_of(self, number: int) -> int:
        return self._group_of(_digits(number // self.seeds_per_shot, self._sizes))

    def number_of(self, told: Mapping[str, Any], k: int) -> int | None:
        """The number of the render with these coordinates, as a shot tells them, and the seed at
        place `k`, or None where there is no such cell.
        """
        if set(told) != set(self._value_indices):
            return None
        cell = [
            self._value_indices[axis.name].get(canonical_json(told[axis.name]))
            for axis in self.axes
        ]
        known = [index for index in cell if index is not None]
        return (
            _number(known, self._sizes) * self.seeds_per_shot + k
            if len(known) == len(cell) and k < self.seeds_per_shot
            else None
        )

    @cached_property
    def _value_indices(self) -> dict[str, dict[str, int]]:
        return {
            axis.name: {
                canonical_json(self._told(axis, index)): index for index in range(len(axis.values))
            }
            for axis in self.axes
        }

    def places_of(self, group_no: int, shot_no: int) -> Sequence[int]:
        """The places of those seeds of a group's shot that are rendered: none, if it is
        skipped.
        """
        return self._places(self._cell(group_no, shot_no))

    # --- one cell ---

    def _places(self, cell: Sequence[int]) -> Sequence[int]:
        every, left_out = range(self.seeding.count(cell)), self.skipping.left_out(cell)
        return [k for k in every if k not in left_out] if left_out else every

    def _group_of(self, cell: Sequence[int]) -> int:
        kinds = [known.get(index, 0) for known, index in zip(self._class_of, cell, strict=True)]
        return _number(kinds, self._class_counts)

    def _chosen(self, group_no: int) -> list[Sequence[int]]:
        """Of each axis, the indices of the values that a group has."""
        return [
            classes[k]
            for classes, k in zip(
                self._classes, _digits(group_no, self._class_counts), strict=True
            )
        ]

    def _cell(self, group_no: int, shot_no: int) -> list[int]:
        """The index into each axis of a group's shot."""
        chosen = self._chosen(group_no)
        places = _digits(shot_no, [len(values) for values in chosen])
        return [values[place] for values, place in zip(chosen, places, strict=True)]

    def _shot(self, cell: Sequence[int]) -> Shot:
        values: dict[str, Scalar] = {}
        for axis, index in zip(self.axes, cell, strict=True):
            values.update(axis.assignments(index))
        constant = self.campaign.reference
        reference = str(values.get("reference", constant.image if constant else NONE))
        return Shot(
            coordinates={
                axis.name: axis.values[index] for axis, index in zip(self.axes, cell, strict=True)
            },
            told={
                axis.name: self._told(axis, index)
                for axis, index in zip(self.axes, cell, strict=True)
            },
            prompt=filled(self._prompt, values, self.campaign),
            negative=filled(self._negative, values, self.campaign),
            reference=None if reference == NONE else reference,
            derivation=self._derivation,
        )

    def _told(self, axis: Axis, index: int) -> Any:
        value = axis.values[index]
        return self.sources.told(axis.name, value) if axis.variables & FILES else value

    def _adapters(self, settings: Settings) -> list[tuple[str, float]]:
        """Path and scale of what is laid over the weights: what all renders have, then what an
        axis adds.
        """
        adapters = [(adapter.lora, float(adapter.scale)) for adapter in self.campaign.adapters]
        if settings.lora is not None and settings.lora != NONE:
            adapters.append(
                (
                    settings.lora,
                    float(DEFAULT_SCALE if settings.lora_scale is None else settings.lora_scale),
                )
            )
        return adapters

    def _settings(self, cell: Sequence[int]) -> Settings:
        constant = self.campaign.reference
        changes: dict[str, Any] = (
            {"reference": constant.image, "strength": constant.strength} if constant else {}
        )
        for axis, index in zip(self.axes, cell, strict=True):
            changes.update(settings_of(axis, index))
        return Settings.model_validate({**self.campaign.settings.model_dump(), **changes})


def _classes(axis: Axis) -> list[Sequence[int]]:
    if not axis.variables & SETTINGS:
        return [range(len(axis.values))]
    kinds: dict[tuple[tuple[str, Scalar], ...], list[int]] = {}
    for index in range(len(axis.values)):
        settings = settings_of(axis, index)
        if (
            settings.get("reference", NONE) != NONE
        ):  # each picture has its own: that there is one is what a group shares
            settings["reference"] = ""
        kinds.setdefault(tuple(sorted(settings.items())), []).append(index)
    return list(kinds.values())


def _digits(number: int, sizes: Sequence[int]) -> list[int]:
    """`number` in the mixed radix of `sizes`, the last one running fastest."""
    digits = []
    for size in reversed(sizes):
        number, digit = divmod(number, size)
        digits.append(digit)
    return digits[::-1]


def _number(digits: Sequence[int], sizes: Sequence[int]) -> int:
    number = 0
    for digit, size in zip(digits, sizes, strict=True):
        number = number * size + digit
    return number
