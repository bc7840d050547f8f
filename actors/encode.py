"""From pixels to files: hashes, PNG with its recipe inside, and small WebP previews."""

import hashlib
import io
import json

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from actors.recipe import Json, canonical_json

Pixels = NDArray[np.uint8]
RECIPE_CHUNK = "seedbed"
PREVIEW_SIDE = 256


def pixels_digest(pixels: Pixels) -> str:
    """sha256 of the RGB bytes, row by row: the same whatever file they are kept in."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def file_pixels_digest(data: bytes) -> str | None:
    """The pixel hash of an encoded picture, or None where it is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return pixels_digest(np.asarray(image.convert("RGB")))
    except (UnidentifiedImageError, OSError, SyntaxError):
        return None


def read_png(data: bytes) -> tuple[Json, str] | None:
    """The record that a PNG carries and the hash of its pixels, or None where it has none or is not whole."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            digest = pixels_digest(np.asarray(image.convert("RGB")))
            record = json.loads(getattr(image, "text", {})[RECIPE_CHUNK])
    except (UnidentifiedImageError, OSError, SyntaxError, KeyError, ValueError):
        return None
    return (record, digest) if isinstance(record, dict) else None


def png(pixels: Pixels, record: Json, parameters: str) -> bytes:
    """A PNG of uint8 pixels [h, w, 3] that carries the record of how it was made."""
    texts = PngInfo()
    texts.add_itxt(RECIPE_CHUNK, canonical_json(record))
    texts.add_itxt("parameters", parameters)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=texts, compress_level=3)
    return file.getvalue()


def preview(pixels: Pixels) -> bytes:
    """A WebP no larger than 256 pixels a side."""
    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=80)
    return file.getvalue()
