"""How trainers name the layers that a LoRA lies over, and which layers of a model are meant. No
torch here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from actors.models.families import family_of
from actors.models.family import Family
from actors.models.heads import Shape, read_head
from actors.models.model_files import read_json
from storage.errors import RequestError

_DENOISER = "denoiser"  # whatever the model's is
# numbered differently by trainers and diffusers, which lays no adapter over it in any family
_T5 = "T5 encoder"
# Which part of a model a layer belongs to, if its name says so: in the names of diffusers, kohya,
# OneTrainer and ComfyUI.
_PREFIXES = {
    "unet.": "unet",
    "transformer.": "transformer",
    "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "text_encoder_3.": "text_encoder_3",
    "lora_unet_": _DENOISER,
    "lora_transformer_": _DENOISER,
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te3_": _T5,
    "diffusion_model.": _DENOISER,
    "model.diffusion_model.": _DENOISER,
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.clip_g.transformer.": "text_encoder_2",
    "text_encoders.t5xxl.transformer.": _T5,
}
_PEFT = "base_model.model."  # what peft puts before the names of any model
_NO_LAYERS = (
    "embedding",
    "embed_tokens",
    "relative_attention_bias",
)  # two-sided weights, but tables to look up, not layers

# Flux as its makers name it. If one layer there is several here, its rows are theirs, one after
# the other.
_FLUX_BLOCKS = {
    "double_blocks_{n}_img_attn_qkv": ("attn_to_q", "attn_to_k", "attn_to_v"),
    "double_blocks_{n}_txt_attn_qkv": ("attn_add_q_proj", "attn_add_k_proj", "attn_add_v_proj"),
    "double_blocks_{n}_img_attn_proj": ("attn_to_out_0",),
    "double_blocks_{n}_txt_attn_proj": ("attn_to_add_out",),
    "double_blocks_{n}_img_mlp_0": ("ff_net_0_proj",),
    "double_blocks_{n}_img_mlp_2": ("ff_net_2",),
    "double_blocks_{n}_txt_mlp_0": ("ff_context_net_0_proj",),
    "double_blocks_{n}_txt_mlp_2": ("ff_context_net_2",),
    "double_blocks_{n}_img_mod_lin": ("norm1_linear",),
    "double_blocks_{n}_txt_mod_lin": ("norm1_context_linear",),
    "double_blocks_{n}_qkv1": ("attn_to_q", "attn_to_k", "attn_to_v"),  # XLabs' processors
    "double_blocks_{n}_qkv2": ("attn_add_q_proj", "attn_add_k_proj", "attn_add_v_proj"),
    "double_blocks_{n}_proj1": ("attn_to_out_0",),
    "double_blocks_{n}_proj2": ("attn_to_add_out",),
    "single_blocks_{n}_linear1": ("attn_to_q", "attn_to_k", "attn_to_v", "proj_mlp"),
    "single_blocks_{n}_linear2": ("proj_out",),
    "single_blocks_{n}_modulation_lin": ("norm_linear",),
    "single_blocks_{n}_qkv": ("attn_to_q", "attn_to_k", "attn_to_v"),
    "single_blocks_{n}_proj": ("proj_out",),
}
_FLUX_ENDS = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in_in_layer": "time_text_embed_timestep_embedder_linear_1",
    "time_in_out_layer": "time_text_embed_timestep_embedder_linear_2",
    "vector_in_in_layer": "time_text_embed_text_embedder_linear_1",
    "vector_in_out_layer": "time_text_embed_text_embedder_linear_2",
    "guidance_in_in_layer": "time_text_embed_guidance_embedder_linear_1",
    "guidance_in_out_layer": "time_text_embed_guidance_embedder_linear_2",
    "final_layer_linear": "proj_out",
    "final_layer_adaLN_modulation_1": "norm_out_linear",
}
_SWAPPED = "final_layer_adaLN_modulation_1"  # shift, then scale; diffusers has scale, then shift

# Stable Diffusion's UNet as its makers name it (SGM, LDM).
_SGM_ENDS = {
    "input_blocks_0_0": "conv_in",
    "out_2": "conv_out",
    "time_embed_0": "time_embedding_linear_1",
    "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1",
    "label_emb_0_2": "add_embedding_linear_2",
}
_SGM_BLOCK = re.compile(r"(input|output)_blocks_(\d+)_(\d)_(.+)")
_SGM_MIDDLE = re.compile(r"middle_block_([012])_(.+)")
_SGM_MIDDLES = ("resnets_0", "attentions_0", "resnets_1")
_SGM_LAYERS = {
    "in_layers_2": "conv1",
    "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
}


@dataclass(frozen=True)
class Under:
    """A layer of a model: the name of its module, and the shape of its weights, outputs first."""

    module: str
    shape: Shape


@dataclass(frozen=True)
class Place:
    """What a LoRA's layer lies over: a layer of one part of a model, or several whose rows it has
    one after the other.
    """

    part: str
    unders: tuple[Under, ...]
    is_swapped: bool = False
    """Whether the two halves of its rows stand the other way round."""

    @property
    def sides(self) -> tuple[int, int]:
        """Numbers in, and out."""
        return self.unders[0].shape[1], sum(under.shape[0] for under in self.unders)

    @property
    def kernel(self) -> Shape:
        return self.unders[0].shape[2:]


@dataclass(frozen=True)
class Weights:
    """The layers of a model's folder, as the heads of its files have them."""

    name: str
    folder: Path

    @cached_property
    def pipeline(self) -> str:
        """The class of the model, from its index."""
        return str(read_json(self.folder / "model_index.json", self.name).get("_class_name"))

    @property
    def adapted(self) -> tuple[str, ...]:
        """The parts that can have adapters, the denoiser first."""
        return self._family.adapted

    @property
    def denoiser(self) -> str:
        return self._family.denoiser

    def has(self, part: str) -> bool:
        return bool(self._layers(part))

    def place(self, name: str) -> Place:
        """What the layer that an adapter's file names lies over.

        Raises RequestError if the model has no such part or layer, or the part takes no adapters.
        """
        part, rest = self.part_of(name)
        assert part is not None  # whoever asks has sorted out names without a part
        if not self.has(part):
            raise RequestError(
                f"it was made for another kind of model: it has the layer {name}, and {self.name}"
                f" has no {part}."
            )
        if part not in self.adapted:
            raise RequestError(
                f"its layer {name} is for the {part}, and a {self.pipeline} takes adapters for"
                f" {self._parts_text} alone."
            )
        if (found := self.find(part, rest)) is None:
            raise RequestError(f"it was made for another model: {self.name} has no layer {name}.")
        return found

    def find(self, part: str, name: str) -> Place | None:
        """The place of a layer, by its name within a part, or None if the part has none of that
        name.
        """
        layers = self._layers(part)
        for flats in _spellings(name, self._layers_per_block if part == "unet" else None):
            if all(flat in layers for flat in flats):
                return Place(
                    part,
                    tuple(layers[flat] for flat in flats),
                    is_swapped=name.replace(".", "_") == _SWAPPED,
                )
        return None

    def part_of(self, name: str) -> tuple[str | None, str]:
        """The part that a layer's name says, or None if it says none, and the rest of the name."""
        rest = name.removeprefix(_PEFT)
        prefix = max(
            (prefix for prefix in _PREFIXES if rest.startswith(prefix)), key=len, default=None
        )
        if prefix is None:
            return None, rest
        part = _PREFIXES[prefix]
        return (self.denoiser if part == _DENOISER else part), rest.removeprefix(
            prefix
        ).removeprefix(_PEFT)

    @property
    def _parts_text(self) -> str:
        return ", ".join(self.adapted) or "no part"

    @cached_property
    def _family(self) -> Family:
        family = family_of(self.pipeline)
        if family is None:
            raise RequestError(f"{self.name} is a {self.pipeline}, which cannot be painted with.")
        return family

    @cached_property
    def _layers_per_block(self) -> int | None:
        layers = read_json(self.folder / "unet" / "config.json", self.name).get("layers_per_block")
        return layers if isinstance(layers, int) else None

    def _layers(self, part: str) -> Mapping[str, Under]:
        """The layers of a part, by their names with underscores for dots."""
        return self._parts.get(part) or {}

    @cached_property
    def _parts(self) -> Mapping[str, Mapping[str, Under]]:
        names = {*_PREFIXES.values(), self.denoiser} - {_DENOISER, _T5}
        t5 = {part: self._read(part) for part in names}
        return {**t5, _T5: t5.get("text_encoder_3") or t5.get("text_encoder_2") or {}}

    def _read(self, part: str) -> Mapping[str, Under]:
        return {
            module.replace(".", "_"): Under(module, shape)
            for file in sorted((self.folder / part).glob("*.safetensors"))
            for name, shape in read_head(file).shapes.items()
            if name.endswith(".weight") and len(shape) > 1
            for module in [name.removesuffix(".weight")]
            if not module.endswith(_NO_LAYERS)
        }


