"""Pairs the renders of two versions of a campaign, or of two campaigns: which stayed, which
changed, and which only one has. Pure.

1. Axes are paired by name, and the rest by equal values.
2. Values of paired axes are paired if they are equal; then rows of which the first column is
   equal; then the rest in order.
3. Among the renders of paired values, those with equal recipes are paired, then those with equal
   seeds, then the rest in order.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from typing import Any

from actors.recipes.recipe import canonical_json
from farm.campaign.axes import Axis
from farm.campaign.expansion import Expansion
from farm.campaign.shots import Render
from farm.campaign.sources import FILES

Key = tuple[int, ...]
"""The index of a value on each paired axis."""


class Kind(StrEnum):
    """What became of a render from the old campaign to the new one."""

    KEPT = "kept"
    CHANGED = "changed"
    NEW = "new"
    RETIRED = "retired"


@dataclass(frozen=True)
class Pair:
    """A render of the old campaign and its counterpart in the new one, by their numbers."""

    kind: Kind
    old: int | None
    new: int | None


def pairs(old: Expansion, new: Expansion) -> Iterator[Pair]:
    """Every render of both exactly once: those with a counterpart first, then the new ones, then
    the retired ones.

    Of renders whose values are paired, 24 bytes each are held at a time, and up to 80 while they
    are sorted: the seeds of one cell, if both campaigns have the same axes; all renders, if they
    have none in common. Of renders without a counterpart there, 8 bytes each.
    """
    axes = _paired_axes(old, new)
    before, after = (
        _Side(old, [place for place, _ in axes]),
        _Side(new, [place for _, place in axes]),
    )
    # For each paired axis, the old index of each new index.
    values = [
        _paired_values(_contents(old, old.axes[a]), _contents(new, new.axes[b])) for a, b in axes
    ]
    added, retired = array("Q"), array("Q")
    for key in after.all_keys():
        if (key_before := _key_before(key, values)) is None:
            continue
        held_before, held = _Held(before.renders(key_before)), _Held(after.renders(key))
        places = _matched(held_before, held)
        for place, was in enumerate(places):
            if was < 0:
                added.append(held.numbers[place])
                continue
            kind = Kind.KEPT if held_before.digests[was] == held.digests[place] else Kind.CHANGED
            yield Pair(kind, held_before.numbers[was], held.numbers[place])
        retired.extend(_others(held_before.numbers, places))
    yield from (Pair(Kind.NEW, None, number) for number in added)
    yield from (
        Pair(Kind.NEW, None, number)
        for key in after.all_keys()
        if _key_before(key, values) is None
        for number in after.numbers(key)
    )
    yield from (Pair(Kind.RETIRED, number, None) for number in retired)
    known = [frozenset(found.values()) for found in values]
    gone = (
        key
        for key in before.all_keys()
        if not all(index in seen for index, seen in zip(key, known, strict=True))
    )
    yield from (Pair(Kind.RETIRED, number, None) for key in gone for number in before.numbers(key))


def _key_before(key: Key, values: Sequence[Mapping[int, int]]) -> Key | None:
    found = [known.get(index) for known, index in zip(values, key, strict=True)]
    paired = tuple(index for index in found if index is not None)
    return paired if len(paired) == len(key) else None


def _others(numbers: Sequence[int], places: Sequence[int]) -> list[int]:
    """The numbers at none of these places."""
    if len(numbers) == len(places) and min(places, default=0) >= 0:
        return []
    paired = set(places)
    return [number for place, number in enumerate(numbers) if place not in paired]


# --- axes and their values ---


def _paired_axes(old: Expansion, new: Expansion) -> list[tuple[int, int]]:
    """The places of the axes that both have, in the new order: those of one name, then those of
    equal values.
    """
    places = {axis.name: place for place, axis in enumerate(old.axes)}
    found = {
        place: places.pop(axis.name) for place, axis in enumerate(new.axes) if axis.name in places
    }
    by_values = {
        canonical_json(_contents(old, old.axes[place])): place for place in places.values()
    }
    for place, axis in enumerate(new.axes):
        if (
            place not in found
            and (renamed := by_values.pop(canonical_json(_contents(new, axis)), None)) is not None
        ):
            found[place] = renamed
    return [(found[place], place) for place in sorted(found)]


def _contents(expansion: Expansion, axis: Axis) -> list[Any]:
    """The values of an axis, with the digests of files in place of their addresses."""
    return [
        expansion.sources.by_content(axis.name, value) if axis.variables & FILES else value
        for value in axis.values
    ]


def _paired_values(old: Sequence[Any], new: Sequence[Any]) -> dict[int, int]:
    """The old index of each new value that has a counterpart."""
    found: dict[int, int] = {}
    taken: set[int] = set()
    rules: tuple[Callable[[Any], str | None], ...] = (canonical_json, _first_column)
    for rule in rules:
        places: dict[str, int] = {}
        for index, value in enumerate(old):
            if index not in taken and (key := rule(value)) is not None:
                places.setdefault(key, index)
        for index, value in enumerate(new):
            if index not in found and (place := places.pop(rule(value) or "", None)) is not None:
                found[index] = place
                taken.add(place)
    rest = (index for index in range(len(old)) if index not in taken)
    found.update(
        zip((index for index in range(len(new)) if index not in found), rest, strict=False)
    )
    return found


def _first_column(value: Any) -> str | None:
    return canonical_json(next(iter(value.items()))) if isinstance(value, Mapping) else None


# --- the renders of one key ---


class _Side:
    """One of the two campaigns, seen by the axes that are paired."""

    def __init__(self, expansion: Expansion, places: Sequence[int]) -> None:
        self._expansion = expansion
        self._sizes = [len(axis.values) for axis in expansion.axes]
        self._places = places
        self._own = [place for place in range(len(self._sizes)) if place not in places]

    def all_keys(self) -> Iterator[Key]:
        return product(*(range(self._sizes[place]) for place in self._places))

    def numbers(self, key: Key) -> Iterator[int]:
        for cell in self._cells(key):
            first = self._first_number(cell)
            yield from (first + k for k in self._seed_places(cell))

    def renders(self, key: Key) -> Iterator[tuple[Render, str]]:
        """The renders of a key with their recipes' digests."""
        expansion = self._expansion
        for cell in self._cells(key):
            first = self._first_number(cell)
            group_no, begun = expansion.render(first)
            for k in self._seed_places(cell):
                render = replace(begun, number=first + k, seed=expansion.seeding.seed(cell, k))
                yield render, expansion.recipe(group_no, render).digest

    def _cells(self, key: Key) -> Iterator[list[int]]:
        for rest in product(*(range(self._sizes[place]) for place in self._own)):
            cell = [0] * len(self._sizes)
            for place, index in (
                *zip(self._places, key, strict=True),
                *zip(self._own, rest, strict=True),
            ):
                cell[place] = index
            yield cell

    def _first_number(self, cell: Sequence[int]) -> int:
        number = 0
        for index, size in zip(cell, self._sizes, strict=True):
            number = number * size + index
        return number * self._expansion.seeds_per_shot

    def _seed_places(self, cell: Sequence[int]) -> Iterator[int]:
        left_out = self._expansion.skipping.left_out(cell)
        return (k for k in range(self._expansion.seeding.count(cell)) if k not in left_out)


