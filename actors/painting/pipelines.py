"""How the pipelines of each family are called, a class each. `actors.models.families` says what
they take.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from actors.models.family import Family
from actors.painting.loaded_pipeline import Embedding, LoadedPipeline, drawn
from actors.painting.plain import Plain
from actors.painting.qwen_edits import QwenImageEdit, QwenImageEditPlus
from actors.painting.talking_encoders import Flux2, Flux2Dev, Krea2, QwenImage, ZImage
from actors.recipes.recipe import Group


class StableDiffusion(LoadedPipeline):
    load_options: Mapping[str, Any] = {"requires_safety_checker": False}

    def embed(self, text: str, *, is_negative: bool, clip_skip: int | None = None) -> Embedding:
        with _as_older_transformers_had_it(self.pipe.text_encoder):
            embeds, _ = self.pipe.encode_prompt(
                text, self.pipe.device, 1, False, clip_skip=None if is_negative else clip_skip
            )
        return {"prompt_embeds": embeds}


@contextmanager
def _as_older_transformers_had_it(encoder: Any) -> Iterator[None]:
    """For the last layer of CLIP, diffusers 0.42 looks in a part that transformers 5 has merged
    into the whole. It is no module of the whole meanwhile, or that would be a part of itself.
    """
    if hasattr(encoder, "text_model"):
        yield
        return
    encoder.__dict__["text_model"] = encoder
    try:
        yield
    finally:
        del encoder.__dict__["text_model"]


class StableDiffusionXL(LoadedPipeline):
    load_options: Mapping[str, Any] = {
        "add_watermarker": False
    }  # else pictures would carry one only if another library is installed

    def embed(self, text: str, *, is_negative: bool, clip_skip: int | None = None) -> Embedding:
        embeds, _, pooled, _ = self.pipe.encode_prompt(
            text,
            device=self.pipe.device,
            do_classifier_free_guidance=False,
            clip_skip=None if is_negative else clip_skip,
        )
        if is_negative and not text and self.pipe.config.force_zeros_for_empty_prompt:
            embeds, pooled = torch.zeros_like(embeds), torch.zeros_like(pooled)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    def _picture_of(self, latents: Tensor) -> Tensor:
        vae = self.pipe.vae
        if not (vae.config.force_upcast and vae.dtype == torch.float16):
            return super()._picture_of(latents)
        vae.to(torch.float32)  # its float16 overflows; the way there and back loses nothing
        images = super()._picture_of(latents)
        vae.to(torch.float16)
        return images


class StableDiffusion3(LoadedPipeline):
    def embed(self, text: str, *, is_negative: bool, clip_skip: int | None = None) -> Embedding:
        tokens = self.family.readers[0].tokens
        embeds, _, pooled, _ = self.pipe.encode_prompt(
            text,
            None,
            None,
            device=self.pipe.device,
            do_classifier_free_guidance=False,
            clip_skip=None if is_negative else clip_skip,
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
        noise = drawn(generators, (1, channels, height // factor, width // factor))
        return self.pipe._pack_latents(noise, *noise.shape)

    def _unpacked(self, latents: Tensor, width: int, height: int) -> Tensor:
        factor = self.pipe.vae_scale_factor
        unpacked: Tensor = self.pipe._unpack_latents(latents, height, width, factor)
        return unpacked


class Kontext(Flux):
    """Flux that sees a picture beside the one that it paints. It would paint another size, of the
    same shape, if it were not told the area.
    """

    def _edited(self, pictures: Sequence[Image.Image], group: Group) -> dict[str, Any]:  # noqa: ARG002
        (picture,) = pictures
        return {"image": picture}

    def _options(self, pipe: Any, group: Group) -> dict[str, Any]:
        return {**super()._options(pipe, group), "max_area": group.width * group.height}


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


class Chroma(Flux):
    """Flux with negatives, and a mask that leaves one token after the prompt to be seen."""

    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        embeds, _, mask, *_ = self.pipe.encode_prompt(
            text, device=self.pipe.device, do_classifier_free_guidance=False
        )
        return {"prompt_embeds": embeds, "prompt_attention_mask": mask}


PIPELINES: Mapping[str, type[LoadedPipeline]] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
    "StableDiffusion3Pipeline": StableDiffusion3,
    "FluxPipeline": Flux,
    "FluxKontextPipeline": Kontext,
    "PixArtSigmaPipeline": PixArtSigma,
    "SanaPipeline": Sana,
    "ZImagePipeline": ZImage,
    "Flux2KleinPipeline": Flux2,
    "Flux2Pipeline": Flux2Dev,
    "ChromaPipeline": Chroma,
    "QwenImagePipeline": QwenImage,
    "QwenImageEditPipeline": QwenImageEdit,
    "QwenImageEditPlusPipeline": QwenImageEditPlus,
    "Krea2Pipeline": Krea2,
}


def pipeline_class_of(family: Family) -> type[LoadedPipeline]:
    return PIPELINES.get(family.pipeline, Plain)
