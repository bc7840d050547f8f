"""Pictures to measure encoders with, made by code: as large and as detailed as photographs, with a
sensor's grain.

Encoders care for how neighbouring pixels differ, and that is what is imitated: the 1/f spectrum of
natural scenes, edges of things that occlude each other at all sizes ("dead leaves"), smooth skies,
and noise. They are no photographs.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actors.pictures.files import Pixels
from actors.seedling.drawing import draw
from actors.seedling.scenes import Subject, random_scene

SIDE = 1024
_LEAVES = 500
_Plane = NDArray[np.float32]


def photo_like() -> Mapping[str, Pixels]:
    """Five pictures of 1024 x 1024, always the same."""
    rng = np.random.default_rng(1)
    mug, vase, lamp = (
        _drawing(rng, product, backdrop)
        for product, backdrop in (("mug", "beach"), ("vase", "forest"), ("lamp", "studio"))
    )
    sky = (
        np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
        * np.array([120, 90, 40], np.float32)
        + 60
    )
    return {
        "mug on a beach": _pixels(mug + 4 * _clouds(rng, 1.0) + _grain(rng, 1.5)),
        "vase in a forest": _pixels(vase + 4 * _clouds(rng, 1.0) + _grain(rng, 3.0)),
        "leaves": _pixels(_leaves(rng) + _grain(rng, 1.0)),
        "sky": _pixels(sky + 20 * _clouds(rng, 1.8) + _grain(rng, 1.0)),
        "lamp, without grain": _pixels(lamp + 2 * _clouds(rng, 1.5)),
    }


def _drawing(rng: np.random.Generator, product: str, backdrop: str) -> _Plane:
    """What `seedling` learnt from, eight times as large."""
    small = Image.fromarray(
        draw(Subject(product=product, color="red", backdrop=backdrop), random_scene(rng))
    )
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)


def _clouds(rng: np.random.Generator, slope: float) -> _Plane:
    """Noise whose amplitude falls with frequency: at a slope of 1 as in natural scenes, above it
    smoother.
    """
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    frequency[0, 0] = np.inf  # no mean
    field = np.fft.irfft2(
        np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) / frequency**slope, (SIDE, SIDE)
    )
    return np.asarray(field / field.std(), np.float32)[..., None]


def _grain(rng: np.random.Generator, strength: float) -> _Plane:
    """Noise that neighbours share in part, as after demosaicing or a decoder's last layers."""
    noise = rng.standard_normal((SIDE, SIDE, 3)).astype(np.float32)
    shared = noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, (1, 1), (0, 1))
    return np.asarray(strength / 2 * shared, np.float32)


def _leaves(rng: np.random.Generator) -> _Plane:
    """Discs over discs, few large and many small, each with a colour, a slope and a texture of its
    own, a little out of focus.
    """
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    texture = _clouds(rng, 1.2)[..., 0]
    for radius in sorted(rng.uniform(1 / 300**2, 1 / 12**2, _LEAVES) ** -0.5, reverse=True):
        across, down = rng.uniform(0, SIDE, 2)
        top, left = max(0, int(down - radius)), max(0, int(across - radius))
        part = np.s_[top : int(down + radius) + 1, left : int(across + radius) + 1]
        dx, dy = x[part] - across, y[part] - down
        slope = (dx * rng.uniform(-1, 1) + dy * rng.uniform(-1, 1)) * 25 / radius
        leaf = rng.uniform(20, 235, 3) + (slope + texture[part] * rng.uniform(1, 14))[..., None]
        inside = dx**2 + dy**2 < radius**2
        canvas[part][inside] = leaf[inside]
    around = sum(np.roll(canvas, step, axis) for step in (-1, 1) for axis in (0, 1))
    return np.asarray((4 * canvas + around) / 8, np.float32)


def _pixels(canvas: _Plane) -> Pixels:
    return np.ascontiguousarray(np.clip(np.rint(canvas), 0, 255).astype(np.uint8))
