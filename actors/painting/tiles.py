"""A picture tile by tile through a model's VAE, for devices that are too small for a whole one.

The tiles overlap by a quarter and are blended there, as diffusers does it; where they meet, a
picture is not quite the one of a single piece.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def tiled(vae: Any, side: int | None) -> Iterator[None]:
    """Have a VAE see tiles of `side` pixels a side while this lasts; None for whole pictures."""
    if side is None:
        yield
        return
    _lay(vae, side)
    try:
        yield
    finally:
        vae.disable_tiling()


def _lay(vae: Any, side: int) -> None:
    # diffusers has two kinds of VAE: those that are told one side, and those that are told all.
    if hasattr(vae, "tile_sample_min_size"):
        vae.enable_tiling()
        vae.tile_sample_min_size = side
        vae.tile_latent_min_size = side >> (len(vae.config.block_out_channels) - 1)
    else:
        vae.enable_tiling(side, side, side * 3 // 4, side * 3 // 4)
