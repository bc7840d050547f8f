"""How the pipelines of each family are called, a class each. `actors.models.families` says what
they take.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import diffusers
import torch
from torch import Tensor

from actors.models.families import Family
from actors.painting.loaded_pipeline import Embedding, LoadedPipeline, drawn
from actors.painting.plain import Plain
from actors.recipes.errors import PromptTooLong


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

    def _picture_of(self, latents: Tensor) -> Tensor:
        vae = self.pipe.vae
        if not (vae.config.force_upcast and vae.dtype == torch.float16):
            return super()._picture_of(latents)
        vae.to(torch.float32)  # its float16 overflows; the way there and back loses nothing
        images = super()._picture_of(latents)
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
        noise = drawn(generators, (1, channels, height // factor, width // factor))
        return self.pipe._pack_latents(noise, *noise.shape)

    def _unpacked(self, latents: Tensor, width: int, height: int) -> Tensor:
        factor = self.pipe.vae_scale_factor
        unpacked: Tensor = self.pipe._unpack_latents(latents, height, width, factor)
        return unpacked


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


class OneByOne(diffusers.ZImageTransformer2DModel):  # type: ignore[misc]  # untyped
    """Looks at each picture of a batch alone, with its negative beside it. All at once, it would
    pad every prompt to the longest of the batch, and neighbours would count.
    """

    pictures = 1

    def forward(
        self, x: list[Tensor], t: Tensor, cap_feats: list[Tensor], **more: Any
    ) -> tuple[list[Tensor]]:
        found: dict[int, Tensor] = {}
        for first in range(self.pictures):
            own = list(range(first, len(x), self.pictures))
            texts = [cap_feats[k] for k in own]
            answers = super().forward([x[k] for k in own], t[own], texts, **more)[0]
            found |= zip(own, answers, strict=True)
        return ([found[k] for k in range(len(x))],)


class Chatting(LoadedPipeline):
    """Its encoder is a model for conversations, and reads a prompt as a turn of one."""

    tokens = 512
    thinks = False

    def check_prompt(self, text: str) -> None:
        turn = [{"role": "user", "content": text}]
        whole = self.pipe.tokenizer.apply_chat_template(
            turn, tokenize=False, add_generation_prompt=True, enable_thinking=self.thinks
        )
        if (tokens := len(self.pipe.tokenizer(whole).input_ids)) > self.tokens:
            raise PromptTooLong(text, tokens, self.tokens)


class ZImage(Chatting):
    """Its prompts are lists of tensors, each as long as its own text."""

    latents_dtype = torch.float32
    thinks = True

    def __init__(self, family: Family, pipe: Any) -> None:
        super().__init__(family, pipe)
        pipe.transformer.__class__ = OneByOne

    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        (embeds,), _ = self.pipe.encode_prompt(
            text, device=self.pipe.device, do_classifier_free_guidance=False
        )
        return {"prompt_embeds": embeds[None]}

    def _given(self, embeddings: Sequence[Embedding]) -> dict[str, Any]:
        self.denoiser.pictures = len(embeddings)
        return {
            name: [tensor for embedding in embeddings for tensor in embedding[name]]
            for name in embeddings[0]
        }


class Flux2Klein(Chatting):
    """Its latents are patches of two by two, packed inside, and its VAE normalises them by
    statistics of its training.
    """

    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        return {"prompt_embeds": self.pipe.encode_prompt(text, self.pipe.device)[0]}

    def noise(self, generators: Sequence[torch.Generator], width: int, height: int) -> Tensor:
        channels, factor = self.denoiser.config.in_channels, 2 * self.pipe.vae_scale_factor
        return drawn(generators, (1, channels, height // factor, width // factor))

    def _unpacked(self, latents: Tensor, width: int, height: int) -> Tensor:
        factor, vae = 2 * self.pipe.vae_scale_factor, self.pipe.vae
        rows, columns = height // factor, width // factor
        patches = latents.reshape(len(latents), rows, columns, -1).permute(0, 3, 1, 2)
        mean = vae.bn.running_mean.view(1, -1, 1, 1).to(patches)
        spread = torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)
        unpacked: Tensor = self.pipe._unpatchify_latents(patches * spread.to(patches) + mean)
        return unpacked

    def _picture_of(self, latents: Tensor) -> Tensor:
        picture: Tensor = self.pipe.vae.decode(latents.to(self.pipe.vae.dtype)).sample
        return picture / 2 + 0.5


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
    "PixArtSigmaPipeline": PixArtSigma,
    "SanaPipeline": Sana,
    "ZImagePipeline": ZImage,
    "Flux2KleinPipeline": Flux2Klein,
    "ChromaPipeline": Chroma,
}


def pipeline_class_of(family: Family) -> type[LoadedPipeline]:
    return PIPELINES.get(family.pipeline, Plain)
