"""Painting the canaries of a pipeline that has just been loaded: it must paint each the same,
whatever its place and neighbours.
"""

import hashlib
from collections.abc import Callable, Sequence

from actors.pictures.files import Pixels, pixels_digest
from actors.recipes.canary import canary_group, canary_recipe
from actors.recipes.recipe import Group, Recipe
from storage.errors import SeedbedError

Paint = Callable[[Sequence[Recipe]], Sequence[Pixels | None]]
"""Paints up to a batch of recipes; None if the numbers were not a picture."""


class Unstable(SeedbedError):
    """A pipeline paints one recipe in more than one way."""


def paint_canaries(group: Group, paint: Paint) -> str:
    """The hash over a batch of canaries. Raises Unstable if one is not the same in another
    place or beside others.
    """
    own = canary_group(group)
    birds = [canary_recipe(own, k) for k in range(max(2, own.batch))]
    together = [
        digest
        for k in range(0, len(birds), own.batch)
        for digest in _hashes(paint, birds[k : k + own.batch])
    ]
    _compare(
        together[:1],
        _hashes(paint, birds[:1]),
        "alone and among others" if own.batch > 1 else "twice",
    )
    if own.batch > 1:
        # Each one place further on, behind a stranger.
        moved = _hashes(paint, [canary_recipe(own, len(birds)), *birds[:-1]])
        _compare(
            together[:-1], moved[1:], "in another place of its batch, beside other neighbours"
        )
    return hashlib.sha256("\n".join(together).encode()).hexdigest()


def _hashes(paint: Paint, recipes: Sequence[Recipe]) -> list[str]:
    # Numbers that are not a picture are compared too: two steps of some models end in them,
    # always the same ones.
    return ["none" if pixels is None else pixels_digest(pixels) for pixels in paint(recipes)]


def _compare(first: Sequence[str], second: Sequence[str], how: str) -> None:
    if list(first) != list(second):
        raise Unstable(
            f"This worker does not paint one recipe the same {how}: nothing that it paints can"
            " be promised to repeat. Look for a driver, a library or a setting that differs from"
            " those of other workers, and start it again."
        )
