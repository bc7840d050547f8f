"""A Stable Diffusion pipeline as one file, with the names of tensors that other tools use. It says
the opposite of what diffusers' own loader does, which it is held against.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

_EMBEDDING = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ATTENTION = {
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip


def save_single_file(pipe, path: Path, *, without: str = "-") -> Path:
    """Write all of a pipeline's weights, but for those whose names begin with `without`."""
    tensors = {
        name: tensor.contiguous().clone()
        for name, tensor in _tensors(pipe)
        if not name.startswith(without)
    }
    save_file(tensors, path)
    return path


def _tensors(pipe) -> Iterator[tuple[str, torch.Tensor]]:
    layers = pipe.unet.config.layers_per_block
    for name, tensor in pipe.unet.state_dict().items():
        yield f"model.diffusion_model.{_unet_name(name, layers)}", tensor
    blocks = len(pipe.vae.config.block_out_channels)
    for name, tensor in pipe.vae.state_dict().items():
        yield _vae_tensor(name, tensor, blocks)
    for name, tensor in pipe.text_encoder.state_dict().items():
        yield f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}", tensor


def _renamed(name: str, names: dict[str, str]) -> str:
    """A name with the first of these words that stands in it put in their way."""
    for ours, theirs in names.items():
        if re.search(rf"(^|\.){re.escape(ours)}\.", f"{name}."):
            return re.sub(rf"(^|(?<=\.)){re.escape(ours)}(?=\.|$)", theirs, name, count=1)
    return name


def _unet_name(name: str, layers: int) -> str:
    if not name.startswith(("down_", "up_", "mid_")):
        return _renamed(name, _EMBEDDING)
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name):
        kind, number, rest = found[1], int(found[2]), found[3]
        is_resnet = kind == "resnets"
        return f"middle_block.{2 * number if is_resnet else 1}." + (
            _renamed(rest, _RESNET) if is_resnet else rest
        )
    found = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name)
    side, block, kind, number, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if side == "down":
        first = f"input_blocks.{(layers + 1) * block + number + 1}"
        last = f"input_blocks.{(layers + 1) * (block + 1)}"
    else:
        first = f"output_blocks.{(layers + 1) * block + number}"
        last = f"output_blocks.{(layers + 1) * block + layers}"
    if kind == "resnets":
        return f"{first}.0.{_renamed(rest, _RESNET)}"
    if kind == "attentions":
        return f"{first}.1.{rest}"
    if kind == "downsamplers":
        return f"{last}.0.{rest.replace('conv', 'op', 1)}"
    return f"{last}.2.{rest}"


def _vae_tensor(name: str, tensor: torch.Tensor, blocks: int) -> tuple[str, torch.Tensor]:
    name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    name = re.sub(
        r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name
    )
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(
        r"up_blocks\.(\d)\.resnets", lambda found: f"up.{blocks - 1 - int(found[1])}.block", name
    )
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(
        r"up_blocks\.(\d)\.upsamplers\.0",
        lambda found: f"up.{blocks - 1 - int(found[1])}.upsample",
        name,
    )
    if "mid_block.attentions.0" in name:
        name = _renamed(name.replace("mid_block.attentions.0", "mid.attn_1"), _ATTENTION)
        if tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
    return f"first_stage_model.{name}", tensor
