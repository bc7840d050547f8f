"""From a campaign to its renders, one at a time: each is computed from its place, none is stored.

A *number* is a render's place in the whole campaign: all axes in the order of the file, seeds
innermost. An *ordinal* is its place within its group, the renders whose settings are the same.
Skipped cells keep their numbers and ordinals, empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from actors.models.families import family_of
from actors.models.family import Family
from actors.models.models import Model
from actors.recipes.guidance import GuidanceKind
from actors.recipes.recipe import Group, Recipe, canonical_json
from farm.campaign.axes import Axis, Scalar
from farm.campaign.batches import batch_of
from farm.campaign.beside import Beside, beside
from farm.campaign.brand import Brand
from farm.campaign.cells import Cells, by_content
from farm.campaign.grid import Grid
from farm.campaign.groups import config_of, group_of
from farm.campaign.schema import Campaign
from farm.campaign.seeding import DERIVATION, Seeding
from farm.campaign.settings import SETTINGS, Settings, settings_of
from farm.campaign.shots import Redo, Render
from farm.campaign.skipping import Skipping
from farm.campaign.sources import FILES, NONE, Sources
from storage.errors import RequestError

_BESIDE = ("adapters", "control", "likeness", "upscale")


class Expansion:
    """All renders of a campaign for a model."""

    def __init__(
        self,
        campaign: Campaign,
        model: Model,
        sources: Sources | None = None,
        derivation: int = DERIVATION,
        brand: Brand | None = None,
        redos: Sequence[Redo] = (),
        smaller: Mapping[str, int] | None = None,
    ) -> None:
        """`derivation` is how seeds and names are derived, as the campaign's spec records it; see
        `farm.campaign.seeding`. The pack of `brand` is merged into `campaign` already, but for
        what is added to every negative prompt. `redos` are numbered on from the last cell of the
        grid. `smaller` has the batches that `batch: auto` found for sizes.
        """
        self.campaign, self.model, self.brand = campaign, model, brand
        self.sources = sources or Sources()
        self.axes = campaign.axes
        self.cells = Cells(campaign, self.axes, self.sources, derivation, brand)
        self.grid = Grid([_classes(axis) for axis in self.axes])
        self._derivation = derivation
        self.seeding = Seeding(campaign, self.axes, self.sources, derivation)
        self.skipping = Skipping(campaign, self.axes, self.seeding, derivation)
        self.group = lru_cache(maxsize=256)(self._group)
        self.redos = {redo.number: redo for redo in redos}
        self._smaller = smaller or {}

    @cached_property
    def family(self) -> Family:
        family = family_of(self.model.pipeline)
        if family is None:
            raise RequestError(f"This version cannot paint with a {self.model.pipeline}.")
        return family

    @property
    def guidance_kind(self) -> GuidanceKind:
        """How the number of its guidance is used; at some numbers it is none."""
        return GuidanceKind(self.model.guidance_kind or self.family.guidance_kind)

    @property
    def schedulers(self) -> tuple[str, ...]:
        """The schedulers that it can be painted with; renders that name none have the first."""
        return self.model.schedulers or self.family.schedulers

    @property
    def seeds_per_shot(self) -> int:
        """The most seeds that any shot has. The number of a render is its cell number times this,
        plus the place of its seed.
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

    @property
    def groups(self) -> int:
        return self.grid.groups

    def first_cell(self, group_no: int) -> list[int]:
        """The index into each axis of a group's first shot, skipped or not."""
        return self.grid.shot(group_no, 0)

    def shots_in_group(self, group_no: int) -> int:
        """Cells of a group, skipped ones too."""
        return self.grid.shots_in(group_no)

    @cached_property
    def total(self) -> int:
        """How many renders there are, without expanding them."""
        return self.skipping.total()

    @property
    def count(self) -> int:
        """How many renders there are, redos too."""
        return self.total + len(self.redos)

    def _group(self, group_no: int) -> Group:
        """The part of the recipe that all renders of a group share; `group` caches it."""
        beside = self.beside(group_no)
        parts = {name: getattr(beside, name) for name in _BESIDE}
        return replace(self.bare_group(group_no), **parts)

    def beside(self, group_no: int) -> Beside:
        """What a group has beside the model."""
        return beside(self.campaign, self.settings(group_no), self.sources)

    def bare_group(self, group_no: int) -> Group:
        """The same without what stands beside the model, whose files may be unknown yet."""
        settings = self.settings(group_no)
        batch = batch_of(settings, self.model, self._smaller)
        return group_of(settings, self.model, self.scheduler_of(settings), batch)

    def settings(self, group_no: int) -> Settings:
        """As a group's first cell has them."""
        return self.cells.settings(self.first_cell(group_no))

    def scheduler_of(self, settings: Settings) -> tuple[str, dict[str, Any]]:
        """The name of the scheduler that renders with these settings have, and its config."""
        name = settings.scheduler or self.schedulers[0]
        return name, config_of(name, settings, self.model)

    def recipe(self, group_no: int, render: Render) -> Recipe:
        shot, of = render.shot, self.sources.of
        return Recipe(
            group=self.group(group_no),
            prompt=shot.prompt,
            negative=shot.negative,
            seed=render.seed,
            reference=of(shot.reference),
            mask=of(shot.mask),
            control_image=of(shot.control_image),
            likeness_image=of(shot.likeness_image),
            edit=tuple(self.sources.references[address] for address in shot.edit),
        )

    def reference(self, render: Render) -> str | None:
        """The digest of the picture that a render begins from."""
        return self.sources.of(render.shot.reference)

    def renders(self, group_no: int, start: int, stop: int) -> Iterator[Render]:
        """The renders of a group from one ordinal up to but not including another, without the
        skipped ones.
        """
        per_shot = self.seeds_per_shot
        for shot_no in range(start // per_shot, -(-stop // per_shot)):
            cell = self.grid.shot(group_no, shot_no)
            count, left_out = self.seeding.count(cell), self.skipping.left_out(cell)
            if len(left_out) == count:
                continue
            shot = self.cells.shot(cell)
            first = self.grid.number(cell) * per_shot
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

    @property
    def size(self) -> int:
        """How many numbers there are: places of the grid, empty ones too, and redos."""
        return self.grid.cells * self.seeds_per_shot + len(self.redos)

    def render(self, number: int) -> tuple[int, Render]:
        """The group and the render at a number."""
        if redo := self.redos.get(number):
            group_no, render = self.render(redo.of)
            return group_no, redo.changed(render)
        cell, k = self._at(number)
        return self.grid.group_of(cell), Render(
            number=number, shot=self.cells.shot(cell), seed=self.seeding.seed(cell, k)
        )

    def numbers(self, group_no: int) -> Iterator[int]:
        """The numbers of a group's renders in order, without working out what they are."""
        for shot_no in range(self.shots_in_group(group_no)):
            cell = self.grid.shot(group_no, shot_no)
            first = self.grid.number(cell) * self.seeds_per_shot
            yield from (first + k for k in self._places(cell))

    def has(self, number: int) -> bool:
        """Whether there is a render of that number."""
        if number in self.redos:
            return True
        if not 0 <= number < self.grid.cells * self.seeds_per_shot:
            return False
        cell, k = self._at(number)
        return k < self.seeding.count(cell) and k not in self.skipping.left_out(cell)

    def is_skipped(self, number: int) -> bool:
        """Whether a rule leaves out the render that would have this number; one for which its shot
        has no seed is not left out.
        """
        cell, k = self._at(number)
        return k < self.seeding.count(cell) and k in self.skipping.left_out(cell)

    def cell(self, number: int) -> list[int]:
        """The index into each axis of a render's shot."""
        return self._at(number)[0]

    def place(self, number: int) -> tuple[int, int]:
        """The group of a render, and its ordinal there; -1 for a redo, which has none."""
        if number in self.redos:
            return self.group_of(number), -1
        cell, k = self._at(number)
        group_no, shot_no = self.grid.place(cell)
        return group_no, shot_no * self.seeds_per_shot + k

    def group_of(self, number: int) -> int:
        return self.grid.group_of(self._at(self.origin(number))[0])

    def origin(self, number: int) -> int:
        """The render whose cell and settings this one has: itself, unless it is a redo."""
        redo = self.redos.get(number)
        return number if redo is None else redo.of

    def number_of(self, by_content: Mapping[str, Any], k: int) -> int | None:
        """The number of the render with these coordinates, as `Shot.by_content` has them, and the
        seed at place `k`; None if there is no such cell.
        """
        if set(by_content) != set(self._value_indices):
            return None
        found = [
            self._value_indices[axis.name].get(canonical_json(by_content[axis.name]))
            for axis in self.axes
        ]
        cell = [index for index in found if index is not None]
        if len(cell) < len(found) or k >= self.seeds_per_shot:
            return None
        return self.grid.number(cell) * self.seeds_per_shot + k

    @cached_property
    def _value_indices(self) -> dict[str, dict[str, int]]:
        return {axis.name: _indices(axis, self.sources) for axis in self.axes}

    def places_of(self, group_no: int, shot_no: int) -> Sequence[int]:
        """The places of those seeds of a group's shot that are rendered: none, if it is
        skipped.
        """
        return self._places(self.grid.shot(group_no, shot_no))

    # --- one cell ---

    def _at(self, number: int) -> tuple[list[int], int]:
        """The cell of a render, and the place of its seed there."""
        cell_no, k = divmod(number, self.seeds_per_shot)
        return self.grid.cell(cell_no), k

    def _places(self, cell: Sequence[int]) -> Sequence[int]:
        every, left_out = range(self.seeding.count(cell)), self.skipping.left_out(cell)
        return [k for k in every if k not in left_out] if left_out else every


def _indices(axis: Axis, sources: Sources) -> dict[str, int]:
    """The index of each value of an axis, by the value as `Shot.by_content` has it."""
    return {canonical_json(by_content(axis, k, sources)): k for k in range(len(axis.values))}


def _classes(axis: Axis) -> list[Sequence[int]]:
    """The indices of an axis's values, in classes that set the same settings."""
    if not axis.variables & SETTINGS:
        return [range(len(axis.values))]
    kinds: dict[tuple[tuple[str, Scalar], ...], list[int]] = {}
    for index in range(len(axis.values)):
        settings = settings_of(axis, index)
        for name in FILES - {"lora"}:  # a group may have several of them, but all or none
            if settings.get(name, NONE) != NONE:
                settings[name] = ""
        kinds.setdefault(tuple(sorted(settings.items())), []).append(index)
    return list(kinds.values())
