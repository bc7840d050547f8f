"""The tensors of a LoRA in the names that diffusers reads, one pair for each layer of the model
that is adapted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from safetensors.torch import load_file
from torch import Tensor

from actors.models.lora import Layer, Lora


@dataclass(frozen=True)
class Laid:
    """The change that an adapter lays over one layer of a model: strength * up @ down."""

    part: str
    module: str
    down: Tensor
    """[rank, in], or [rank, in, height, width] for a convolution."""
    up: Tensor
    """[out, rank], or [out, rank, 1, 1]."""
    alpha: float
    is_rslora: bool


def laid_layers(lora: Lora) -> list[Laid]:
    """What a LoRA's file lays over each layer of its model."""
    tensors = load_file(lora.file, device="cpu")
    return [
        laid
        for layer in lora.layers
        for laid in _laid(layer, tensors[layer.down], tensors[layer.up])
    ]


def _laid(layer: Layer, down: Tensor, up: Tensor) -> Iterator[Laid]:
    alpha, is_rslora = layer.strength.alpha, layer.strength.is_rslora
    if layer.is_folded:
        factor, by = layer.strength.factor, 1.0
        while (
            0 < factor * 2 < by
        ):  # as kohya splits a strength between the halves: by powers of two, which cost no bits
            factor, by = factor * 2, by / 2
        down, up = down * factor, up * by
    if layer.place.is_swapped:
        up = torch.cat(up.chunk(2)[::-1])
    unders = layer.place.unders
    downs, ups = [down] * len(unders), list(torch.split(up, [under.shape[0] for under in unders]))
    if layer.is_folded and (own := _of_own_rank(downs, ups)):
        downs, ups = own
    for under, own_down, own_up in zip(unders, downs, ups, strict=True):
        own_alpha = own_down.shape[0] if layer.is_folded else alpha
        yield Laid(
            layer.place.part, under.module, own_down, own_up, alpha=own_alpha, is_rslora=is_rslora
        )


def _of_own_rank(
    downs: list[Tensor], ups: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]] | None:
    """Halves of layers that were trained apart and saved as one: each uses a part of the rank,
    with zeros in the others' columns.
    """
    several = len(ups)
    if several == 1 or downs[0].shape[0] % several:
        return None
    columns = [list(up.chunk(several, dim=1)) for up in ups]
    if any(
        part.any()
        for k, parts in enumerate(columns)
        for other, part in enumerate(parts)
        if other != k
    ):
        return None
    return list(downs[0].chunk(several)), [
        parts[k].contiguous() for k, parts in enumerate(columns)
    ]
