"""Renders chosen by their place in the grid, many at once: a million take milliseconds. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.campaign.expansion import Expansion
from farm.campaign.schema import Proof
from farm.campaign.shots import values_of_key

Numbers = NDArray[np.int64]
"""Renders by number, ascending."""
Meant = Callable[[str, Sequence[str], set[Any]], set[Any]]
"""Of the values that a name has, those that somebody means with these texts."""


def all_numbers(expansion: Expansion) -> Numbers:
    """All renders, redos too."""
    return np.concatenate([_of_file(expansion), np.array(sorted(expansion.redos), np.int64)])


def proof_numbers(expansion: Expansion, proof: Proof) -> Numbers:
    """The renders that have a proof: of the chosen shots, the first seeds."""
    numbers, per_shot = _of_file(expansion), expansion.seeds_per_shot
    cells = np.unique(numbers // per_shot)
    chosen = np.ones(len(cells), np.bool_)
    if proof.every is not None or proof.shots == "first-last":
        chosen[:] = False
    if proof.every is not None:
        chosen[:: proof.every] = True
    if proof.shots == "first-last":
        chosen[[0, -1]] = True
    seeds = per_shot if proof.seeds is None else min(proof.seeds, per_shot)
    is_proof = np.isin(numbers // per_shot, cells[chosen]) & (numbers % per_shot < seeds)
    return numbers[is_proof]


def groups_of(expansion: Expansion, numbers: Numbers) -> Numbers:
    """The group of each render."""
    groups: Numbers = expansion.grid.groups_of(_cells(expansion, numbers))
    return groups


def axis_indices(expansion: Expansion, numbers: Numbers, place: int) -> Numbers:
    """The index of each render's value on the axis at a place."""
    return expansion.grid.indices(_cells(expansion, numbers), place)


def at_values(
    expansion: Expansion, numbers: Numbers, asked: Mapping[str, Sequence[str]], meant: Meant
) -> Numbers:
    """Those of these renders that have the values asked for, by the names of axes and of their
    columns. Values of one name are alternatives; names must all fit. A name that no axis has is
    passed on to `meant` with no values.
    """
    for name, texts in asked.items():
        found = next(
            (
                (place, axis)
                for place, axis in enumerate(expansion.axes)
                if name == axis.name or name in axis.variables
            ),
            None,
        )
        if found is None:
            meant(name, texts, set())
            continue
        place, axis = found
        values = [axis.assignments(k).get(name, axis.label(k)) for k in range(len(axis.values))]
        wanted = meant(name, texts, set(values))
        indices = [k for k, value in enumerate(values) if value in wanted]
        numbers = numbers[np.isin(axis_indices(expansion, numbers, place), indices)]
    return numbers


def with_seed(expansion: Expansion, numbers: Numbers, seed: int) -> Numbers:
    """Those of these renders that have a seed."""
    per_shot, grid, seeding = expansion.seeds_per_shot, expansion.grid, expansion.seeding
    is_redo = numbers >= grid.cells * per_shot
    of_file, redos = numbers[~is_redo], numbers[is_redo]
    combinations = np.zeros(len(of_file), np.int64)  # of the values that decide about seeds
    for axis in seeding.decided_by:
        indices = grid.indices(of_file // per_shot, axis)
        combinations = combinations * len(expansion.axes[axis].values) + indices
    _, firsts, which = np.unique(combinations, return_index=True, return_inverse=True)
    found = (seeding.place_of(expansion.cell(int(of_file[k])), seed) for k in firsts)
    places = np.array([-1 if place is None else place for place in found], np.int64)
    has_seed = of_file % per_shot == places[which]
    redone = [k for k in redos.tolist() if expansion.render(k)[1].seed == seed]
    return np.concatenate([of_file[has_seed], np.array(redone, np.int64)])


def of_shot(expansion: Expansion, numbers: Numbers, shot: str) -> Numbers:
    """Those of these renders whose shot has this name, as in their keys. Shots of which the words
    in the name tell nothing are worked out, some 50,000 a second.
    """
    per_shot = expansion.seeds_per_shot
    told = values_of_key(expansion.axes, shot, expansion.cells.derivation)
    for place, indices in told.items():
        numbers = numbers[np.isin(axis_indices(expansion, numbers, place), indices)]
    origins = _origins(expansion, numbers)
    _, firsts, places = np.unique(origins // per_shot, return_index=True, return_inverse=True)
    fits = [expansion.render(int(origins[k]))[1].shot.key == shot for k in firsts]
    is_of_shot: NDArray[np.bool_] = np.array(fits, np.bool_)[places]
    return numbers[is_of_shot]


def _of_file(expansion: Expansion) -> Numbers:
    """The renders that the file asks for."""
    if not expansion.has_gaps:
        return np.arange(expansion.grid.cells * expansion.seeds_per_shot)
    return np.flatnonzero(expansion.skipping.rendered(expansion.grid))


def _origins(expansion: Expansion, numbers: Numbers) -> Numbers:
    if not expansion.redos:
        return numbers
    return np.array([expansion.origin(number) for number in numbers.tolist()], np.int64)


def _cells(expansion: Expansion, numbers: Numbers) -> Numbers:
    return _origins(expansion, numbers) // expansion.seeds_per_shot
