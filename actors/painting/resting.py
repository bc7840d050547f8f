"""An engine that rests instead of painting: for measuring and proving everything around the
painting, on a machine that has no GPU.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from actors.painting.denoising import NO_REFERENCES, OnPreview, ignore
from actors.painting.engine import Painted
from actors.painting.parking import Answer, Parked
from actors.pictures.files import Pixels
from actors.recipes.previews import Previews, preview_steps
from actors.recipes.recipe import Group, Recipe

_SIDE = 8


def rest_of(batch_s: float, spread: float, chance: float) -> float:
    """Seconds of one rest, `batch_s` on average, the longest `spread` times the shortest, for a
    `chance` from 0 to 1.
    """
    shortest = 2 * batch_s / (1 + spread)
    return shortest * (1 + (spread - 1) * chance)


def _nowhere(steps: int) -> Parked:
    """Where a picture is parked that has no latents."""
    answer = Answer(shape=torch.Size(()), dtype=torch.float32, device=torch.device("cpu"))
    none = torch.empty(0)
    return Parked(steps=steps, latents=none, state={}, generator=none, answer=answer)


class RestingEngine:
    """Takes about `batch_s` seconds for a batch, the longest `spread` times as long as the
    shortest.

    It answers with small pictures whose pixels follow from their recipes, like real ones.
    """

    def __init__(self, batch_s: float, spread: float = 1.0) -> None:
        self._batch_s, self._spread = batch_s, spread
        self.device = "none"
        self.numerics_class = "resting"
        self.warm: OrderedDict[tuple[str, str], object] = OrderedDict()

    def paint(
        self,
        recipes: Sequence[Recipe],
        _folder: str,
        previews: Previews | None = None,
        *,
        references: Mapping[str, Pixels] = NO_REFERENCES,  # noqa: ARG002  # the engine's signature
        adapter_paths: Sequence[str] = (),  # noqa: ARG002
        control_folder: str | None = None,  # noqa: ARG002
        likeness_folder: str | None = None,  # noqa: ARG002
        upscaler_folder: str | None = None,  # noqa: ARG002
        on_step: Callable[[int], None] = lambda _left: None,
        on_preview: OnPreview = ignore,
        until: int | None = None,
        parked: Sequence[Parked] = (),
    ) -> Painted:
        chance = int(recipes[0].digest[:8], 16) / 0xFFFFFFFF
        made, begun = recipes[0].group.steps_made, parked[0].steps if parked else 0
        share = ((until or made) - begun) / made
        seconds = rest_of(self._batch_s, self._spread, chance) * share
        time.sleep(seconds)
        on_step(0)
        key = (recipes[0].group.model, recipes[0].group.dtype)
        loads, self.warm = int(key not in self.warm), OrderedDict({key: None})
        pixels = [
            np.resize(
                np.frombuffer(hashlib.sha512(r.digest.encode()).digest(), np.uint8),
                (_SIDE, _SIDE, 3),
            )
            for r in recipes
        ]
        for step in preview_steps(previews, made):
            if begun < step <= (until or made):
                on_preview(step, pixels)
        if until:
            places = [_nowhere(until)] * len(recipes)
            return Painted(pixels=[], parked=places, load_s=0.0, paint_s=seconds, loads=loads)
        return Painted(pixels=list(pixels), load_s=0.0, paint_s=seconds, loads=loads)

    def expect(self, group: Group, folder: str) -> None:
        """There is nothing to read."""

    def forget(self) -> None:
        """There is nothing to forget."""
