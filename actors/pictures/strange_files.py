"""What a file is that is not a picture that can be read, so that whoever named it learns what to
do. No torch here.
"""

import io
import re
import struct
import zlib

from PIL import Image

# What Pillow's readers stumble with over a file that is cut off or made to break them.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_SAVE = "save it as PNG, JPEG or WebP"
# By how a file begins; what Pillow does not know, or takes for something else.
_BEGINNINGS = (
    (rb"%PDF-", f"a PDF document, which is not read: {_SAVE}"),
    (
        rb"(<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg\b",
        f"an SVG drawing, which is not read: {_SAVE}",
    ),
    (
        rb"(?i)(<!doctype html|<html|<head|<body)",
        f"no picture, but a page of the web: download the picture itself, or {_SAVE}",
    ),
    (
        rb"version https://git-lfs\.github\.com",
        "no picture, but a pointer of Git LFS to one: get it with `git lfs pull`",
    ),
    (
        rb"....ftyp(qt  |isom|iso\d|mp4\d|avc1|M4V )",
        f"a video: take one picture from it, and {_SAVE}",
    ),
    (rb"RIFF....AVI |\x1aE\xdf\xa3", f"a video: take one picture from it, and {_SAVE}"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive: unpack it, and name the picture"),
    (
        rb"....ftypcrx |FUJIFILMCCD-RAW|IIU\0|IIRO|IIRS|MMOR",
        f"raw data of a camera, which is not read: develop it, and {_SAVE}",
    ),
    (
        rb"\x76\x2f\x31\x01|#\?RADIANCE",
        f"a picture of high dynamic range, which is not read: {_SAVE}",
    ),
    (
        rb"\xff\x0a|\0\0\0\x0cJXL ",
        f"a JPEG XL picture that was not painted by the farm, and only its own are read: {_SAVE}",
    ),
)
_HEIF = re.compile(rb"....ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)", re.DOTALL)


def is_heif(data: bytes) -> bool:
    """Whether a file says that it is one that phones write, HEIC or another HEIF."""
    return _HEIF.match(data) is not None


def description(data: bytes) -> str:
    """What a file is that none of our readers takes, and what to do with it."""
    if not data:
        return f"empty: {_SAVE}"
    begin = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    for pattern, text in _BEGINNINGS:
        if re.match(pattern, begin, re.DOTALL):
            return text
    try:
        with Image.open(io.BytesIO(data)) as image:
            return f"of the kind {image.format}, which is not read: {_SAVE}"
    except (*BROKEN, Image.DecompressionBombWarning, Image.DecompressionBombError):
        return f"no picture, or its head is damaged: {_SAVE}"
