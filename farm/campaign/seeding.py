"""Which seeds each shot of a campaign has: the campaign's, derived or listed, or those of its row.

A seed is derived from `base`, its index and the coordinates that `per` names. What these
coordinates are is the *derivation*, which the spec of a campaign records, so that its seeds stay
when a later version derives others:

1. The values of the axes in `per`, whole, by the axes' names: notes in a row and the names of axes
   are among them.
2. Of the axes and columns in `per`, the variables that decide what is painted, by name, and each
   as the words or the setting that it stands for: the same words give the same seeds, be they
   listed or read from a table. A row may have seeds of its own.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from farm.campaign.axes import Axis
from farm.campaign.schema import Campaign, DerivedSeeds, fields_of, used_variables
from farm.campaign.seeds import SEED_LIMIT, derived_index, derived_seed
from farm.campaign.settings import Settings, settings_of
from farm.campaign.sources import FILES, NONE, Sources

DERIVATION = 2
OWN = "seed"
"""The column in which a row has seeds of its own."""
_PARTS = re.compile(r"[,;\s]+")


class Seeding:
    """The seeds of every cell. A cell is the index of its value on each axis."""

    def __init__(
        self, campaign: Campaign, axes: Sequence[Axis], sources: Sources, derivation: int
    ) -> None:
        self._campaign = campaign
        self._axes = axes
        self._sources = sources
        self._derivation = derivation
        self._per = _per_of(campaign, axes) if derivation > 1 else {}
        self._named = frozenset(self._per) if derivation > 1 else _places_of(campaign, axes)
        self._own = _own_of(campaign, axes) if derivation > 1 else None
        self._series = lru_cache(maxsize=4096)(self._series_of)
        seeds = campaign.seeds
        self._common = seeds.count if isinstance(seeds, DerivedSeeds) else len(seeds)
        counts = (
            [self._common]
            if self._own is None
            else [len(own) if own else self._common for own in self._own[1]]
        )
        self.per_shot = max(counts)
        """The most seeds that any shot has; numbers of renders leave room for as many in each."""
        self.is_even = min(counts) == self.per_shot
        """Whether all shots have as many."""

    @property
    def locked(self) -> tuple[int, ...] | None:
        """The seeds that every shot has, or None if some axis or row has its own."""
        seeds = self._campaign.seeds
        if self._own is not None or (isinstance(seeds, DerivedSeeds) and seeds.per):
            return None
        return (
            tuple(derived_seed(seeds.base, k, {}) for k in range(seeds.count))
            if isinstance(seeds, DerivedSeeds)
            else seeds
        )

    def count(self, cell: Sequence[int]) -> int:
        """How many seeds a cell has."""
        own = self._own_seeds(cell)
        return len(own) if own else self._common

    def counts(self) -> tuple[int, dict[int, list[int]]] | None:
        """The place of the axis whose rows have seeds of their own, and its values by how many
        they have.
        """
        if self._own is None:
            return None
        place, rows = self._own
        by_count: dict[int, list[int]] = {}
        for index, own in enumerate(rows):
            by_count.setdefault(len(own) if own else self._common, []).append(index)
        return place, by_count

    def seed(self, cell: Sequence[int], k: int) -> int:
        """Seed `k` of a cell; 0 <= k < count(cell)."""
        own = self._own_seeds(cell)
        if own:
            return own[k]
        seeds = self._campaign.seeds
        if not isinstance(seeds, DerivedSeeds):
            return seeds[k]
        return self._series(self._named_of(cell), k)

    def has_series(self, cell: Sequence[int]) -> bool:
        """Whether a cell's seeds are derived, so that there are more of them than it uses."""
        return not self._own_seeds(cell) and isinstance(self._campaign.seeds, DerivedSeeds)

    def place_of(self, cell: Sequence[int], seed: int) -> int | None:
        """The `k` of a seed of a cell, or None if the cell does not have it."""
        seeds, own = self._campaign.seeds, self._own_seeds(cell)
        listed = own or (seeds if isinstance(seeds, tuple) else ())
        if listed or not isinstance(seeds, DerivedSeeds):
            return listed.index(seed) if seed in listed else None
        if not 0 <= seed < SEED_LIMIT:
            return None
        k = derived_index(seeds.base, seed, self._coordinates(self._named_of(cell)))
        return k if k < seeds.count else None

    @property
    def derived_by(self) -> frozenset[int]:
        """The places of the axes whose values seeds are derived from."""
        return self._named

    @property
    def decided_by(self) -> frozenset[int]:
        """The places of the axes whose values decide which seeds a cell has, derived or its
        own.
        """
        return self._named | ({self._own[0]} if self._own is not None else frozenset())

    def _own_seeds(self, cell: Sequence[int]) -> tuple[int, ...]:
        return self._own[1][cell[self._own[0]]] if self._own is not None else ()

    def _series_of(self, named: tuple[int, ...], k: int) -> int:
        seeds = self._campaign.seeds
        assert isinstance(seeds, DerivedSeeds)
        return derived_seed(seeds.base, k, self._coordinates(named))

    def _named_of(self, cell: Sequence[int]) -> tuple[int, ...]:
        """A cell's indices on the axes that seeds are derived from, -1 on the others; () if there
        are none.
        """
        return (
            tuple(index if place in self._named else -1 for place, index in enumerate(cell))
            if self._named
            else ()
        )

    def _coordinates(self, named: tuple[int, ...]) -> dict[str, Any]:
        coordinates: dict[str, Any] = {}
        for place, (axis, index) in enumerate(zip(self._axes, named, strict=False)):
            if index >= 0 and self._derivation > 1:
                coordinates.update(self._meant(axis, index, self._per[place]))
            elif index >= 0:
                coordinates[axis.name] = (
                    self._sources.by_content(axis.name, axis.values[index])
                    if axis.variables & FILES
                    else axis.values[index]
                )
        return coordinates

    def _meant(self, axis: Axis, index: int, names: frozenset[str]) -> dict[str, Any]:
        """What some of a value's variables stand for: the digests of files, settings as they are
        read, and all else as words.
        """
        chosen = settings_of(axis, index)
        settings = Settings.model_validate(chosen)
        meant: dict[str, Any] = {}
        for name, value in axis.assignments(index).items():
            if name not in names:
                continue
            if name in FILES:
                meant[name] = self._sources.digest(name, str(value))
            elif name in chosen:
                meant[name] = getattr(settings, name)
            elif name not in Settings.model_fields:
                meant[name] = "" if value == NONE else str(value)
        return meant


