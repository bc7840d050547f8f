"""PNG, fast: the Up filter in numpy and libdeflate, where libpng tries five filters a row and zlib
searches long.

On photo-like pictures that is twelve times as fast as Pillow's default at 1.07 times its size
(`farm bench encode`).
"""

import struct
import zlib
from collections.abc import Mapping

import imagecodecs
import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_END = b"IEND\xaeB`\x82"  # with its checksum
_TRUECOLOR, _UP = 2, 2
# The lowest level of libdeflate that looks for matches by lazy evaluation; the files of level 1
# are 4 % larger, those of 6 hardly smaller.
_LEVEL = 2


def write_png(
    pixels: NDArray[np.uint8],
    texts: Mapping[str, str],
    level: int = _LEVEL,
    *,
    icc: bytes | None = None,
) -> bytes:
    """A PNG of uint8 pixels [h, w, 3], with texts under their names and a colour profile."""
    height, width, _ = pixels.shape
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _TRUECOLOR, 0, 0, 0)),
            *([] if icc is None else [_chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))]),
            *(
                _chunk(b"iTXt", name.encode("latin-1") + bytes(5) + text.encode())
                for name, text in texts.items()
            ),
            _chunk(b"IDAT", imagecodecs.deflate_encode(_filtered(pixels), level)),
            _chunk(b"IEND", b""),
        )
    )


def _filtered(pixels: NDArray[np.uint8]) -> bytearray:
    """Each row as its difference from the one above, behind a byte that says so."""
    rows = pixels.reshape(len(pixels), -1)
    data = bytearray(rows.size + len(rows))
    filtered = np.frombuffer(data, np.uint8).reshape(len(rows), -1)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return data


def _chunk(kind: bytes, data: bytes | bytearray) -> bytes:
    return b"".join(
        (
            struct.pack(">I", len(data)),
            kind,
            data,
            struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))),
        )
    )
