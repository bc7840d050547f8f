"""Pipelines that have no class of their own, painted through diffusers' plain call."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from actors.models.family import Family
from actors.painting.loaded_pipeline import Embed, Embedding, LoadedPipeline, generators_of
from actors.painting.reading import Reading
from actors.pictures.files import Pixels
from actors.recipes.errors import BadRequest, PromptTooLong
from actors.recipes.recipe import Group, Recipe


class Plain(LoadedPipeline):
    """Any other text-to-image pipeline of diffusers, through its plain call: it reads the prompt
    and draws its noise itself.
    """

    # What some pipelines would do on their own: paint another size and scale it, and clean prompts
    # if a library happens to be there.
    call_options: Mapping[str, Any] = {"use_resolution_binning": False, "clean_caption": False}

    def __init__(self, family: Family, pipe: Any) -> None:
        super().__init__(family, pipe)
        self._reading = Reading(pipe.components)

    def read(self, text: str, group: Group, scheduler: Any) -> Embedding:
        recipe = Recipe(group=replace(group, batch=1), prompt=text, negative="", seed=0)
        return {
            "picture": self.paint(
                recipe.group, [recipe], self.embed, scheduler, {}, generators_of([recipe])
            )
        }

    def paint(
        self,
        group: Group,
        recipes: Sequence[Recipe],
        embed: Embed,  # noqa: ARG002
        scheduler: Any,
        references: Mapping[str, Pixels],  # noqa: ARG002
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        (recipe,), (generator,) = recipes, generators
        texts = [recipe.prompt, recipe.negative]
        for text in texts:
            self.check_prompt(text)
        self.pipe.scheduler = scheduler
        negative = {"negative_prompt": recipe.negative} if recipe.negative else {}
        self._reading.clear()
        try:
            images = self.pipe(
                prompt=recipe.prompt,
                **negative,
                generator=generator,
                **self._options(self.pipe, group),
            ).images
        except (TypeError, ValueError) as exc:
            raise BadRequest(f"The {self.family.pipeline} cannot paint this: {exc}") from exc
        if (found := self._reading.cut_off(texts)) is not None:
            text, cut = found
            raise PromptTooLong(text, cut.tokens, cut.room)
        return images

    @property
    def _takes_guidance(self) -> bool:
        return (
            self.family.has_guidance
        )  # older campaigns named some that changed nothing, and go on

    def _unpacked(self, latents: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002
        raise BadRequest(
            f"The {self.family.pipeline} shows no previews: take `previews` out of the campaign."
        )

    def _options(self, pipe: Any, group: Group) -> dict[str, Any]:
        takes = inspect.signature(pipe.__call__).parameters
        options = super()._options(pipe, group)
        if group.guidance is not None:
            options["guidance_schedule"] = None  # Ideogram's, which is one of two ways to say it
        return {name: value for name, value in options.items() if name in takes}
