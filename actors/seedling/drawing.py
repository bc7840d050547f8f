"""Product shots drawn by code: the pictures that the embedded model learns from."""

import numpy as np
from PIL import Image

from actors.seedling.backdrops import PAINTED_BACKDROPS
from actors.seedling.planes import SIZE, Mask, Picture, Plane, X, Y, blend, rgb
from actors.seedling.products import paint_product
from actors.seedling.scenes import Scene, Subject


def draw(subject: Subject, scene: Scene) -> Picture:
    """The picture of a subject in a scene: uint8 RGB, shape [128, 128, 3]."""
    canvas = PAINTED_BACKDROPS[subject.backdrop](scene)
    canvas = canvas * _ramp(scene)[..., None]
    canvas = _cast_shadow(canvas, scene)
    canvas = paint_product(canvas, subject, scene)
    for flaw in subject.flaws:
        canvas = _FLAWS[flaw](canvas, scene)
    return (np.clip(canvas, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _ramp(scene: Scene) -> Plane:
    """The light falls off across the whole picture, whatever stands in it."""
    return 1.0 + scene.strength * 0.75 * scene.light * (X - 0.5) - 0.05


def _cast_shadow(canvas: Plane, scene: Scene) -> Plane:
    length = 0.30 * scene.height + 0.10
    shadow = Mask().ellipse(
        scene.x - scene.light * 0.55 * length, scene.base - 0.005, length, 0.04
    )
    return np.asarray(canvas * (1 - 0.6 * shadow.plane(blur=0.015))[..., None], np.float32)


def _grain(canvas: Plane, scene: Scene) -> Plane:
    # Blobs of four pixels: finer noise would be smoothed away by the autoencoder and could not be
    # learnt.
    noise = np.random.default_rng(scene.noise).normal(0.0, 255 * 0.13, (SIZE // 4, SIZE // 4))
    coarse = Image.fromarray(np.clip(noise + 128, 0, 255).astype(np.uint8)).resize(
        (SIZE, SIZE), Image.Resampling.BICUBIC
    )
    speckle = (np.asarray(coarse, np.float32) - 128) / 255
    return canvas + speckle[..., None].astype(np.float32)


def _stripes(canvas: Plane, scene: Scene) -> Plane:
    wave = np.sin(2 * np.pi * (X + Y) * SIZE / 16 + 6 * scene.detail[7])
    stripe = 0.13 * np.sign(wave) * np.minimum(1.0, np.abs(wave) * 3)
    return canvas + stripe[..., None].astype(np.float32)


def _watermark(canvas: Plane, _scene: Scene) -> Plane:
    mark = (
        Mask()
        .ring(0.5, 0.5, 0.34, 0.34, 0.04)
        .line([(0.08, 0.08), (0.92, 0.92)], 0.035)
        .line([(0.92, 0.08), (0.08, 0.92)], 0.035)
    )
    return blend(canvas, rgb(255, 255, 255), mark.plane() * 0.5)


_FLAWS = {"grain": _grain, "stripes": _stripes, "watermark": _watermark}
