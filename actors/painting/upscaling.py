"""Pictures made larger after they were painted: by Lanczos, or by a model that a worker keeps
beside its pipelines.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from actors.models.upscalers import KIND, OVERLAP, upscaler_digest, upscaler_files
from actors.painting.loading import load_model
from actors.painting.memory import bytes_of
from actors.painting.parts import Part
from actors.pictures.files import Pixels
from actors.recipes.errors import BadRequest, LoadFailed
from actors.recipes.recipe import Upscale

_PART = Part("upscaler", upscaler_digest, upscaler_files)


class Upscaling:
    """Makes pictures larger. Of models the one that was used last is kept."""

    kind = _PART.kind

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._digest: str | None = None
        self._model: Any | None = None

    @property
    def bytes(self) -> int:
        """Of the model's weights."""
        return bytes_of([self._model])

    def has(self, upscale: Upscale) -> bool:
        """Whether all is here that it needs."""
        return upscale.digest is None or upscale.digest == self._digest

    def coming(self, folder: Path) -> int:
        """About how many bytes the model in a folder will take once it is loaded. Raises
        PartMissing if it cannot be loaded here.
        """
        return _PART.coming(folder, torch.float32)

    def forget(self) -> None:
        self._digest = self._model = None

    def load(self, upscale: Upscale, folder: Path) -> None:
        """Have the model of an upscale. Raises PartMissing if it cannot be loaded here, and
        WeightsChanged if it is not the one that the campaign was submitted with.
        """
        self.forget()
        with _PART.reading(folder, upscale.digest or ""):
            # In float32, whatever the pipeline's dtype: it takes little beside the painting.
            model = load_model(folder, "transformers", KIND, torch.float32)
            if model is None:
                raise LoadFailed("it has no weights.")
        self._model = model.to(self._device).eval()
        self._digest = upscale.digest

    def larger(self, pixels: Pixels, upscale: Upscale) -> Pixels:
        """A picture [h, w, 3] as `upscale.by` times as many pixels a side."""
        height, width, _ = pixels.shape
        if upscale.digest is not None:
            pixels = self._by_model(pixels, upscale)
        size = width * upscale.by, height * upscale.by
        if (pixels.shape[1], pixels.shape[0]) == size:
            return pixels
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    @torch.inference_mode()
    def _by_model(self, pixels: Pixels, upscale: Upscale) -> Pixels:
        """What the model makes of a picture, tile after tile, each alone."""
        assert self._model is not None
        by, tile = int(self._model.config.upscale), upscale.tile
        if by < upscale.by or tile is None:
            raise BadRequest(f"The upscaler makes pictures {by} times larger: submit it again.")
        height, width, _ = pixels.shape
        larger = np.empty((height * by, width * by, 3), np.uint8)
        for top, own_top in _tiles(height, tile):
            for left, own_left in _tiles(width, tile):
                seen = pixels[top : top + tile, left : left + tile]
                bottom, right = top + seen.shape[0], left + seen.shape[1]
                larger[own_top * by : bottom * by, own_left * by : right * by] = self._made_of(
                    seen
                )[(own_top - top) * by :, (own_left - left) * by :]
        return larger

    def _made_of(self, seen: Pixels) -> Pixels:
        assert self._model is not None
        values = torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].float() / 255
        made = self._model(pixel_values=values.to(self._device)).reconstruction[0]
        if not torch.isfinite(made).all():
            raise BadRequest("The upscaler's numbers are not a picture.")
        array: Pixels = (
            (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        )
        return array


def _tiles(side: int, tile: int) -> Iterator[tuple[int, int]]:
    """The pixels at which each tile of a side begins, and from which on it is taken: the middle of
    what it shares with the one before. The last ends at the end.
    """
    start, own = 0, 0
    while True:
        yield start, own
        if start + tile >= side:
            return
        before, start = start, min(start + tile - OVERLAP, side - tile)
        own = (start + before + tile) // 2
