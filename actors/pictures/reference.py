"""Pictures that others begin from: read from a stranger's file, and brought to the size that is
painted. No torch here.
"""

import io
import warnings
from functools import cache

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from actors.pictures.files import Pixels
from actors.pictures.jxl import is_jxl, read_jxl
from actors.pictures.strange_files import BROKEN, description, is_heif
from storage.errors import RequestError

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 100_000_000
MIN_SIDE = 16
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "BMP")

# Pillow only warns of a small file that unpacks to a giant picture, and knows no other place to
# say otherwise than these two.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
_TOO_MANY_PIXELS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
# Texts and colour profiles of a PNG, unpacked. Tools write whole workflows into them, and a
# profile with tables is large; Pillow's own limit of 1 MB takes both for damage.
PngImagePlugin.MAX_TEXT_CHUNK = MAX_BYTES
# Tags of TIFF that say what its first picture is.
_SUBFILE, _BITS, _DNG_VERSION = 254, 258, 50706
_IS_SMALLER_COPY = 1
_TIFF_BITS = {1, 2, 4, 8, 16}


def read_reference(data: bytes) -> Pixels:
    """The picture in a file as uint8 RGB [h, w, 3] in sRGB, upright, over white. Raises
    RequestError, with what is wrong with the file.
    """
    if len(data) > MAX_BYTES:
        raise RequestError(f"the file is larger than {MAX_BYTES >> 20} MB: save it smaller.")
    formats = (*FORMATS, "HEIF") if is_heif(data) and _reads_heif() else FORMATS
    try:
        if (own := _of_the_farm(data)) is not None:
            return own
        with Image.open(io.BytesIO(data), formats=formats) as image:
            _check(image, data)
            image.load()
            return np.ascontiguousarray(np.asarray(_rgb(_upright(image))))
    except _TOO_MANY_PIXELS as exc:
        raise RequestError(
            f"the picture has more than {MAX_PIXELS // 10**6} million pixels: save it smaller."
        ) from exc
    except UnidentifiedImageError as exc:
        if is_heif(data) and "HEIF" not in formats:
            raise RequestError(
                "the file is HEIC, as phones write it, and this farm cannot read that: save it as"
                " PNG, JPEG or WebP, or install pillow-heif with the farm, on every worker (`pip"
                " install 'seedbed[heif]'`)."
            ) from exc
        raise RequestError(f"the file is {description(data)}.") from exc
    except ImageCms.PyCMSError as exc:
        raise RequestError(
            f"the colour profile in the file cannot be used ({exc}): save it again in sRGB."
        ) from exc
    except BROKEN as exc:
        raise RequestError(f"the file is cut off or damaged ({exc}): save it again.") from exc


def fitted(pixels: Pixels, width: int, height: int) -> Pixels:
    """A picture cut around its centre to the shape of width x height, and brought to that size."""
    rows, columns = pixels.shape[:2]
    scale = min(columns / width, rows / height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (columns - across) // 2, (rows - down) // 2
    # Cut first: pixels outside must not shine into the edges.
    cut = Image.fromarray(pixels[top : top + down, left : left + across])
    return np.array(
        cut.resize((width, height), Image.Resampling.LANCZOS)
    )  # a copy: Pillow's own may not be written to


@cache
def _reads_heif() -> bool:
    """Have Pillow read HEIC, if that is installed."""
    try:
        import pillow_heif  # noqa: PLC0415  # an extra, whose libraries nobody else needs
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _of_the_farm(data: bytes) -> Pixels | None:
    """The pixels of a JPEG XL file that the farm has painted, which is in sRGB and upright; None
    for any other file.
    """
    if not is_jxl(data):
        return None
    pixels, xmp = read_jxl(data, MAX_PIXELS)
    if b"seedbed" not in xmp:
        raise UnidentifiedImageError
    return pixels


def _check(image: Image.Image, data: bytes) -> None:
    """Look at the head of a file, before any of its pixels are unpacked."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image, data)
    # A JPEG to which a camera has added a second view or a smaller copy is an MPO; phones put
    # several into a HEIC, one of them the first.
    elif image.format not in ("MPO", "HEIF") and getattr(image, "is_animated", False):
        raise RequestError("the file is an animation: save the one picture that is meant.")
    if min(image.size) < MIN_SIDE:
        raise RequestError(
            f"the picture is {image.width}x{image.height}: each side must have at least {MIN_SIDE}"
            " pixels."
        )


def _check_tiff(image: TiffImagePlugin.TiffImageFile, data: bytes) -> None:
    """Refuse what Pillow would read as something else than is meant: raw data as its small
    preview, several pages as the first.
    """
    tags = image.tag_v2
    if tags.get(_SUBFILE, 0) & _IS_SMALLER_COPY or _DNG_VERSION in tags or data[8:10] == b"CR":
        raise RequestError(
            "the file is raw data of a camera, which is not read: develop it, and save it as PNG,"
            " JPEG or WebP."
        )
    bits = tags.get(_BITS, (1,))
    if not set(bits) <= _TIFF_BITS or image.mode in ("F", "I"):
        raise RequestError(
            f"the TIFF has colours of {max(bits)} bits, which are not read: save it with 8 or 16."
        )
    try:
        image.seek(1)
    except EOFError:
        return
    if not image.tag_v2.get(_SUBFILE, 0) & _IS_SMALLER_COPY:
        raise RequestError("the TIFF has several pages: save the one picture that is meant.")
    image.seek(0)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera says it was held, if what it has written can be read."""
    try:
        return ImageOps.exif_transpose(image)
    except BROKEN:
        return image


def _rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK":
        return _in_srgb(image, profile) or image.convert("RGB")
    if image.mode == "LAB":
        meant = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        assert meant is not None  # which it is only if a picture is changed in its place
        return meant
    if image.mode.startswith("I"):
        return _from_16_bits(image).convert("RGB")
    flat = (
        _over_white(image.convert("RGBA")) if image.has_transparency_data else image.convert("RGB")
    )
    return _in_srgb(flat, profile) or flat


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Greys of 16 bits as the nearest of 8; Pillow's own conversion would cut off all above
    255.
    """
    grey = np.asarray(image)
    nearest = ((grey.clip(0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    if (clear := image.info.get("transparency")) is not None:
        nearest[grey == clear] = 255
    return Image.fromarray(nearest)


def _over_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """The picture as its profile means it, or None if it has none for its kind of colours."""
    if not profile:
        return None
    try:
        meant = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except OSError as exc:
        raise ImageCms.PyCMSError(exc) from exc
    if meant.profile.xcolor_space.strip() != image.mode:
        return None
    return ImageCms.profileToProfile(
        image, meant, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
