"""The renders around a render: those of its shot, those of its seed, and its versions. Pure."""

from collections.abc import Iterator

from farm.campaign.expansion import Expansion

MOST_OF_A_SHOT = 500
"""Seeds of a shot that are named at most."""
NEAREST = 12
"""Shots before and after a render's own that are named."""


def of_its_shot(expansion: Expansion, number: int) -> list[int]:
    """The renders of a render's shot in the order of their seeds, redos behind what they redo."""
    per_shot = expansion.seeds_per_shot
    first = expansion.origin(number) // per_shot * per_shot
    last = min(first + per_shot, first + MOST_OF_A_SHOT)
    redos = _redos_by_origin(expansion)
    return [
        one
        for origin in range(first, last)
        if expansion.has(origin)
        for one in (origin, *redos.get(origin, ()))
    ]


def of_its_seed(expansion: Expansion, number: int) -> list[int]:
    """The renders of the nearest shots that have the same place among their seeds, itself among
    them.
    """
    per_shot, origin = expansion.seeds_per_shot, expansion.origin(number)
    before = _nearest(expansion, range(origin - per_shot, -1, -per_shot))
    after = _nearest(expansion, range(origin + per_shot, _grid_size(expansion), per_shot))
    return [*reversed(list(before)), number, *after]


def versions_of(expansion: Expansion, number: int) -> list[int]:
    """The pictures that were asked for of a render's shot and seed, the first of them first."""
    origin = expansion.origin(number)
    return [origin, *_redos_by_origin(expansion).get(origin, ())]


def before_and_after(expansion: Expansion, number: int) -> tuple[int | None, int | None]:
    """The numbers of the renders before and after one, past the places that are empty."""
    before = next((n for n in range(number - 1, -1, -1) if expansion.has(n)), None)
    after = next((n for n in range(number + 1, expansion.size) if expansion.has(n)), None)
    return before, after


def _grid_size(expansion: Expansion) -> int:
    return expansion.grid.cells * expansion.seeds_per_shot


def _nearest(expansion: Expansion, numbers: range) -> Iterator[int]:
    found = 0
    for number in numbers:
        if expansion.has(number):
            yield number
            found += 1
        if found == NEAREST:
            return


def _redos_by_origin(expansion: Expansion) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number in sorted(expansion.redos):
        found.setdefault(expansion.redos[number].of, []).append(number)
    return found