def own_seeds(value: object) -> tuple[int, ...]:
    """The seeds that a row has in its column: a whole number, or several with commas or spaces
    between them; () for none.

    Raises ValueError, as a sentence.
    """
    text = "" if value == NONE else str(value).strip().removeprefix("[").removesuffix("]").strip()
    parts = _PARTS.split(text) if text else []
    for part in parts:
        if not re.fullmatch(r"[0-9]+", part):
            raise ValueError(
                f"the seed {part!r} is not a whole number: a row has one, or several like 11, 12."
            )
        if len(part) > 10 or int(part) >= SEED_LIMIT:
            raise ValueError(
                f"the seed {part[:40]} is out of range: seeds go from 0 to {SEED_LIMIT - 1}."
            )
    seeds = tuple(map(int, parts))
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands twice in the row: remove one.")
    return seeds


def own_place(campaign: Campaign, axes: Sequence[Axis]) -> int | None:
    """The place of the axis whose rows have a column of seeds. A prompt that names it means its
    words instead.
    """
    if OWN in fields_of(campaign):
        return None
    found = (
        place
        for place, axis in enumerate(axes)
        if OWN in axis.variables and isinstance(axis.values[0], Mapping)
    )
    return next(found, None)


def _own_of(campaign: Campaign, axes: Sequence[Axis]) -> tuple[int, list[tuple[int, ...]]] | None:
    """The place of the axis whose rows have seeds of their own, and which each has."""
    place = own_place(campaign, axes)
    return (
        None
        if place is None
        else (
            place,
            [own_seeds(value[OWN]) for value in axes[place].values if isinstance(value, Mapping)],
        )
    )


def _places_of(campaign: Campaign, axes: Sequence[Axis]) -> frozenset[int]:
    """The places of the axes that `per` names."""
    per = campaign.seeds.per if isinstance(campaign.seeds, DerivedSeeds) else ()
    return frozenset(place for place, axis in enumerate(axes) if axis.name in per)


def _per_of(campaign: Campaign, axes: Sequence[Axis]) -> dict[int, frozenset[str]]:
    """By the place of each axis that `per` names, or of which it names a column, the variables
    that seeds are derived from.
    """
    per = campaign.seeds.per if isinstance(campaign.seeds, DerivedSeeds) else ()
    used = used_variables(campaign) - {OWN}
    names = {axis.name for axis in axes}
    found: dict[int, frozenset[str]] = {}
    for place, axis in enumerate(axes):
        whole = axis.variables & used if axis.name in per else frozenset()
        columns = axis.variables & (frozenset(per) - names)
        if whole | columns:
            found[place] = whole | columns
    return found
