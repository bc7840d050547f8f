"""Pictures that others begin from: read from a stranger's file, and brought to the size that is painted. No torch here."""

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from actors.encode import Pixels
from storage.errors import RequestError

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 100_000_000
MIN_SIDE = 16
FORMATS = ("PNG", "JPEG", "WEBP")

# Pillow only warns of a small file that unpacks to a giant picture, and knows no other place to say otherwise than these two.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
_TOO_MANY_PIXELS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
# What Pillow's readers stumble with over a file that is cut off or made to break them.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)


def read_reference(data: bytes) -> Pixels:
    """The picture in a file as uint8 RGB [h, w, 3] in sRGB, upright, over white. Raises RequestError, with what is wrong with the file."""
    if len(data) > MAX_BYTES:
        raise RequestError(f"the file is larger than {MAX_BYTES >> 20} MB: save it smaller.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check(image)
            image.load()
            return np.ascontiguousarray(np.asarray(_rgb(_upright(image))))
    except _TOO_MANY_PIXELS as exc:
        raise RequestError(f"the picture has more than {MAX_PIXELS // 10**6} million pixels: save it smaller.") from exc
    except UnidentifiedImageError as exc:
        raise RequestError(f"the file is {_kind(data)}: save it as PNG, JPEG or WebP.") from exc
    except ImageCms.PyCMSError as exc:
        raise RequestError(f"the colour profile in the file cannot be used ({exc}): save it again in sRGB.") from exc
    except _BROKEN as exc:
        raise RequestError(f"the file is cut off or damaged ({exc}): save it again.") from exc


def fitted(pixels: Pixels, width: int, height: int) -> Pixels:
    """A picture cut around its centre to the shape of width x height, and brought to that size."""
    rows, columns = pixels.shape[:2]
    scale = min(columns / width, rows / height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (columns - across) // 2, (rows - down) // 2
    # Cut first: what is outside must not shine into the edges.
    cut = Image.fromarray(pixels[top : top + down, left : left + across])
    return np.array(cut.resize((width, height), Image.Resampling.LANCZOS))  # a copy: Pillow's own may not be written to


def _check(image: Image.Image) -> None:
    """Look at the head of a file, before any of its pixels are unpacked."""
    if min(image.size) < MIN_SIDE:
        raise RequestError(f"the picture is {image.width}x{image.height}: each side must have at least {MIN_SIDE} pixels.")
    # An MPO is a JPEG to which a camera has added a second view, or a smaller copy, of the same picture.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise RequestError("the file is an animation: save the one picture that is meant.")


def _kind(data: bytes) -> str:
    """What a file is that holds none of our formats, as far as Pillow can tell."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return f"of the kind {image.format}, which is not read"
    except (*_BROKEN, *_TOO_MANY_PIXELS):
        return "no picture, or its head is damaged" if data else "empty"


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera says it was held."""
    return ImageOps.exif_transpose(image)


def _rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK":
        return _in_srgb(image, profile) or image.convert("RGB")
    if image.mode.startswith("I"):
        return _from_16_bits(image).convert("RGB")
    flat = _over_white(image.convert("RGBA")) if image.has_transparency_data else image.convert("RGB")
    return _in_srgb(flat, profile) or flat


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Greys of 16 bits as the nearest of 8; Pillow's own conversion would cut off all above 255."""
    grey = np.asarray(image)
    nearest = ((grey.clip(0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    if (clear := image.info.get("transparency")) is not None:
        nearest[grey == clear] = 255
    return Image.fromarray(nearest)


def _over_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """The picture as its profile means it, or None where it has none for its kind of colours."""
    if not profile:
        return None
    try:
        meant = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except OSError as exc:
        raise ImageCms.PyCMSError(exc) from exc
    if meant.profile.xcolor_space.strip() != image.mode:
        return None
    return ImageCms.profileToProfile(image, meant, ImageCms.createProfile("sRGB"), outputMode="RGB")
