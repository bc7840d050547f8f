"""Denoising one batch on a device: all of its steps, the first of them, or the rest."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import diffusers
import torch
from torch import Tensor

from actors.painting.embeddings import Embeddings
from actors.painting.loaded_pipeline import Embedding, LoadedPipeline, generators_of
from actors.painting.parking import Parked, Parking, parked_after, resumed
from actors.painting.previews import watch_steps
from actors.pictures.files import Pixels
from actors.recipes.errors import BadRequest
from actors.recipes.previews import Decode, Previews
from actors.recipes.recipe import Group, Recipe

T = TypeVar("T")

NO_REFERENCES: Mapping[str, Pixels] = MappingProxyType({})
OnPreview = Callable[[int, Sequence[Pixels | None]], None]
"""Is given a step and its look of each picture, None if the numbers were not a picture."""


def ignore(_step: int, _pictures: Sequence[Pixels | None]) -> None:
    """Nobody looks at the steps."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Up to a batch of recipes of one group, and how they are painted."""

    recipes: Sequence[Recipe]
    on_step: Callable[[int], None]
    """Called after each step with how many are left; what it raises ends the batch."""
    references: Mapping[str, Pixels] = field(default_factory=dict)
    previews: Previews | None = None
    on_preview: OnPreview = ignore
    """Called while the batch is painted, as soon as a step is made of which previews are kept."""
    until: int | None = None
    """After which step the batch is parked instead of finished."""
    parked: Sequence[Parked] = ()
    """The parked state of each recipe, if they go on from one."""

    @property
    def group(self) -> Group:
        return self.recipes[0].group

    @property
    def steps_seen(self) -> frozenset[int]:
        """The steps that are looked at, of those that are still to be made."""
        made = self.parked[0].steps if self.parked else 0
        steps = self.previews.steps(self.group.steps_made) if self.previews else ()
        return frozenset(step for step in steps if step > made)


@dataclass(frozen=True, kw_only=True)
class Denoised:
    """Pictures, None if the numbers were not one; or the batch as it was parked."""

    pixels: list[Pixels | None]
    parked: list[Parked]


@torch.inference_mode()
def denoise(pipeline: LoadedPipeline, embeddings: Embeddings, batch: Batch) -> Denoised:
    """Paint a batch; a short one is padded to its shape."""
    group, count = batch.group, len(batch.recipes)
    batch.on_step(0)
    padded = _padded(batch.recipes, group.batch)
    pipeline.check(padded, batch.references)
    scheduler, generators = new_scheduler(group), generators_of(padded)
    # Edits are painted one at a time, so all of a batch are read alike.
    reading = pipeline.reading(padded[0], batch.references)

    def embed(text: str, *, is_negative: bool) -> Embedding:
        def compute() -> Embedding:
            pipeline.check_prompt(text)
            return pipeline.embed(text, is_negative=is_negative, **reading)

        # an adapter may change what a text encoder says
        key = (text, is_negative, group.adapters, *pipeline.read_beside(padded[0]))
        return embeddings.get(key, compute)

    with ExitStack() as stack:
        _prepare(stack, pipeline, scheduler, generators, batch)
        try:
            images = pipeline.paint(group, padded, embed, scheduler, batch.references, generators)
        except Parking as parking:
            return Denoised(pixels=[], parked=parking.parked[:count])
    if images.shape != (group.batch, 3, group.height, group.width):
        raise BadRequest(
            f"The model makes pictures of the shape {tuple(images.shape)}, not of"
            f" {group.width}x{group.height}."
        )
    return Denoised(pixels=pixels_of(images)[:count], parked=[])


def new_scheduler(group: Group) -> Any:
    """A fresh one for each batch: some keep a history of their steps. Of another scheduler's
    config it gets what it knows.
    """
    kind = getattr(diffusers, group.scheduler_config["_class_name"])
    known = inspect.signature(kind.__init__).parameters
    return kind.from_config(
        {name: value for name, value in group.scheduler_config.items() if name in known}
    )


def pixels_of(images: Tensor) -> list[Pixels | None]:
    """Float [n, 3, h, w] in 0..1 to uint8 [h, w, 3], rounded on the device so that a quarter of
    the bytes leave it; None for numbers that are not finite, or for one flat colour.
    """
    good = torch.isfinite(images).flatten(1).all(1) & (
        images.flatten(1).amax(1) > images.flatten(1).amin(1)
    )
    clean = torch.nan_to_num(images.float()).clamp(0, 1)
    array: Pixels = (
        (clean * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    )
    return [pixels if fine else None for pixels, fine in zip(array, good.tolist(), strict=True)]


def _prepare(
    stack: ExitStack,
    pipeline: LoadedPipeline,
    scheduler: Any,
    generators: Sequence[torch.Generator],
    batch: Batch,
) -> None:
    """Lay what looks at steps, parks and goes on around a scheduler, the innermost first."""
    group, count = batch.group, len(batch.recipes)
    if batch.parked:
        parked = _padded(batch.parked, group.batch)
        control = pipeline.control if group.control else None
        stack.enter_context(resumed(parked, scheduler, pipeline.denoiser, generators, control))
    decode = pipeline.decode
    if batch.previews and batch.previews.decode is Decode.FAST:
        decode = pipeline.glance

    def see(step: int, x0: Tensor) -> None:
        pictures = pixels_of(decode(x0, group.width, group.height))
        batch.on_preview(step, pictures[:count])

    watch_steps(scheduler, batch.on_step, see, at=batch.steps_seen, last=group.steps_made)
    if batch.until is not None:
        stack.enter_context(parked_after(batch.until, scheduler, pipeline.denoiser, generators))


def _padded(given: Sequence[T], size: int) -> list[T]:
    return [*given, *[given[-1]] * (size - len(given))]
