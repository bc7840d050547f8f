"""Colour profiles (ICC) of pictures that are delivered. Whatever the farm paints is sRGB."""

import io
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from PIL import Image, ImageCms

from actors.pictures.files import Pixels

SRGB = "srgb"
MOST_BYTES = 4 << 20
_DATE = slice(24, 36)  # when the profile was made: of the one made here, always the same


@dataclass(frozen=True)
class Profile:
    """A profile for red, green and blue. Raises ValueError, as a sentence, if it is none."""

    icc: bytes

    def __post_init__(self) -> None:
        if len(self.icc) > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
        try:
            found = self._read().profile
        except (OSError, ImageCms.PyCMSError):
            raise ValueError("it is no ICC profile") from None
        if found.xcolor_space.strip() != "RGB":
            raise ValueError(
                f"it is for {found.xcolor_space.strip()}, and pictures are delivered in red, green"
                " and blue"
            )
        if not found.is_intent_supported(_INTENT, ImageCms.Direction.OUTPUT):
            raise ValueError("it says only how to read colours, and not how to write them")

    @property
    def digest(self) -> str:
        return sha256(self.icc).hexdigest()

    def of(self, pixels: Pixels) -> Pixels:
        """Pixels [h, w, 3] in sRGB as the nearest colours of this profile, relative to its white.
        Many threads may ask at once.
        """
        meant = ImageCms.profileToProfile(
            Image.fromarray(pixels),
            ImageCms.createProfile("sRGB"),
            self._read(),
            renderingIntent=_INTENT,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        assert meant is not None  # which it is only if a picture is changed in its place
        return np.array(meant)

    def _read(self) -> ImageCms.ImageCmsProfile:
        """Read anew each time: one that is open belongs to one thread."""
        return ImageCms.ImageCmsProfile(io.BytesIO(self.icc))


_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC


def srgb() -> Profile:
    """The profile of what the farm paints."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[_DATE] = bytes((7, 234, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return Profile(bytes(made))
