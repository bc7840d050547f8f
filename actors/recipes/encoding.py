"""How a picture's file is written: its format and what of the picture that keeps. No imaging
library here: submission reads this too.
"""

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """The kinds of file that a picture can be kept in; the value is the ending of its name."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpg"
    JXL = "jxl"


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """A format, and for one that gives pixels up, its quality from 1 to 100; None keeps every
    pixel.

    Raises ValueError for what cannot be: a PNG that gives pixels up, or a JPEG that keeps them.
    """

    format: Format = Format.PNG
    quality: int | None = None

    def __post_init__(self) -> None:
        if self.format is Format.PNG and self.quality is not None:
            raise ValueError(
                "PNG keeps every pixel and has no quality: leave it out, or choose webp, jpg or"
                " jxl."
            )
        if self.format is Format.JPEG and self.quality is None:
            raise ValueError(
                "JPEG cannot keep every pixel: give it a quality from 1 to 100, or choose png,"
                " webp or jxl."
            )

    @property
    def name(self) -> str:
        """`png`, `webp`, `webp-q90` …: two files of one recipe and one encoding hold the same
        pixels.
        """
        return (
            self.format.value if self.quality is None else f"{self.format.value}-q{self.quality}"
        )

    @property
    def is_lossless(self) -> bool:
        return self.quality is None


def named_encoding(name: str) -> Encoding:
    """The encoding of that name. Raises ValueError if there is none."""
    kind, _, quality = name.partition("-q")
    return Encoding(format=Format(kind), quality=int(quality) if quality else None)
