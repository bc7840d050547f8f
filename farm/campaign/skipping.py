"""Which renders a campaign leaves out: those that match all that one of its rules in `skip` names.

A rule names values of axes, and with `seed`, one seed of the shots that have these values. If a
prompt has a word {seed}, `seed` is that word in rules too.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.campaign.axes import Axis
from farm.campaign.grid import Grid
from farm.campaign.schema import Campaign, fields_of
from farm.campaign.seeding import OWN, Seeding
from farm.campaign.skip_values import SkipValues
from farm.campaign.sources import FILES
from farm.documents.document import DocumentError, Problem, did_you_mean

_STATES = 100_000
# combinations of values with seeds of their own, looked through for the seeds that rules name:
# about two seconds
_LOOKED_AT = 100_000
_TOLD = 20  # seeds that an error lists


class Skipping:
    """The renders that are left out. A cell is the index of its value on each axis, and `k` the
    place of a seed among the cell's.
    """

    def __init__(
        self, campaign: Campaign, axes: Sequence[Axis], seeding: Seeding, derivation: int
    ) -> None:
        self._axes = axes
        self._seeding = seeding
        self._named = rule_seeds(campaign, axes, derivation)
        values = SkipValues(axes) if campaign.skip else None
        rules: list[Mapping[str, str]] = []
        self._seeds: dict[int, tuple[int, object]] = {}
        """By bit, the place of the rule in the file and the seed that it names."""
        for k, rule in enumerate(campaign.skip):
            rest = {
                name: value for name, value in rule.items() if name != OWN or k not in self._named
            }
            for meant in values.rules([rest], exactly=derivation == 1) if values else ():
                if k in self._named:
                    self._seeds[len(rules)] = (k, self._named[k])
                rules.append(meant)
        self._masks = _masks(axes, rules)
        self._all = (1 << len(rules)) - 1
        self._whole = self._all & ~sum(1 << bit for bit in self._seeds)
        """As bits, the rules that leave out whole cells."""

    def left_out(self, cell: Sequence[int]) -> Collection[int]:
        """The places of those of a cell's seeds that are not rendered."""
        left = self._left(cell)
        if left & self._whole:
            return range(self._seeding.count(cell))
        return self._single_places(cell, left) if left else ()

    def rendered(self, grid: Grid) -> NDArray[np.bool_]:
        """Whether there is a render at each place: of shape (cells, the most seeds of a shot)."""
        numbers, per_shot = np.arange(grid.cells), self._seeding.per_shot
        found = np.ones((grid.cells, per_shot), np.bool_)
        if (counts := self._seeding.counts()) is not None:
            place, by_count = counts
            of_value = np.empty(len(self._axes[place].values), np.int64)
            for count, indices in by_count.items():
                of_value[indices] = count
            found = np.arange(per_shot) < of_value[grid.indices(numbers, place)][:, None]
        if self._all:
            # numpy's integers have room for 63 rules; Python's take as many as there are
            kind = np.int64 if self._all < 1 << 63 else np.object_
            left: NDArray[Any] = np.full(grid.cells, self._all, kind)
            for axis, masks in enumerate(self._masks):
                left = left & np.array(masks, kind)[grid.indices(numbers, axis)]
            is_whole = (left & self._whole).astype(np.bool_)
            found[is_whole] = False
            for number in np.flatnonzero(left.astype(np.bool_) & ~is_whole).tolist():
                places = self._single_places(grid.cell(number), int(left[number]))
                found[number, list(places)] = False
        return found

    def total(self) -> int:
        """How many renders there are, without expanding them. Raises DocumentError if that cannot
        be counted.
        """
        sizes = [len(axis.values) for axis in self._axes]
        counts = self._seeding.counts()
        if counts is None:
            found = (prod(sizes) - self._whole_cells()) * self._seeding.per_shot
        else:
            place, by_count = counts
            rest = prod(size for a, size in enumerate(sizes) if a != place)
            found = sum(
                count * (rest * len(chosen) - self._whole_cells(place, chosen))
                for count, chosen in by_count.items()
            )
        return found - (self._single_renders() if self._seeds else 0)

    def leaves(self, chosen: Mapping[int, Collection[int]]) -> bool:
        """Whether any cell is left that has one of these values on each of these axes, by their
        places.
        """
        if not self._whole:
            return True
        states = {self._whole}
        for place, masks in enumerate(self._masks):
            kinds = (
                {masks[index] for index in chosen[place]}
                if place in chosen
                else self._kinds[place]
            )
            states = {left & mask for left in states for mask in kinds}
        return 0 in states

    @cached_property
    def _kinds(self) -> list[set[int]]:
        return [set(masks) for masks in self._masks]

    def problems(self) -> Iterator[Problem]:
        """The mistakes in the seeds that rules name: no shot with the rule's values has them."""
        derived_by = [self._axes[a] for a in self._seeding.derived_by]
        if self._named and any(axis.variables & FILES for axis in derived_by):
            for k in self._named:
                yield Problem(
                    ("skip", k, OWN),
                    "seeds go by files here: let the rule name the file, not the seed.",
                )
            return
        found = {
            k
            for bit, (k, _) in self._seeds.items()
            if next(self._cells_with(bit), None) is not None
        }
        for k, seed in self._named.items():
            if k not in found:
                yield Problem(("skip", k, OWN), self._unknown(seed))

    def _unknown(self, seed: object) -> str:
        if self._seeding.decided_by:
            return (
                f"no shot with the rule's values has the seed {seed}: the contact sheet and the"
                " manifest tell each one's seeds."
            )
        cell = [0] * len(self._axes)
        known = [self._seeding.seed(cell, k) for k in range(min(self._seeding.per_shot, _TOLD))]
        more = self._seeding.per_shot - len(known)
        words = did_you_mean(str(seed), map(str, known))
        return (
            f"{seed} is not one of the seeds:"
            f" {words}{f' The sheet shows {more:,} more.' if more else ''}"
        )

    def _left(self, cell: Sequence[int]) -> int:
        left = self._all
        for masks, index in zip(self._masks, cell, strict=True):
            if not left:
                break
            left &= masks[index]
        return left

    def _single_places(self, cell: Sequence[int], left: int) -> set[int]:
        found = (self._place(cell, bit) for bit in self._seeds if left >> bit & 1)
        return {place for place in found if place is not None}

    def _place(self, cell: Sequence[int], bit: int) -> int | None:
        """The place of the seed that a rule names, among those of a cell."""
        seed = self._seeds[bit][1]
        return self._seeding.place_of(cell, seed) if type(seed) is int else None

    def _whole_cells(self, place: int | None = None, chosen: Sequence[int] = ()) -> int:
        """How many cells are left out whole, of all or of those that have one of these values on
        the axis at a place.
        """
        if not self._whole:
            return 0
        masks = [
            [masks[index] for index in chosen] if a == place else masks
            for a, masks in enumerate(self._masks)
        ]
        return sum(count for left, count in self._counted(masks).items() if left & self._whole)

    def _single_renders(self) -> int:
        """How many renders are left out by their seeds, in cells that are not left out whole."""
        free = [a for a in range(len(self._axes)) if a not in self._seeding.decided_by]
        rest = self._counted([self._masks[a] for a in free])
        seen: dict[tuple[int, ...], list[int]] = {}
        for bit in self._seeds:
            for cell in self._cells_with(bit):
                seen.setdefault(tuple(cell[a] for a in self._seeding.decided_by), cell)
        found = 0
        for cell in seen.values():
            own = self._all
            for a in self._seeding.decided_by:
                own &= self._masks[a][cell[a]]
            for left, count in rest.items():
                if not left & own & self._whole:
                    found += count * len(self._single_places(cell, left & own))
        return found

    def _cells_with(self, bit: int) -> Iterator[list[int]]:
        """For each combination of the values that seeds depend on, a cell that a rule is about, if
        it has the seed that the rule names.
        """
        choices = [
            (
                [index for index, mask in enumerate(masks) if mask >> bit & 1]
                if a in self._seeding.decided_by
                else [0]
            )
            for a, masks in enumerate(self._masks)
        ]
        if prod(map(len, choices)) > _LOOKED_AT:
            words = (
                "seeds differ between too many shots to look for this one: name values of more"
                " axes in the rule."
            )
            raise DocumentError([Problem(("skip", self._seeds[bit][0], OWN), words)])
        for cell in product(*choices):
            if self._place(cell, bit) is not None:
                yield list(cell)

    def _counted(self, masks: Sequence[Sequence[int]]) -> Counter[int]:
        """Cells counted by which rules they may still meet, axis by axis."""
        cells: Counter[int] = Counter({self._all: 1})
        for of_values in masks:
            kinds = Counter(of_values)
            following: Counter[int] = Counter()
            for left, count in cells.items():
                for mask, values in kinds.items():
                    following[left & mask] += count * values
                if len(following) > _STATES:
                    raise DocumentError(
                        [
                            Problem(
                                ("skip",),
                                "the rules are too entangled to count: use fewer of them.",
                            )
                        ]
                    )
            cells = following
        return cells


def rule_seeds(campaign: Campaign, axes: Sequence[Axis], derivation: int) -> dict[int, object]:
    """The seeds that rules name, by the places of those rules. A seed that is not a number is left
    as it is, so that a message can quote it.
    """
    is_column = any(OWN in axis.variables for axis in axes)
    if is_column and (
        derivation == 1 or OWN in fields_of(campaign)
    ):  # the first derivation knew of no seeds in columns
        return {}
    return {k: _number(rule[OWN]) for k, rule in enumerate(campaign.skip) if OWN in rule}


def _number(value: object) -> object:
    """A seed as a rule has it: 12, 12.0 or "12"."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else value


def _masks(axes: Sequence[Axis], rules: Sequence[Mapping[str, str]]) -> list[list[int]]:
    """For each axis and value, the rules (as bits) that the value does not rule out."""
    return [
        (
            [
                sum(
                    1 << bit
                    for bit, rule in enumerate(rules)
                    if all(
                        rule[name] == str(value)
                        for name, value in axis.assignments(index).items()
                        if name in rule
                    )
                )
                for index in range(len(axis.values))
            ]
            if rules
            else []
        )
        for axis in axes
    ]