def _spellings(name: str, layers_per_block: int | None) -> Iterator[tuple[str, ...]]:
    """How the layers that an adapter names may be called in a model's files, with underscores for
    dots.
    """
    flat = name.replace(".processor.", ".").replace(".", "_")
    yield (flat,)
    yield (f"{flat}_0",)  # the first of several that stand in a row: to_out
    encoder = re.sub(
        r"self_attn_to_(q|k|v|out)$", r"self_attn_\1_proj", flat
    )  # diffusers has written text encoders so
    yield (encoder.removeprefix("text_model_"),)  # and transformers both with and without this
    yield (f"text_model_{encoder.removeprefix('text_model_')}",)
    yield from _of_flux(flat)
    if layers_per_block is not None:
        for spelled in _of_sgm(flat, layers_per_block):
            yield (spelled,)


def _of_flux(flat: str) -> Iterator[tuple[str, ...]]:
    if flat in _FLUX_ENDS:
        yield (_FLUX_ENDS[flat],)
    if block := re.fullmatch(r"(double|single)_blocks_(\d+)_(.+)", flat):
        kind, number, layer = block.groups()
        inner = _FLUX_BLOCKS.get(f"{kind}_blocks_{{n}}_{layer}", ())
        if inner:
            here = "transformer_blocks" if kind == "double" else "single_transformer_blocks"
            yield tuple(f"{here}_{number}_{name}" for name in inner)


def _of_sgm(flat: str, layers_per_block: int) -> Iterator[str]:
    """The numbers of SGM count layers through all blocks; behind the layers of each stands one
    that brings to another size.
    """
    if flat in _SGM_ENDS:
        yield _SGM_ENDS[flat]
    elif middle := _SGM_MIDDLE.fullmatch(flat):
        yield f"mid_block_{_SGM_MIDDLES[int(middle[1])]}_{_SGM_LAYERS.get(middle[2], middle[2])}"
    elif found := _SGM_BLOCK.fullmatch(flat):
        side, number, inner, layer = (
            found[1],
            int(found[2]),
            int(found[3]),
            _SGM_LAYERS.get(found[4], found[4]),
        )
        block, within = divmod(number - (side == "input"), layers_per_block + 1)
        blocks = f"{'down' if side == 'input' else 'up'}_blocks_{block}"
        if side == "input" and layer == "op":
            yield f"{blocks}_downsamplers_0_conv"
        elif inner == 0:
            yield f"{blocks}_resnets_{within}_{layer}"
        else:
            yield f"{blocks}_attentions_{within}_{layer}"
            yield (  # in the place of attentions in blocks that have none
                f"{blocks}_upsamplers_0_{layer}"
            )
