"""A diffusers pipeline in memory, and how a batch is painted with it.

All noise comes from a CPU generator of each picture's own. If a picture begins from noise alone,
that noise is drawn here, in float32. If it begins from a reference, the pipeline draws the noise
by the same generators, one at a time.
"""

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import diffusers
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from actors.models.family import Family, takes_guidance
from actors.painting.latent_colours import Colours, fitted
from actors.painting.tiles import tiled
from actors.pictures.files import Pixels
from actors.recipes.errors import BadRequest, PromptTooLong
from actors.recipes.recipe import Control, Group, Recipe, whole

_ASKED_FOR = [torch.zeros(1, 1, 1)]  # a pipeline only looks whether it is there
_LIGHT = 127.5  # of 255: a mask is painted anew from here on

Embedding = dict[str, Tensor]
"""What a pipeline is given for a prompt, each part [1, ...] and always of one shape, so that no
prompt depends on its neighbours.
"""


class Embed(Protocol):
    """The embedding of a prompt, computed or remembered."""

    def __call__(self, text: str, *, is_negative: bool) -> Embedding: ...


class Likening(Protocol):
    """What an IP-Adapter sees in the pictures of a batch, for a pipeline that asks for it."""

    def __call__(self, pictures: Sequence[Pixels]) -> Callable[..., list[Tensor]]: ...


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
        self.control: Any | None = None
        """The ControlNet that stands beside it."""
        self.likeness: Likening | None = None
        """What makes pictures be like others, if something does."""
        self._others: dict[str, Any] = {}

    @classmethod
    def own_parts(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003  # most leave all to diffusers
        """What this class reads of a model's folder itself, since diffusers would need more for
        it than is installed.
        """
        return {}

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
            _check_strength(recipes, group.strength, family)
        _check_words(recipes, family.taken_out, family.name)
        _check_edits(group, family)
        _check_pictures(recipes, references)

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

    # only some see pictures, too
    def reading(self, recipe: Recipe, references: Mapping[str, Pixels]) -> Mapping[str, Any]:  # noqa: ARG002
        """How the texts of a recipe are read, if not as usual: what else `embed` is told."""
        group = recipe.group
        if group.clip_skip is None:
            return {}
        if "clip_skip" not in inspect.signature(self.embed).parameters:
            raise BadRequest(
                f"{self.family.name} takes no `clip_skip`: take it out of the campaign."
            )
        return {"clip_skip": group.clip_skip}

    def read_beside(self, recipe: Recipe) -> tuple[Hashable, ...]:
        """On what of a recipe the reading of its texts depends beside themselves."""
        return (recipe.group.clip_skip,)

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
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Float pictures [n, 3, h, w] in 0..1. `generators` are those of `generators_of`."""
        pipe = self._pipe_of(group)
        pipe.scheduler = scheduler
        prompts = self._given([embed(recipe.prompt, is_negative=False) for recipe in recipes])
        if self.family.has_negative:
            negatives = self._given(
                [embed(recipe.negative, is_negative=True) for recipe in recipes]
            )
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
            if masks := [references[recipe.mask] for recipe in recipes if recipe.mask]:
                begin["mask_image"] = _masks(masks)
        if group.control is not None:
            pictures = _images([references[recipe.control_image or ""] for recipe in recipes])
            begin |= _controlled(pictures, group.control, begins_from_picture="image" in begin)
            if self.control is not None:
                self.control.pictures = len(recipes)
        if group.likeness is not None and self.likeness is not None:
            seen = [references[whole(recipe.likeness_image or "")] for recipe in recipes]
            pipe.prepare_ip_adapter_image_embeds = self.likeness(seen)
            begin["ip_adapter_image_embeds"] = _ASKED_FOR
        if group.edits or self.family.only_edits:
            begin |= self._edited(
                [Image.fromarray(references[name]) for name in recipes[0].edit], group
            )
        # Generators are for schedulers that draw noise at every step, and for references.
        return pipe(
            **prompts, **begin, generator=list(generators), **self._options(pipe, group)
        ).images

    # some need to be told more than these
    def _edited(self, pictures: Sequence[Image.Image], group: Group) -> dict[str, Any]:  # noqa: ARG002
        """The pictures that a render is an edit of, as the pipeline takes them."""
        return {"image": list(pictures)}

    def _given(self, embeddings: Sequence[Embedding]) -> dict[str, Any]:
        """The embeddings of a batch, as the pipeline takes them."""
        return {
            name: torch.cat([embedding[name] for embedding in embeddings])
            for name in embeddings[0]
        }

    def noise(self, generators: Sequence[torch.Generator], width: int, height: int) -> Tensor:
        config, factor = self.denoiser.config, self.pipe.vae_scale_factor
        return drawn(generators, (1, config.in_channels, height // factor, width // factor))

    def decode(self, latents: Tensor, width: int, height: int) -> Tensor:
        """The pictures in latents of that size in pixels, as `paint` gives them."""
        return self._picture_of(self._unpacked(latents, width, height))

    def glance(self, latents: Tensor, width: int, height: int) -> Tensor:
        """About the same at the size of the latents, for next to nothing: [n, 3, h, w] in 0..1,
        by a linear map from latents to colours.
        """
        return self._colours.of(self._unpacked(latents, width, height))

    def tiled(self, side: int | None) -> AbstractContextManager[None]:
        """Have the VAE see tiles of `side` pixels a side while this lasts."""
        return tiled(getattr(self.pipe, "vae", None), side)

    def learn_colours(self) -> None:
        """Fit that map, if it is not yet."""
        _ = self._colours

    # packed latents do not know their shape
    def _unpacked(self, latents: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002
        """Latents as the VAE takes them: [n, channels, h, w]."""
        return latents

    @cached_property
    @torch.inference_mode()
    def _colours(self) -> Colours:
        return fitted(self._picture_of, self._latent_channels, self.pipe.vae.device)

    @property
    def _latent_channels(self) -> int:
        return int(self.pipe.vae.config.latent_channels)

    def _picture_of(self, latents: Tensor) -> Tensor:
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

    def stand_beside(self, control: Any | None) -> None:
        """Have a ControlNet beside it, or none, in the place of the one before."""
        self.control = control
        for name in self.family.all_controlled:
            self._others.pop(name, None)

    def _pipe_of(self, group: Group) -> Any:
        """The pipeline that paints a group: the one that was loaded, or another one made of the
        same components. The weights are in memory once.
        """
        if group.strength is None and group.control is None:
            return self.pipe
        is_named = group.pipeline != self.family.pipeline
        name = group.pipeline if is_named else str(self.family.image_to_image)
        if name not in self._others:
            self._others[name] = self._of_the_same(name)
        return self._others[name]

    def _of_the_same(self, name: str) -> Any:
        kind = getattr(diffusers, name)
        taken = inspect.signature(kind.__init__).parameters.keys()
        names = taken - self.pipe.components.keys()
        config = {name: self.pipe.config[name] for name in names if name in self.pipe.config}
        beside = {"controlnet": self.control} if "controlnet" in taken else {}
        pipe = kind(**self.pipe.components, **beside, **{**config, **self.load_options})
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
        more = {"eta": group.eta, "guidance_rescale": group.guidance_rescale}
        more = {name: value for name, value in more.items() if value is not None}
        if unknown := next((name for name in more if name not in takes), None):
            raise BadRequest(
                f"A {type(pipe).__name__} takes no `{unknown}`: take it out of the campaign."
            )
        return {
            "num_inference_steps": group.steps,
            "output_type": "pt",
            **size,
            **guidance,
            **more,
            **self.call_options,
        }


def _controlled(
    pictures: Tensor, control: Control, *, begins_from_picture: bool
) -> dict[str, Any]:
    """What a pipeline with a ControlNet is told of it. Unions take a list of pictures, each of its
    own kind.
    """
    how = {
        "controlnet_conditioning_scale": control.scale,
        "control_guidance_end": control.until,
    }
    if control.mode is not None:
        return {**how, "control_image": [pictures], "control_mode": [control.mode]}
    return {**how, "control_image" if begins_from_picture else "image": pictures}


def _check_strength(recipes: Sequence[Recipe], strength: float, family: Family) -> None:
    group = recipes[0].group
    if family.image_to_image is None:
        raise BadRequest(
            f"{family.name} cannot begin from a reference: take `reference` out of the campaign."
        )
    if group.steps_made < 1:
        raise BadRequest(
            f"Of {group.steps} steps a strength of {strength} leaves none: raise one of them."
        )
    if family.paints_parts(group.pipeline) is any(r.mask is None for r in recipes):
        raise BadRequest(
            f"A {group.pipeline} paints pictures that have a mask, and no others: submit the"
            " campaign again."
        )


def _check_words(recipes: Sequence[Recipe], taken_out: Sequence[str], name: str) -> None:
    texts = [text for recipe in recipes for text in (recipe.prompt, recipe.negative)]
    if found := next((word for word in taken_out if any(word in text for text in texts)), None):
        raise BadRequest(f"{name} would not read {found}: take it out of the campaign's texts.")


def _check_edits(group: Group, family: Family) -> None:
    if group.edits and group.edits > family.edits:
        known = f"no more pictures than {family.edits} at once" if family.edits else "no pictures"
        raise BadRequest(f"{family.name} edits {known}: take them out of the campaign.")
    if group.edits and group.batch > 1:
        raise BadRequest("Edits are painted one at a time: submit the campaign again.")


def _check_pictures(recipes: Sequence[Recipe], references: Mapping[str, Pixels]) -> None:
    """Raise BadRequest if a picture that recipes are painted from is missing, or of another
    size.
    """
    group = recipes[0].group
    needed = [recipe.mask for recipe in recipes if recipe.mask is not None]
    if group.strength is not None:
        needed += [recipe.reference or "" for recipe in recipes]
    if group.control is not None:
        needed += [recipe.control_image or "" for recipe in recipes]
    if group.likeness is not None:
        _require_wholes(recipes, references)
    if any(len(recipe.edit) != (group.edits or 0) for recipe in recipes):
        raise BadRequest("A picture has not all that it is an edit of: submit it again.")
    for name in (*needed, *(name for recipe in recipes for name in recipe.edit)):
        picture = references.get(name)
        if picture is None:
            raise BadRequest(f"The reference {name} of a picture was not fetched.")
        if name in needed and picture.shape != (group.height, group.width, 3):
            raise BadRequest(
                f"The reference {name} has the shape {picture.shape}, not"
                f" {(group.height, group.width, 3)}."
            )


def _require_wholes(recipes: Sequence[Recipe], references: Mapping[str, Pixels]) -> None:
    for recipe in recipes:
        if whole(name := recipe.likeness_image or "") not in references:
            raise BadRequest(f"The picture {name} that a render is to be like was not fetched.")


def generators_of(recipes: Sequence[Recipe]) -> list[torch.Generator]:
    """Each picture's own noise, from its beginning."""
    return [torch.Generator("cpu").manual_seed(recipe.seed) for recipe in recipes]


def drawn(generators: Sequence[torch.Generator], shape: tuple[int, ...]) -> Tensor:
    return torch.cat(
        [torch.randn(shape, generator=generator, dtype=torch.float32) for generator in generators]
    )


def _masks(pictures: Sequence[Pixels]) -> Tensor:
    """uint8 [h, w, 3] to float [n, 1, h, w]: 1 for the lighter half of all greys, else 0."""
    grey = np.stack(pictures).mean(axis=3, dtype=np.float32)[:, None]
    return torch.from_numpy((grey >= _LIGHT).astype(np.float32))


def _images(pictures: Sequence[Pixels]) -> Tensor:
    """uint8 [h, w, 3] to float [n, 3, h, w] in 0..1, as image-to-image pipelines take it."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
