"""Canaries: small pictures that a pipeline paints when it is loaded, to prove that its pixels repeat before anybody relies on them.

Each is painted among others, in another order, with other neighbours and alone, and must come out the same bit for bit. A hash over
all of them is then what workers of one numerics class are compared by. No torch here: the dispatcher names subjects too.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from actors.encode import Pixels, pixels_digest
from actors.recipe import Group, Recipe
from storage.errors import SeedbedError

_STEPS = 2
# A multiple of what the known families need. Three batches of 4 of seedling's take 0.9 s of a busy core, and 3.8 s at 128.
_SIDE = 64
_GUIDANCE = 4.0
_FIRST_SEED = 20_260_101

Paint = Callable[[Sequence[Recipe]], Sequence[Pixels | None]]
"""Paints up to a batch of recipes; None where the numbers were no picture."""


class Unstable(SeedbedError):
    """A pipeline paints one recipe in more than one way."""


def canary_group(group: Group) -> Group:
    """The group that stands for all that are painted by the same kernels: few steps, small, and guided or not."""
    return replace(
        group,
        steps=_STEPS,
        guidance=None if group.guidance is None else _GUIDANCE if group.guidance > 1 else 1.0,
        width=min(group.width, _SIDE),
        height=min(group.height, _SIDE),
        strength=None,
    )


def subject_of(group: Group) -> str:
    """What canaries are compared by, besides the numerics class: weights, pipeline, adapters, scheduler, dtype and batch shape."""
    small = canary_group(group)
    # Layers of adapters once had other strengths: canaries of those days say nothing about these.
    strengths = ":by-layer" if small.adapters else ""
    return f"{small.pipeline}:{small.dtype}:batch-{small.batch}:{_canary(small, 0).digest}{strengths}"


def paint_canaries(group: Group, paint: Paint) -> str:
    """The hash over a batch of canaries. Raises Unstable where one is not the same in another place or company."""
    own = canary_group(group)
    birds = [_canary(own, k) for k in range(max(2, own.batch))]
    together = [digest for k in range(0, len(birds), own.batch) for digest in _hashes(paint, birds[k : k + own.batch])]
    _compare(together[:1], _hashes(paint, birds[:1]), "alone and among others" if own.batch > 1 else "twice")
    if own.batch > 1:
        # Each one place further on, behind a stranger.
        moved = _hashes(paint, [_canary(own, len(birds)), *birds[:-1]])
        _compare(together[:-1], moved[1:], "in another place of its batch, beside other neighbours")
    return hashlib.sha256("\n".join(together).encode()).hexdigest()


def unlike_its_class(worker: str, numerics_class: str) -> str:
    """The sentence about a worker that paints other canaries than those known of its class."""
    return (
        f"The worker {worker} does not paint the canaries of its numerics class {numerics_class} as the first worker of it did: "
        "its pictures would not repeat. Mend or retire that machine; if the first one was wrong, `farm db forget-canaries`."
    )


def _canary(group: Group, k: int) -> Recipe:
    return Recipe(group=group, prompt=f"canary {k}", negative="", seed=_FIRST_SEED + k)


def _hashes(paint: Paint, recipes: Sequence[Recipe]) -> list[str]:
    # Numbers that are no picture are compared too: two steps of some models end in them, always the same ones.
    return ["none" if pixels is None else pixels_digest(pixels) for pixels in paint(recipes)]


def _compare(first: Sequence[str], second: Sequence[str], where: str) -> None:
    if list(first) != list(second):
        raise Unstable(
            f"This worker does not paint one recipe the same {where}: nothing that it paints can be promised to repeat. "
            "Look for a driver, a library or a setting that differs from those of other workers, and start it again."
        )
