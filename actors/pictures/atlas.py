"""Atlases: the thumbnails of some pictures in one file, so that a page which shows many of them
asks for few files.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from actors.pictures.files import Pixels, webp

SIDE = 192
"""Pixels of a thumbnail's longer side at most."""
COLUMNS = 8
MOST = COLUMNS * COLUMNS
"""Thumbnails of one atlas."""


@dataclass(frozen=True, kw_only=True)
class Atlas:
    """A file of thumbnails of one size, in rows from the top left; `numbers` has for each the
    number of its render.
    """

    name: str
    """Its columns, its rows, and the first digits of its digest, like `8x3-0123456789ab`."""
    data: bytes
    numbers: tuple[int, ...]
    colours: tuple[str, ...]
    """The mean colour of each, as six hexadecimal digits."""

    def places(self) -> dict[int, str]:
        """By number, what `RenderOutcome.thumbnail` says of each."""
        told = zip(self.numbers, self.colours, strict=True)
        return {n: f"{self.name}:{place}:{colour}" for place, (n, colour) in enumerate(told)}


def thumbnail(pixels: Pixels) -> Pixels:
    """A small copy of a picture [h, w, 3]; one that is small already stays as it is."""
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image)


def atlases(thumbnails: Mapping[int, Pixels]) -> Iterator[Atlas]:
    """Lay thumbnails out, by the numbers of their renders: those of one size share atlases."""
    by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number in sorted(thumbnails):
        by_size[thumbnails[number].shape].append(number)
    for numbers in by_size.values():
        for first in range(0, len(numbers), MOST):
            yield _atlas({n: thumbnails[n] for n in numbers[first : first + MOST]})


def _atlas(thumbnails: Mapping[int, Pixels]) -> Atlas:
    tiles = list(thumbnails.values())
    height, width, _ = tiles[0].shape
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    canvas = np.zeros((rows * height, columns * width, 3), np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        y, x = row * height, column * width
        canvas[y : y + height, x : x + width] = tile
    means = np.asarray(Image.fromarray(canvas).reduce((width, height))).reshape(-1, 3)
    data = webp(canvas)
    return Atlas(
        name=f"{columns}x{rows}-{hashlib.sha256(data).hexdigest()[:12]}",
        data=data,
        numbers=tuple(thumbnails),
        colours=tuple(mean.tobytes().hex() for mean in means[: len(tiles)]),
    )
