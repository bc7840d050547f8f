"""Pictures as files and back: pixels and how they were made, in every format that a campaign may
ask for.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actors.pictures.jxl import is_jxl, read_jxl, write_jxl
from actors.pictures.metadata import exif, jpeg_packet, jpeg_segments, parse_record, record_in, xmp
from actors.pictures.png import PNG_END, write_png
from actors.recipes.encoding import Encoding, Format
from actors.recipes.recipe import Json, canonical_json

Pixels = NDArray[np.uint8]
RECIPE_CHUNK = "seedbed"
PREVIEW_SIDE = 256
MAX_PIXELS = 4096 * 4096  # as large as a campaign may ask for
MAX_FILE = 1 << 26  # bytes: more than such a picture takes uncompressed, with its record
# WebP's methods, 0 to 6: each step from here on costs more time than what it saves.
_WEBP_LOSSLESS_METHOD, _WEBP_LOSSY_METHOD = 0, 2
_SHOWN = 80  # the quality of small pictures for people


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a file holds: its pixels, and the record of how they were made, if it carries
    one.
    """

    pixels: Pixels
    record: Json | None
    icc: bytes | None = None
    """Its colour profile, if it carries one."""

    @cached_property
    def digest(self) -> str:
        return pixels_digest(self.pixels)


def pixels_digest(pixels: Pixels) -> str:
    """sha256 of the RGB bytes, row by row: the same whatever file they are kept in."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def file_pixels_digest(data: bytes) -> str | None:
    """The pixel hash of an encoded picture, or None if it is not a picture."""
    picture = read(data)
    return None if picture is None else picture.digest


def write(
    pixels: Pixels, record: Json, parameters: str, encoding: Encoding, icc: bytes | None = None
) -> bytes:
    """A file of uint8 pixels [h, w, 3] that carries the record of how it was made, the
    `parameters` text that other tools read, and a colour profile. JPEG XL carries none.

    The global lock is free while it works, but for moments.
    """
    match encoding.format:
        case Format.PNG:
            return write_png(
                pixels, {RECIPE_CHUNK: canonical_json(record), "parameters": parameters}, icc=icc
            )
        case Format.JXL:
            return write_jxl(
                pixels,
                exif(parameters).tobytes()[len(b"Exif\0\0") :],
                xmp(record),
                encoding.quality,
            )
        case Format.JPEG:
            return _saved(
                Image.fromarray(pixels),
                "JPEG",
                quality=encoding.quality,
                subsampling=0,
                exif=exif(parameters),
                icc_profile=icc,
                extra=jpeg_segments(xmp(record)),
            )
        case Format.WEBP if encoding.quality is None:
            options = {
                "lossless": True,
                "method": _WEBP_LOSSLESS_METHOD,
                "quality": 0,
            }  # of a lossless WebP, how long it searches
        case Format.WEBP:
            options = {"quality": encoding.quality, "method": _WEBP_LOSSY_METHOD}
    image = Image.fromarray(pixels)
    return _saved(
        image, "WEBP", **options, exif=exif(parameters), xmp=xmp(record), icc_profile=icc
    )


def read(data: bytes) -> Picture | None:
    """The picture in a file, or None if it is not a whole one of a format of ours, or is too large
    to read.
    """
    if len(data) > MAX_FILE:
        return None
    try:
        pixels, text, icc = _read_jxl(data) if is_jxl(data) else _read_with_pillow(data)
    # decoders raise whatever their parsers stumble over: a damaged or hostile file is not one
    except Exception:  # noqa: BLE001
        return None
    return Picture(pixels=pixels, record=parse_record(text), icc=icc)


def preview(pixels: Pixels) -> bytes:
    """A WebP no larger than 256 pixels a side."""
    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _saved(image, "WEBP", quality=_SHOWN, method=_WEBP_LOSSY_METHOD)


def webp(pixels: Pixels) -> bytes:
    """A WebP of the same size, made as fast as can be: neither pixels nor a record are kept."""
    return _saved(Image.fromarray(pixels), "WEBP", quality=_SHOWN, method=0)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _read_with_pillow(data: bytes) -> tuple[Pixels, str | None, bytes | None]:
    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "JPEG")) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"The picture has {image.width} x {image.height} pixels.")
        pixels, icc = np.asarray(image.convert("RGB")), image.info.get("icc_profile")
        match image.format:
            case "PNG":
                if PNG_END not in data:
                    raise ValueError("The file ends before its end.")
                return pixels, getattr(image, "text", {}).get(RECIPE_CHUNK), icc
            case "JPEG":
                return pixels, record_in(jpeg_packet(getattr(image, "applist", ()))), icc
        return pixels, record_in(image.info.get("xmp", b"")), icc


def _read_jxl(data: bytes) -> tuple[Pixels, str | None, None]:
    pixels, packet = read_jxl(data, MAX_PIXELS)
    return pixels, record_in(packet), None
