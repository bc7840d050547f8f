"""Families whose prompts a model for conversations reads, as a turn of one: Z-Image, FLUX.2,
Qwen-Image and Krea 2.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.pipelines.flux2.pipeline_flux2 import format_input
from torch import Tensor
from transformers import AutoTokenizer

from actors.models.family import Family
from actors.painting.loaded_pipeline import Embedding, LoadedPipeline, drawn
from actors.recipes.errors import PromptTooLong
from actors.recipes.recipe import Group

_READ = 512
"""The tokens that each of them reads, its template's among them."""


class Chatting(LoadedPipeline):
    """Its encoder is a model for conversations, and reads a prompt as a turn of one."""

    thinks = False

    def check_prompt(self, text: str) -> None:
        if (tokens := self._tokens(text)) > _READ:
            raise PromptTooLong(text, tokens, _READ)

    def _tokens(self, text: str) -> int:
        """How many a prompt has, with the template around it."""
        turn = [{"role": "user", "content": text}]
        whole = self.pipe.tokenizer.apply_chat_template(
            turn, tokenize=False, add_generation_prompt=True, enable_thinking=self.thinks
        )
        return len(self.pipe.tokenizer(whole).input_ids)


class ZImageOneByOne(diffusers.ZImageTransformer2DModel):  # type: ignore[misc]  # untyped
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


class ZImage(Chatting):
    """Its prompts are lists of tensors, each as long as its own text."""

    latents_dtype = torch.float32
    thinks = True

    def __init__(self, family: Family, pipe: Any) -> None:
        super().__init__(family, pipe)
        pipe.transformer.__class__ = ZImageOneByOne

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


class Flux2(Chatting):
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


class Flux2Dev(Flux2):
    """Its encoder sees pictures, too, but a prompt is read as text alone. So the tokenizer is
    enough: the processor around it would need torchvision.
    """

    @classmethod
    def own_parts(cls, folder: Path) -> dict[str, Any]:
        return {
            "tokenizer": AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        }

    def _tokens(self, text: str) -> int:
        (turns,) = format_input([text], self.pipe.system_message)
        return len(self.pipe.tokenizer.apply_chat_template(turns, return_dict=True).input_ids)


class OneFrame(Chatting):
    """Its VAE is that of a video, of which a picture is one frame."""

    def noise(self, generators: Sequence[torch.Generator], width: int, height: int) -> Tensor:
        channels, factor = self.denoiser.config.in_channels // 4, self.pipe.vae_scale_factor
        noise = drawn(generators, (1, channels, height // factor, width // factor))
        packed: Tensor = self.pipe._pack_latents(noise, *noise.shape)
        return packed

    @property
    def _latent_channels(self) -> int:
        return int(self.pipe.vae.config.z_dim)

    def _picture_of(self, latents: Tensor) -> Tensor:
        vae, shape = self.pipe.vae, (1, -1, 1, 1, 1)
        latents = latents.unsqueeze(2).to(vae.dtype)
        mean = torch.tensor(vae.config.latents_mean).view(shape).to(latents)
        # Divided by the inverse, as diffusers does: not one bit may differ.
        inverse = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(latents)
        picture: Tensor = vae.decode(latents / inverse + mean).sample[:, :, 0]
        return picture / 2 + 0.5


class QwenImageOneByOne(diffusers.QwenImageTransformer2DModel):  # type: ignore[misc]  # untyped
    """Looks at each picture of a batch alone, with no more of its text than there is. All at once,
    it would choose another path of attention for prompts of unequal lengths.
    """

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_mask: Tensor | None,
        timestep: Tensor,
        img_shapes: list[Any],
        **more: Any,
    ) -> tuple[Tensor]:
        found, mask = [], encoder_hidden_states_mask
        for k in range(len(hidden_states)):
            length = encoder_hidden_states.shape[1] if mask is None else int(mask[k].sum())
            found += super().forward(
                hidden_states=hidden_states[k : k + 1],
                encoder_hidden_states=encoder_hidden_states[k : k + 1, :length],
                timestep=timestep[k : k + 1],
                img_shapes=img_shapes[k : k + 1],
                **{**more, "return_dict": False},
            )
        return (torch.cat(found),)


class QwenImage(OneFrame):
    """Its guidance is the "true" one."""

    def __init__(self, family: Family, pipe: Any) -> None:
        super().__init__(family, pipe)
        pipe.transformer.__class__ = QwenImageOneByOne

    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        embeds, _ = self.pipe.encode_prompt(text, self.pipe.device)
        mask = torch.ones(embeds.shape[:2], dtype=torch.long, device=embeds.device)
        return {"prompt_embeds": embeds, "prompt_embeds_mask": mask}

    def _tokens(self, text: str) -> int:
        whole = self.pipe.prompt_template_encode.format(text)
        count = len(self.pipe.tokenizer(whole).input_ids)
        return count - int(self.pipe.prompt_template_encode_start_idx)

    def _given(self, embeddings: Sequence[Embedding]) -> dict[str, Any]:
        longest = max(embedding["prompt_embeds"].shape[1] for embedding in embeddings)
        return super()._given(
            [
                {name: _lengthened(tensor, longest) for name, tensor in embedding.items()}
                for embedding in embeddings
            ]
        )

    def _options(self, pipe: Any, group: Group) -> dict[str, Any]:
        options = super()._options(pipe, group)
        guidance = options.pop("guidance_scale", None)
        return options if guidance is None else {**options, "true_cfg_scale": guidance}

    def _unpacked(self, latents: Tensor, width: int, height: int) -> Tensor:
        factor = self.pipe.vae_scale_factor
        unpacked: Tensor = self.pipe._unpack_latents(latents, height, width, factor)
        return unpacked[:, :, 0]


class Krea2(OneFrame):
    """All its texts are of one length: what stands between the prompt and the end of the template
    is masked, so no text chooses another path of attention.
    """

    def embed(self, text: str, *, is_negative: bool) -> Embedding:  # noqa: ARG002
        embeds, mask = self.pipe.encode_prompt(text, self.pipe.device)
        return {"prompt_embeds": embeds, "prompt_embeds_mask": mask}

    def _tokens(self, text: str) -> int:
        begin = self.pipe.prompt_template_encode_prefix
        end = self.pipe.prompt_template_encode_num_suffix_tokens
        count = len(self.pipe.tokenizer(begin + text).input_ids)
        return int(count - self.pipe.prompt_template_encode_start_idx + end)

    def _unpacked(self, latents: Tensor, width: int, height: int) -> Tensor:
        unpacked: Tensor = self.pipe._unpack_latents(latents, height, width)
        return unpacked[:, :, 0]


def _lengthened(tensor: Tensor, length: int) -> Tensor:
    """[1, tokens, ...] with zeros after the tokens that there are."""
    missing = tensor.new_zeros((1, length - tensor.shape[1], *tensor.shape[2:]))
    return torch.cat([tensor, missing], dim=1)
