"""How the pipelines of each family are called, a class each. `actors.models.families` says what
they take.

All noise comes from a CPU generator of each picture's own. If a picture begins from noise alone,
that noise is drawn here, in float32. If it begins from a reference, the pipeline draws the noise
by the same generators, one at a time.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import diffusers
import numpy as np
import torch
from torch import Tensor

from actors.models.families import Family, takes_guidance
from actors.painting.reading import Reading
from actors.pictures.files import Pixels
from actors.recipes.errors import BadRequest, PromptTooLong
from actors.recipes.recipe import Group, Recipe

Embedding = dict[str, Tensor]
"""What a pipeline is given for a prompt, each part [1, ...] and always of one shape, so that no
prompt depends on its neighbours.
"""


class Embed(Protocol):
    """The embedding of a prompt, computed or remembered."""

    def __call__(self, text: str, *, is_negative: bool) -> Embedding: ...


class LoadedPipeline:
    """A diffusers pipeline in memory, and how a batch is painted with it. This class serves
    families whose prompts CLIP alone reads, like Stable Diffusion.
    """

    load_options: Mapping[str, Any] = {}
    call_options: Mapping[str, Any] = {}
    latents_dtype: torch.dtype | None = None
    """What the pipeline keeps latents in, if not in the dtype of its weights."""

    def __init__(self, family: Family, pipe: Any) -> None:
        self.family = family
        self.pipe = pipe

    def check(self, recipes: Sequence[Recipe], references: Mapping[str, Pixels]) -> None:
        """Raise BadRequest if a recipe cannot be painted and that shows before the device has done
        anything.
        """
        group, family = recipes[0].group, self.family
        if not family.has_negative and any(recipe.negative for recipe in recipes):
            raise BadRequest(
                f"{family.name} takes no negative prompt: take `negative` out of the campaign."
            )
        if group.guidance is not None and not self._takes_guidance:
            raise BadRequest(
                f"This {family.pipeline} has no guidance: take it out of the campaign."
            )
        if group.strength is not None:
            self._check_references(recipes, group.strength, references)

    def check_prompt(self, text: str) -> None:
        """Raise PromptTooLong if a text encoder would cut it off."""
        for reader in self.family.readers:
            if (tokenizer := getattr(self.pipe, reader.tokenizer, None)) is not None:
                tokens, room = (
                    len(tokenizer(text).input_ids),
                    reader.tokens or tokenizer.model_max_length,
                )
                if tokens > room:
                    raise PromptTooLong(text, tokens, room)
                return

    def _check_references(
        self, recipes: Sequence[Recipe], strength: float, references: Mapping[str, Pixels]
    ) -> None:
        group = recipes[0].group
        if self.family.image_to_image is None:
            raise BadRequest(
                f"{self.family.name} cannot begin from a reference: take `reference` out of the"
                " campaign."
            )
        if group.steps_made < 1:
            raise BadRequest(
                f"Of {group.steps} steps a strength of {strength} leaves none: raise one of them."
            )
        for recipe in recipes:
            picture = references.get(recipe.reference or "")
            if picture is None:
                raise BadRequest(f"The reference {recipe.reference} of a picture was not fetched.")
            if picture.shape != (group.height, group.width, 3):
                raise BadRequest(
                    f"The reference {recipe.reference} has the shape {picture.shape}, not"
                    f" {(group.height, group.width, 3)}."
                )

    # some families read the two differently
    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        return {"prompt_embeds": self.pipe.encode_prompt(text, self.pipe.device, 1, False)[0]}

    # a plain pipeline reads only while it paints
    def read(self, text: str, group: Group, scheduler: Any) -> Embedding:  # noqa: ARG002
        """What the pipeline makes of a prompt."""
        return self.embed(text, is_negative=False)

    def paint(
        self,
        group: Group,
        recipes: Sequence[Recipe],
        embed: Embed,
        scheduler: Any,
        references: Mapping[str, Pixels],
    ) -> Tensor:
        """Float pictures [n, 3, h, w] in 0..1."""
        generators = [torch.Generator("cpu").manual_seed(recipe.seed) for recipe in recipes]
        pipe = self.pipe if group.strength is None else self._from_reference
        pipe.scheduler = scheduler
        prompts = _stacked([embed(recipe.prompt, is_negative=False) for recipe in recipes])
        if self.family.has_negative:
            negatives = _stacked([embed(recipe.negative, is_negative=True) for recipe in recipes])
            prompts |= {f"negative_{name}": tensor for name, tensor in negatives.items()}
        begin: dict[str, Any]
        if group.strength is None:
            noise = self.noise(generators, group.width, group.height)
            begin = {"latents": noise.to(pipe.device, self.latents_dtype or self.denoiser.dtype)}
        else:
            begin = {
                "image": _images([references[recipe.reference or ""] for recipe in recipes]),
                "strength": group.strength,
            }
        # Generators are for schedulers that draw noise at every step, and for references.
        return pipe(**prompts, **begin, generator=generators, **self._options(pipe, group)).images

    def noise(self, generators: Sequence[torch.Generator], width: int, height: int) -> Tensor:
        config, factor = self.denoiser.config, self.pipe.vae_scale_factor
        return _drawn(generators, (1, config.in_channels, height // factor, width // factor))

    # packed latents do not know their shape
    def decode(self, latents: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002
        """The picture in latents, as `paint` gives it."""
        vae = self.pipe.vae
        latents = latents.to(vae.dtype) / vae.config.scaling_factor
        if shift := vae.config.get("shift_factor"):
            latents = latents + shift
        return vae.decode(latents).sample / 2 + 0.5

    @property
    def denoiser(self) -> Any:
        return getattr(self.pipe, self.family.denoiser)

    @property
    def _takes_guidance(self) -> bool:
        return takes_guidance(self.family, self._denoiser_config)

    @property
    def _denoiser_config(self) -> Mapping[str, Any]:
        denoiser = getattr(
            self.pipe, self.family.denoiser, None
        )  # not every pipeline without a row has one of that name
        return {} if denoiser is None else denoiser.config

    @cached_property
    def _from_reference(self) -> Any:
        """The image-to-image pipeline, made of the same components: the weights are in memory
        once.
        """
        kind = getattr(diffusers, str(self.family.image_to_image))
        names = inspect.signature(kind.__init__).parameters.keys() - self.pipe.components.keys()
        config = {name: self.pipe.config[name] for name in names if name in self.pipe.config}
        pipe = kind(**self.pipe.components, **{**config, **self.load_options})
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _options(self, pipe: Any, group: Group) -> dict[str, Any]:
        """The arguments of a call beside prompts, noise and references."""
        takes = inspect.signature(pipe.__call__).parameters
        size = {
            name: side
            for name, side in (("width", group.width), ("height", group.height))
            if name in takes
        }
        guidance = {} if group.guidance is None else {"guidance_scale": group.guidance}
        return {
            "num_inference_steps": group.steps,
            "output_type": "pt",
            **size,
            **guidance,
            **self.call_options,
        }


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
        return {"picture": self.paint(recipe.group, [recipe], self.embed, scheduler, {})}

    def paint(
        self,
        group: Group,
        recipes: Sequence[Recipe],
        embed: Embed,  # noqa: ARG002
        scheduler: Any,
        references: Mapping[str, Pixels],  # noqa: ARG002
    ) -> Tensor:
        (recipe,) = recipes
        texts = [recipe.prompt, recipe.negative]
        for text in texts:
            self.check_prompt(text)
        self.pipe.scheduler = scheduler
        negative = {"negative_prompt": recipe.negative} if recipe.negative else {}
        generator = torch.Generator("cpu").manual_seed(recipe.seed)
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

    def decode(self, latents: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002
        raise BadRequest(
            f"The {self.family.pipeline} shows no previews: take `previews` out of the campaign."
        )

    def _options(self, pipe: Any, group: Group) -> dict[str, Any]:
        takes = inspect.signature(pipe.__call__).parameters
        options: dict[str, Any] = {
            "max_area": group.width * group.height
        }  # to which Kontext would scale every size
        if group.guidance is not None:
            options["guidance_schedule"] = None  # Ideogram's, which is one of two ways to say it
        return {
            name: value
            for name, value in {**super()._options(pipe, group), **options}.items()
            if name in takes
        }


class StableDiffusion(LoadedPipeline):
    load_options: Mapping[str, Any] = {"requires_safety_checker": False}


class StableDiffusionXL(LoadedPipeline):
    load_options: Mapping[str, Any] = {
        "add_watermarker": False
    }  # else pictures would carry one only if another library is installed

    def embed(self, text: str, *, is_negative: bool) -> Embedding:
        embeds, _, pooled, _ = self.pipe.encode_prompt(
            text, device=self.pipe.device, do_classifier_free_guidance=False
        )
        if is_negative and not text and self.pipe.config.force_zeros_for_empty_prompt:
            embeds, pooled = torch.zeros_like(embeds), torch.zeros_like(pooled)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def decode(self, latents: Tensor, width: int, height: int) -> Tensor:
        vae = self.pipe.vae
        if not (vae.config.force_upcast and vae.dtype == torch.float16):
            return super().decode(latents, width, height)
        vae.to(torch.float32)  # its float16 overflows; the way there and back loses nothing
        images = super().decode(latents, width, height)
        vae.to(torch.float16)
        return images


class StableDiffusion3(LoadedPipeline):
    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        tokens = self.family.readers[0].tokens
        embeds, _, pooled, _ = self.pipe.encode_prompt(
            text,
            None,
            None,
            device=self.pipe.device,
            do_classifier_free_guidance=False,
            max_sequence_length=tokens,
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}


class Flux(LoadedPipeline):
    """Its latents are packed: instead of an image of 16 channels they are a row of patches."""

    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        tokens = self.family.readers[0].tokens
        embeds, pooled, _ = self.pipe.encode_prompt(
            text, device=self.pipe.device, max_sequence_length=tokens
        )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def noise(self, generators: Sequence[torch.Generator], width: int, height: int) -> Tensor:
        channels, factor = self.denoiser.config.in_channels // 4, self.pipe.vae_scale_factor
        drawn = _drawn(generators, (1, channels, height // factor, width // factor))
        return self.pipe._pack_latents(drawn, *drawn.shape)

    def decode(self, latents: Tensor, width: int, height: int) -> Tensor:
        return super().decode(
            self.pipe._unpack_latents(latents, height, width, self.pipe.vae_scale_factor),
            width,
            height,
        )


class PixArtSigma(LoadedPipeline):
    # The pipeline's own cleaning depends on what else is installed; its bins would paint another
    # size and scale it. Its negative prompt is an empty one by default, which it would not take
    # beside an embedding.
    call_options: Mapping[str, Any] = {
        "clean_caption": False,
        "use_resolution_binning": False,
        "negative_prompt": None,
    }

    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        tokens = self.family.readers[0].tokens
        embeds, mask, _, _ = self.pipe.encode_prompt(
            text, False, device=self.pipe.device, clean_caption=False, max_sequence_length=tokens
        )
        return {"prompt_embeds": embeds, "prompt_attention_mask": mask}


class Sana(LoadedPipeline):
    call_options = PixArtSigma.call_options
    latents_dtype = torch.float32

    def embed(self, text: str, *, is_negative: bool) -> Embedding:
        instruction = (
            inspect.signature(self.pipe.__call__).parameters["complex_human_instruction"].default
        )
        embeds, mask, _, _ = self.pipe.encode_prompt(
            text,
            False,
            device=self.pipe.device,
            complex_human_instruction=None if is_negative else instruction,
        )
        return {"prompt_embeds": embeds, "prompt_attention_mask": mask}


PIPELINES: Mapping[str, type[LoadedPipeline]] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
    "StableDiffusion3Pipeline": StableDiffusion3,
    "FluxPipeline": Flux,
    "PixArtSigmaPipeline": PixArtSigma,
    "SanaPipeline": Sana,
}


def pipeline_class_of(family: Family) -> type[LoadedPipeline]:
    return PIPELINES.get(family.pipeline, Plain)


def _stacked(embeddings: Sequence[Embedding]) -> Embedding:
    return {
        name: torch.cat([embedding[name] for embedding in embeddings]) for name in embeddings[0]
    }


def _drawn(generators: Sequence[torch.Generator], shape: tuple[int, ...]) -> Tensor:
    return torch.cat(
        [torch.randn(shape, generator=generator, dtype=torch.float32) for generator in generators]
    )


def _images(pictures: Sequence[Pixels]) -> Tensor:
    """uint8 [h, w, 3] to float [n, 3, h, w] in 0..1, as image-to-image pipelines take it."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
