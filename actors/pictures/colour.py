"""Colours as the eye tells them apart: sRGB as CIELAB and OKLab, and the CIEDE2000 difference.

All of it is vectorised over any leading axes, and computed in float64. The white is D65, that of
sRGB, throughout.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# IEC 61966-2-1, with the primaries carried to 15 digits (W3C CSS Color 4, section 10.2).
_XYZ_OF_RGB = np.array(
    [
        [506752 / 1228815, 87881 / 245763, 12673 / 70218],
        [87098 / 409605, 175762 / 245763, 12673 / 175545],
        [7918 / 409605, 87881 / 737289, 1001167 / 1053270],
    ]
)
_WHITE = np.array([3127 / 3290, 1.0, 3583 / 3290])  # x = 0.3127, y = 0.3290
# B. Ottosson, "A perceptual color space for image processing" (2020), as recomputed for 64 bits in
# CSS Color 4.
_LMS_OF_XYZ = np.array(
    [
        [0.8190224379967030, 0.3619062600528904, -0.1288737815209879],
        [0.0329836539323885, 0.9292868615863434, 0.0361446663506424],
        [0.0481771893596242, 0.2642395317527308, 0.6335478284694309],
    ]
)
_OKLAB_OF_ROOTS = np.array(
    [
        [0.2104542683093140, 0.7936177747023054, -0.0040720430116193],
        [1.9779985324311684, -2.4285922420485799, 0.4505937096174110],
        [0.0259040424655478, 0.7827717124575296, -0.8086757549230774],
    ]
)
_LMS_OF_RGB = _LMS_OF_XYZ @ _XYZ_OF_RGB
_EDGE, _SLOPE = 216 / 24389, 24389 / 27  # of CIELAB's linear part near black (CIE 15:2004)
_POWER7 = 25.0**7


def linear(pixels: NDArray[np.uint8]) -> Floats:
    """The light of sRGB values, from 0 to 1, in the same shape."""
    return _light_of_bytes()[pixels]


def oklab(pixels: NDArray[np.uint8]) -> Floats:
    """OKLab of sRGB pixels [..., 3]: lightness from 0 to 1, and the axes a (green to red) and b
    (blue to yellow), within about ±0.4.
    """
    return np.asarray(np.cbrt(linear(pixels) @ _LMS_OF_RGB.T) @ _OKLAB_OF_ROOTS.T)


def lab(pixels: NDArray[np.uint8]) -> Floats:
    """CIELAB of sRGB pixels [..., 3]: L* from 0 to 100, and a* and b*, within about ±128."""
    ratio = linear(pixels) @ (_XYZ_OF_RGB / _WHITE[:, None]).T
    root = np.where(ratio > _EDGE, np.cbrt(ratio), (_SLOPE * ratio + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def ciede2000(one: Floats, other: Floats) -> Floats:
    """The difference ΔE00 of two arrays of CIELAB colours [..., 3], which may broadcast against
    each other, without their last axis. About 1 is the least that an eye sees, about 2.3 is just
    noticeable side by side.

    G. Sharma, W. Wu and E. N. Dalal, "The CIEDE2000 color-difference formula: implementation
    notes, supplementary test data, and mathematical observations", Color Research & Application
    30 (2005); all three weights are 1.
    """
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    # Greys are pulled apart along a: the formula's G.
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(_of_power7(chroma))
    c1, h1 = _polar(stretch * a1, b1)
    c2, h2 = _polar(stretch * a2, b2)
    is_grey = c1 * c2 == 0
    turn = np.where(is_grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    # Half a turn apart, the published formula takes the way up.
    turn = np.where((turn == -180) & (h2 > h1), 180.0, turn)
    light, colour, hue = _mean_of(l1, l2), _mean_of(c1, c2), _mean_hue(h1, h2, is_grey)
    by_light = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    by_chroma = (c2 - c1) / (1 + 0.045 * colour)
    by_hue = 2 * np.sqrt(c1 * c2) * _sin(turn / 2) / (1 + 0.015 * colour * _hue_weight(hue))
    rotation = -2 * np.sqrt(_of_power7(colour)) * _sin(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    return np.asarray(
        np.sqrt(by_light**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue)
    )


@cache
def _light_of_bytes() -> Floats:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _of_power7(chroma: Floats) -> Floats:
    power = chroma**7
    return np.asarray(power / (power + _POWER7))


def _polar(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Chroma, and hue in degrees from 0 to 360."""
    return np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _mean_of(one: Floats, other: Floats) -> Floats:
    return np.asarray((one + other) / 2)


def _mean_hue(h1: Floats, h2: Floats, is_grey: NDArray[np.bool_]) -> Floats:
    """The hue halfway along the shorter way; a grey has none, and the other's counts."""
    total = h1 + h2
    is_far = ~is_grey & (np.abs(h1 - h2) > 180)
    total = np.where(is_far, np.where(total < 360, total + 360, total - 360), total)
    return np.where(is_grey, total, total / 2)


def _hue_weight(hue: Floats) -> Floats:
    """The formula's T."""
    return np.asarray(
        1
        - 0.17 * _cos(hue - 30)
        + 0.24 * _cos(2 * hue)
        + 0.32 * _cos(3 * hue + 6)
        - 0.20 * _cos(4 * hue - 63)
    )


def _sin(degrees: Floats) -> Floats:
    return np.asarray(np.sin(np.radians(degrees)))


def _cos(degrees: Floats) -> Floats:
    return np.asarray(np.cos(np.radians(degrees)))
