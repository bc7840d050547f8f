"""JPEG XL: libjxl's codestream in the box file that carries metadata beside it (ISO/IEC
18181-2).
"""

import struct
from collections.abc import Iterator

import imagecodecs
import numpy as np
from numpy.typing import NDArray

_CODESTREAM = b"\xff\x0a"
_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_FILE_TYPE = b"jxl \0\0\0\0jxl "
_MOST_BOXES = 1000
# Of the efforts, 1 to 10, those after which a little smaller files cost much more time.
_LOSSLESS_EFFORT, _LOSSY_EFFORT = 2, 3
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def is_jxl(data: bytes) -> bool:
    return data.startswith((_CODESTREAM, _SIGNATURE))


def write_jxl(pixels: NDArray[np.uint8], exif: bytes, xmp: bytes, quality: int | None) -> bytes:
    """A JPEG XL file of uint8 pixels [h, w, 3]; `exif` is a TIFF header with what follows it."""
    if quality is None:
        codestream = imagecodecs.jpegxl_encode(
            pixels, lossless=True, effort=_LOSSLESS_EFFORT, numthreads=1
        )
    else:
        codestream = imagecodecs.jpegxl_encode(
            pixels, distance=_distance(quality), effort=_LOSSY_EFFORT, numthreads=1
        )
    boxes = {b"ftyp": _FILE_TYPE, b"Exif": bytes(4) + exif, b"xml ": xmp, b"jxlc": codestream}
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data) + 8) + kind + data for kind, data in boxes.items()
    )


def read_jxl(data: bytes, most_pixels: int) -> tuple[NDArray[np.uint8], bytes]:
    """Its RGB pixels and its XMP, empty if it has none. Raises ValueError, or what libjxl
    raises, if it is not such a picture.
    """
    boxes: dict[bytes, bytes] = {}
    for kind, content in [(b"jxlc", data)] if data.startswith(_CODESTREAM) else _boxes(data):
        boxes.setdefault(kind, content)
    codestream = boxes[b"jxlc"] if b"jxlc" in boxes else boxes.get(b"jxlp", b"")[4:]
    width, height = _size(codestream)
    if width * height > most_pixels:
        raise ValueError(f"The picture has {width} x {height} pixels.")
    pixels = imagecodecs.jpegxl_decode(data, index=0, numthreads=1)
    if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
        raise ValueError("The picture is not of 8 bits in red, green and blue.")
    return pixels, boxes.get(b"xml ", b"")


def _distance(quality: int) -> float:
    """The visual distance that libjxl's own tools take for a quality as JPEG counts it."""
    return max(
        0.1,
        (
            0.1 + (100 - quality) * 0.09
            if quality >= 30
            else 53 / 3000 * quality**2 - 23 / 20 * quality + 25
        ),
    )


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, at + 8), 16
        end = at + size if size else len(data)
        if end < at + head or end > len(data):
            raise ValueError("A box ends outside the file.")
        yield kind, data[at + head : end]
        at = end


def _size(codestream: bytes) -> tuple[int, int]:
    """Width and height as the codestream's head has them, in fields of bits, the lowest first."""
    if not codestream.startswith(_CODESTREAM):
        raise ValueError("There is no codestream.")
    bits = int.from_bytes(codestream[2:14], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    is_small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if is_small else take(_SIDE_BITS[take(2)]) + 1

    height, ratio = side(), take(3)
    if ratio == 0:
        return side(), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height
