"""How the layers that an adapter names may be called in a model's own files: trainers name them as
the model's makers do, or as diffusers does. No torch here.
"""

import re
from collections.abc import Iterator

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
SWAPPED = "final_layer_adaLN_modulation_1"
"""Shift, then scale; diffusers has scale, then shift."""

# FLUX.2, if its layers are not as those of Flux.
_FLUX_2_BLOCKS = {
    "double_blocks_{n}_img_mlp_0": ("ff_linear_in",),
    "double_blocks_{n}_img_mlp_2": ("ff_linear_out",),
    "double_blocks_{n}_txt_mlp_0": ("ff_context_linear_in",),
    "double_blocks_{n}_txt_mlp_2": ("ff_context_linear_out",),
    "single_blocks_{n}_linear1": ("attn_to_qkv_mlp_proj",),
    "single_blocks_{n}_linear2": ("attn_to_out",),
}
_FLUX_2_ENDS = {
    "time_in_in_layer": "time_guidance_embed_timestep_embedder_linear_1",
    "time_in_out_layer": "time_guidance_embed_timestep_embedder_linear_2",
    "guidance_in_in_layer": "time_guidance_embed_guidance_embedder_linear_1",
    "guidance_in_out_layer": "time_guidance_embed_guidance_embedder_linear_2",
    "single_stream_modulation_lin": "single_stream_modulation_linear",
    "double_stream_modulation_img_lin": "double_stream_modulation_img_linear",
    "double_stream_modulation_txt_lin": "double_stream_modulation_txt_linear",
}

# Krea 2 as its makers name it.
_KREA_2_BLOCK = re.compile(r"(blocks|txtfusion_(?:layerwise|refiner)_blocks)_(\d+)_(.+)")
_KREA_2_STACKS = {
    "blocks": "transformer_blocks",
    "txtfusion_layerwise_blocks": "text_fusion_layerwise_blocks",
    "txtfusion_refiner_blocks": "text_fusion_refiner_blocks",
}
_KREA_2_LAYERS = {
    "attn_wq": "attn_to_q",
    "attn_wk": "attn_to_k",
    "attn_wv": "attn_to_v",
    "attn_wo": "attn_to_out_0",
    "attn_gate": "attn_to_gate",
    "mlp_gate": "ff_gate",
    "mlp_up": "ff_up",
    "mlp_down": "ff_down",
}
_KREA_2_ENDS = {
    "first": "img_in",
    "last_linear": "final_layer_linear",
    "tmlp_0": "time_embed_linear_1",
    "tmlp_2": "time_embed_linear_2",
    "tproj_1": "time_mod_proj",
    "txtmlp_1": "txt_in_linear_1",
    "txtmlp_3": "txt_in_linear_2",
    "txtfusion_projector": "text_fusion_projector",
}

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


def spellings(name: str, layers_per_block: int | None) -> Iterator[tuple[str, ...]]:
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
    yield from _of_krea_2(flat)
    yield from _of_z_image(flat)
    if layers_per_block is not None:
        for spelled in _of_sgm(flat, layers_per_block):
            yield (spelled,)


def _of_flux(flat: str) -> Iterator[tuple[str, ...]]:
    for ends in (_FLUX_ENDS, _FLUX_2_ENDS):
        if flat in ends:
            yield (ends[flat],)
    if block := re.fullmatch(r"(double|single)_blocks_(\d+)_(.+)", flat):
        kind, number, layer = block.groups()
        here = "transformer_blocks" if kind == "double" else "single_transformer_blocks"
        for blocks in (_FLUX_BLOCKS, _FLUX_2_BLOCKS):
            if inner := blocks.get(f"{kind}_blocks_{{n}}_{layer}"):
                yield tuple(f"{here}_{number}_{name}" for name in inner)


def _of_krea_2(flat: str) -> Iterator[tuple[str, ...]]:
    if flat in _KREA_2_ENDS:
        yield (_KREA_2_ENDS[flat],)
    if block := _KREA_2_BLOCK.fullmatch(flat):
        stack, number, layer = block.groups()
        if inner := _KREA_2_LAYERS.get(layer):
            yield (f"{_KREA_2_STACKS[stack]}_{number}_{inner}",)


def _of_z_image(flat: str) -> Iterator[tuple[str, ...]]:
    if flat.endswith("_attention_out"):
        yield (f"{flat.removesuffix('_out')}_to_out_0",)
    if flat.endswith("_attention_qkv"):
        block = flat.removesuffix("_qkv")
        yield tuple(f"{block}_to_{part}" for part in "qkv")


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
