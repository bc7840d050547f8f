"""A linear map from latents to colours, fitted to a VAE: a picture of a denoising step for the
price of one small product of matrices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

_SIDE, _SAMPLES, _SEED = 16, 16, 20261126
_GRAINS = (2, 4, 8, 16)
"""Latent pixels a side of the random fields that a sample is the sum of: pictures have more of
the coarse than of the fine."""


@dataclass(frozen=True, kw_only=True)
class Colours:
    """For each latent channel, and then for a constant, what it adds to red, green and blue."""

    weights: Tensor
    """[channels + 1, 3], float32."""

    def of(self, latents: Tensor) -> Tensor:
        """[n, channels, h, w] to [n, 3, h, w], about 0..1."""
        weights = self.weights.to(latents.device)
        mixed = torch.einsum("nchw,cr->nrhw", latents.float(), weights[:-1])
        return mixed + weights[-1].view(1, 3, 1, 1)


def fitted(
    decode: Callable[[Tensor], Tensor], channels: int, device: torch.device | str
) -> Colours:
    """The map whose colours are nearest to those of `decode`, by least squares over fixed random
    latents of unit variance, which is what a VAE's scaling factor makes of pictures.
    """
    generator = torch.Generator("cpu").manual_seed(_SEED)
    rows, colours = [], []
    for _ in range(_SAMPLES):
        latents = _sample(generator, channels)
        pictures = decode(latents.to(device)).float().cpu()
        small = interpolate(pictures.clamp(0, 1), size=(_SIDE, _SIDE), mode="area")
        rows.append(latents.permute(0, 2, 3, 1).reshape(-1, channels))
        colours.append(small.permute(0, 2, 3, 1).reshape(-1, 3))
    known = torch.cat(rows).double()
    known = torch.cat([known, torch.ones(len(known), 1, dtype=torch.float64)], dim=1)
    # Of many best maps, if some channels say the same, gelsd takes the smallest.
    solution = torch.linalg.lstsq(known, torch.cat(colours).double(), driver="gelsd").solution
    return Colours(weights=solution.float())


def _sample(generator: torch.Generator, channels: int) -> Tensor:
    """[1, channels, side, side] of mean 0 and variance 1 in each channel."""
    total = torch.zeros(1, channels, _SIDE, _SIDE)
    for grain in _GRAINS:
        field = torch.randn((1, channels, grain, grain), generator=generator)
        total += interpolate(field, size=(_SIDE, _SIDE), mode="bilinear")
    centred = total - total.mean((2, 3), keepdim=True)
    offset = torch.randn((1, channels, 1, 1), generator=generator) / 2
    return centred / centred.std((2, 3), keepdim=True) + offset