class _Held:
    """The numbers, seeds and recipes of the renders of one key. Recipes are compared by the first
    64 bits of their digests.
    """

    def __init__(self, renders: Iterator[tuple[Render, str]]) -> None:
        self.numbers, self.seeds, self.digests = array("Q"), array("Q"), array("Q")
        for render, digest in renders:
            self.numbers.append(render.number)
            self.seeds.append(render.seed)
            self.digests.append(int(digest[:16], 16))


def _matched(old: _Held, new: _Held) -> Sequence[int]:
    """For each of the new renders, the place of its counterpart among the old ones, or -1."""
    if old.digests == new.digests:
        return range(len(new.numbers))
    found = array("q", [-1]) * len(new.numbers)
    left: Sequence[int] = range(len(old.numbers))
    for keys_old, keys_new in ((old.digests, new.digests), (old.seeds, new.seeds)):
        left = _join(keys_old, keys_new, left, found)
    for place, was in zip(
        [place for place, was in enumerate(found) if was < 0], left, strict=False
    ):
        found[place] = was
    return found


def _join(
    old: Sequence[int], new: Sequence[int], left: Sequence[int], found: "array[int]"
) -> list[int]:
    """Pair what has equal keys, in order, and note it in `found`; returns the places of the old
    ones that are left.
    """
    others: list[int] = []
    candidates = iter(sorted(left, key=old.__getitem__))
    was = next(candidates, None)
    for place in sorted(
        (place for place, known in enumerate(found) if known < 0), key=new.__getitem__
    ):
        while was is not None and old[was] < new[place]:
            others.append(was)
            was = next(candidates, None)
        if was is not None and old[was] == new[place]:
            found[place] = was
            was = next(candidates, None)
    return sorted([*others, *([] if was is None else [was]), *candidates])
