"""Contact sheets as files: a page as PNG, or pages as one PDF."""

import io
from collections.abc import Iterable
from typing import IO

from PIL import Image

_QUALITY = 90  # of the JPEG pictures in a PDF: at 75, Pillow's own, small letters have fringes
_PER_INCH = 150  # pixels: a page of 2,400 pixels is 41 cm wide


def as_png(page: Image.Image) -> bytes:
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def write_pdf(file: IO[bytes], pages: Iterable[Image.Image], title: str) -> None:
    """Write pages to an empty file. Each is written before the next is drawn, so that one at a
    time is in memory.
    """
    for k, page in enumerate(pages):
        page.save(file, "PDF", append=k > 0, quality=_QUALITY, resolution=_PER_INCH, title=title)
