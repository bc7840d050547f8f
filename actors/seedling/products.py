"""The products of product shots, and how light falls on them."""

from dataclasses import dataclass

import numpy as np

from actors.seedling.planes import Mask, Plane, X, Y, blend, rgb
from actors.seedling.scenes import COLORS, Scene, Subject


def paint_product(canvas: Plane, subject: Subject, scene: Scene) -> Plane:
    color = rgb(*COLORS[subject.color])
    for part in _PRODUCTS[subject.product](color, scene):
        canvas = blend(canvas, part.color * part.light[..., None], part.mask)
    return canvas


@dataclass(frozen=True)
class _Part:
    """One mask of a product, with the colour and the brightness that fill it."""

    mask: Plane
    color: Plane
    light: Plane


def _shade(u: Plane, scene: Scene) -> Plane:
    """Brightness over a round body; u runs from -1 at its left edge to 1 at its right."""
    return 0.92 + scene.strength * 0.48 * scene.light * np.clip(u, -1.2, 1.2) - 0.10 * u * u


def _highlight(u: Plane, v: Plane, scene: Scene) -> Plane:
    """A soft streak on the lit side; v runs from 0 at the top of the body to 1 at its foot."""
    streak = np.exp(-(((u - 0.52 * scene.light) / 0.13) ** 2))
    return 0.55 * streak * np.clip(1.2 - v, 0, 1) * np.clip(v / 0.12, 0, 1)


def _round_part(mask: Plane, color: Plane, scene: Scene, half: float, top: float) -> _Part:
    u = (X - scene.x) / half
    v = (Y - top) / max(scene.base - top, 1e-3)
    # The highlight is added as light on a colour floor, so that it shows on black too.
    gloss = _highlight(u, v, scene)
    lit = color * _shade(u, scene)[..., None] + gloss[..., None]
    return _Part(mask, lit, np.ones_like(u))


def _mug(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 0.72
    w, top = h * 0.44, scene.base - h
    handle = Mask().ring(scene.x + w * 1.05, scene.base - h * 0.5, h * 0.27, h * 0.30, 0.030)
    body = Mask().rectangle(scene.x - w, top, scene.x + w, scene.base, radius=0.035)
    rim = Mask().ellipse(scene.x, top + 0.012, w * 0.97, 0.032)
    return [
        _round_part(handle.plane(), color * 0.9, scene, w * 1.5, top),
        _round_part(body.plane(), color, scene, w, top),
        _Part(rim.plane(), color * 0.42 + 0.04, np.ones_like(X)),
    ]


def _bottle(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 1.06
    w, x, top = h * 0.19, scene.x, scene.base - h
    neck = w * 0.36
    outline = [
        (x - neck, top + 0.05 * h),
        (x + neck, top + 0.05 * h),
        (x + neck, top + 0.28 * h),
        (x + w, top + 0.42 * h),
    ]
    outline += [
        (x + w, scene.base),
        (x - w, scene.base),
        (x - w, top + 0.42 * h),
        (x - neck, top + 0.28 * h),
    ]
    cap = Mask().rectangle(x - neck * 1.25, top, x + neck * 1.25, top + 0.10 * h, radius=0.008)
    label = Mask().rectangle(x - w, top + 0.56 * h, x + w, top + 0.80 * h)
    return [
        _round_part(Mask().polygon(outline).plane(), color, scene, w, top),
        _Part(
            label.plane() * 0.85,
            rgb(236, 230, 214) * _shade((X - x) / w, scene)[..., None],
            np.ones_like(X),
        ),
        _round_part(cap.plane(), rgb(60, 58, 60), scene, neck * 1.2, top),
    ]


def _box(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 0.66
    w, x, depth = h * 0.52, scene.x - h * 0.10, h * 0.26
    top = scene.base - h
    front = Mask().rectangle(x - w, top, x + w, scene.base)
    side = [
        (x + w, top),
        (x + w + depth, top - depth * 0.6),
        (x + w + depth, scene.base - depth * 0.6),
        (x + w, scene.base),
    ]
    lid = [
        (x - w, top),
        (x - w + depth, top - depth * 0.6),
        (x + w + depth, top - depth * 0.6),
        (x + w, top),
    ]
    flat = np.ones_like(X)
    band = Mask().rectangle(x - w * 0.16, top, x + w * 0.16, scene.base)
    return [
        _Part(
            Mask().polygon(side).plane(),
            color,
            flat * (0.62 + 0.24 * scene.light * scene.strength),
        ),
        _Part(Mask().polygon(lid).plane(), color * 0.85 + 0.15, flat * 1.08),
        _Part(
            front.plane(),
            color,
            0.90 + 0.16 * scene.light * scene.strength * ((X - x) / w) - 0.08 * scene.light,
        ),
        _Part(band.plane() * 0.5, color * 0.5 + 0.42, flat * 0.95),
    ]


def _lamp(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 1.08
    x, top = scene.x, scene.base - h
    wide, narrow = h * 0.34, h * 0.17
    stem = Mask().rectangle(x - 0.014, top + 0.3 * h, x + 0.014, scene.base - 0.01)
    foot = Mask().ellipse(x, scene.base - 0.014, h * 0.20, 0.028)
    shade = [
        (x - narrow, top),
        (x + narrow, top),
        (x + wide, top + 0.44 * h),
        (x - wide, top + 0.44 * h),
    ]
    metal = rgb(78, 76, 80)
    return [
        _round_part(stem.plane(), metal, scene, 0.014, top),
        _round_part(foot.plane(), metal, scene, h * 0.20, top),
        _round_part(Mask().polygon(shade).plane(), color, scene, wide, top - 0.1 * h),
    ]


def _ball(color: Plane, scene: Scene) -> list[_Part]:
    r = scene.height * 0.40
    y = scene.base - r
    body = Mask().ellipse(scene.x, y, r, r).plane()
    u, v = (X - scene.x) / r, (Y - y) / r
    light = _shade(u, scene) - 0.26 * v
    gloss = 0.75 * np.exp(-(((u - 0.42 * scene.light) / 0.2) ** 2) - ((v + 0.42) / 0.2) ** 2)
    return [_Part(body, color * light[..., None] + gloss[..., None], np.ones_like(u))]


def _vase(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 0.94
    x, top = scene.x, scene.base - h
    t = np.linspace(0.0, 1.0, 40)
    # A flared lip, a thin neck, a full belly low down and a narrow foot.
    half = h * (
        0.075
        + 0.26 * np.exp(-(((t - 0.64) / 0.22) ** 2))
        + 0.11 * np.exp(-((t / 0.10) ** 2))
        + 0.05 * t**6
    )
    right = [(x + w, top + s * h) for w, s in zip(half, t, strict=True)]
    left = [(x - w, top + s * h) for w, s in zip(half, t, strict=True)]
    lip = Mask().ellipse(x, top + 0.004, float(half[0]) * 0.94, 0.020)
    return [
        _round_part(Mask().polygon(right + left[::-1]).plane(), color, scene, h * 0.335, top),
        _Part(lip.plane(), color * 0.42 + 0.04, np.ones_like(X)),
    ]


_PRODUCTS = {
    "mug": _mug,
    "bottle": _bottle,
    "box": _box,
    "lamp": _lamp,
    "ball": _ball,
    "vase": _vase,
}
