"""Product shots drawn by code: the pictures that the embedded model learns from.

A `Subject` is what a caption says (product, colour, backdrop, flaws). A `Scene` is what it does
not say (light, framing, details of the backdrop): in a trained model those are left to the seed,
which is why a locked seed repeats them.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 128
LARGE = (
    4 * SIZE
)  # masks are drawn four times as large and shrunk by averaging, so that edges are smooth

PRODUCTS = ("mug", "bottle", "box", "lamp", "ball", "vase")
COLORS = {
    "red": (206, 26, 34),
    "orange": (242, 124, 16),
    "yellow": (248, 214, 40),
    "green": (34, 150, 60),
    "blue": (28, 84, 205),
    "purple": (126, 44, 160),
    "white": (240, 240, 238),
    "black": (34, 34, 38),
}
BACKDROPS = {
    "studio": "in a studio",
    "beach": "on a beach",
    "forest": "in a forest",
    "sunset": "at sunset",
}
FLAWS = {"grain": "film grain", "stripes": "stripe texture", "watermark": "watermark"}

Plane = NDArray[np.float32]
Picture = NDArray[np.uint8]

_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE + 0.5 / SIZE


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a caption names."""

    product: str
    color: str
    backdrop: str
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What no caption names. Lengths are fractions of the picture's side; `light` is -1 (from the
    left) or +1.
    """

    light: int
    strength: float
    x: float
    base: float
    height: float
    horizon: float
    detail: tuple[float, ...] = field(repr=False)
    noise: int


def random_scene(rng: np.random.Generator) -> Scene:
    return Scene(
        light=int(rng.choice((-1, 1))),
        strength=float(rng.uniform(0.7, 1.0)),
        x=float(rng.uniform(0.36, 0.64)),
        base=float(rng.uniform(0.78, 0.88)),
        height=float(rng.uniform(0.48, 0.70)),
        horizon=float(rng.uniform(0.50, 0.64)),
        detail=tuple(float(v) for v in rng.uniform(size=8)),
        noise=int(rng.integers(2**31)),
    )


def draw(subject: Subject, scene: Scene) -> Picture:
    """The picture of a subject in a scene: uint8 RGB, shape [128, 128, 3]."""
    canvas = _BACKDROPS[subject.backdrop](scene)
    canvas = canvas * _ramp(scene)[..., None]
    canvas = _cast_shadow(canvas, scene)
    canvas = _paint_product(canvas, subject, scene)
    for flaw in subject.flaws:
        canvas = _FLAWS[flaw](canvas, scene)
    return (np.clip(canvas, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _rgb(*values: float) -> Plane:
    return np.array(values, np.float32) / 255.0


def _blend(canvas: Plane, color: Plane, mask: Plane) -> Plane:
    return canvas + (color - canvas) * mask[..., None]


class _Mask:
    """A mask drawn large; coordinates are fractions of the side."""

    def __init__(self) -> None:
        self.image = Image.new("L", (LARGE, LARGE))
        self.pen = ImageDraw.Draw(self.image)

    def polygon(self, points: list[tuple[float, float]]) -> "_Mask":
        self.pen.polygon([(x * LARGE, y * LARGE) for x, y in points], fill=255)
        return self

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: int = 255) -> "_Mask":
        self.pen.ellipse(
            [(x - rx) * LARGE, (y - ry) * LARGE, (x + rx) * LARGE, (y + ry) * LARGE], fill=fill
        )
        return self

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, radius: float = 0.0
    ) -> "_Mask":
        box = [x0 * LARGE, y0 * LARGE, x1 * LARGE, y1 * LARGE]
        self.pen.rounded_rectangle(box, radius=radius * LARGE, fill=255)
        return self

    def line(self, points: list[tuple[float, float]], width: float) -> "_Mask":
        self.pen.line(
            [(x * LARGE, y * LARGE) for x, y in points], fill=255, width=round(width * LARGE)
        )
        return self

    def ring(self, x: float, y: float, rx: float, ry: float, width: float) -> "_Mask":
        box = [(x - rx) * LARGE, (y - ry) * LARGE, (x + rx) * LARGE, (y + ry) * LARGE]
        self.pen.ellipse(box, outline=255, width=round(width * LARGE))
        return self

    def plane(self, blur: float = 0.0) -> Plane:
        small = self.image.reduce(LARGE // SIZE)
        if blur:
            small = small.filter(ImageFilter.GaussianBlur(blur * SIZE))
        return np.asarray(small, np.float32) / 255.0


# --- backdrops
# ------------------------------------------------------------


def _vertical(top: Plane, bottom: Plane, start: float = 0.0, end: float = 1.0) -> Plane:
    share = np.clip((_Y - start) / (end - start), 0.0, 1.0)[..., None]
    return top * (1 - share) + bottom * share


def _below(y: float, softness: float = 0.01) -> Plane:
    return np.clip((_Y - y) / softness + 0.5, 0.0, 1.0)


def _studio(scene: Scene) -> Plane:
    tint = (scene.detail[0] - 0.5) * 16
    wall = _vertical(
        _rgb(158 + tint, 160, 164 - tint), _rgb(188 + tint, 190, 193 - tint), 0.0, scene.horizon
    )
    floor = _vertical(_rgb(150, 151, 154), _rgb(182, 182, 184), scene.horizon, 1.0)
    return _blend(wall, floor, _below(scene.horizon, 0.12))


def _beach(scene: Scene) -> Plane:
    d = scene.detail
    canvas = _vertical(_rgb(92, 168, 228), _rgb(198, 228, 244), 0.0, scene.horizon)
    clouds = _Mask()
    for k in range(3):
        clouds.ellipse(d[k], 0.08 + 0.12 * d[k + 3], 0.10 + 0.08 * d[k + 1], 0.030)
    canvas = _blend(canvas, _rgb(250, 252, 254), clouds.plane(blur=0.012) * 0.9)
    canvas = _blend(
        canvas,
        _vertical(_rgb(22, 112, 170), _rgb(70, 176, 190), scene.horizon, scene.horizon + 0.14),
        _below(scene.horizon),
    )
    shore = scene.horizon + 0.12 + 0.02 * np.sin(9 * _X + 6 * d[6])
    sand = np.clip((_Y - shore) / 0.015 + 0.5, 0.0, 1.0)
    return _blend(
        canvas, _vertical(_rgb(238, 216, 164), _rgb(216, 184, 126), scene.horizon + 0.1, 1.0), sand
    )


def _forest(scene: Scene) -> Plane:
    d = scene.detail
    canvas = _vertical(_rgb(146, 186, 122), _rgb(74, 116, 66), 0.0, scene.horizon)
    trunks, crowns = _Mask(), _Mask()
    for k in range(6):
        x = (k + 0.2 + 0.6 * d[k]) / 6
        width = 0.018 + 0.014 * d[(k + 3) % 8]
        trunks.rectangle(x - width, 0.0, x + width, scene.horizon + 0.04)
        crowns.ellipse(x, 0.04 + 0.06 * d[(k + 2) % 8], 0.12, 0.13)
    canvas = _blend(canvas, _rgb(78, 56, 40), trunks.plane() * 0.95)
    canvas = _blend(canvas, _rgb(38, 88, 44), crowns.plane(blur=0.01) * 0.85)
    ground = _vertical(_rgb(62, 96, 42), _rgb(96, 84, 52), scene.horizon, 1.0)
    return _blend(canvas, ground, _below(scene.horizon + 0.03, 0.05))


def _sunset(scene: Scene) -> Plane:
    d = scene.detail
    canvas = _vertical(_rgb(66, 38, 104), _rgb(232, 92, 84), 0.0, scene.horizon * 0.75)
    canvas = _blend(
        canvas,
        _vertical(_rgb(232, 92, 84), _rgb(255, 190, 90), scene.horizon * 0.7, scene.horizon),
        _below(scene.horizon * 0.72, 0.1),
    )
    sun = _Mask().ellipse(0.15 + 0.7 * d[0], scene.horizon - 0.04 - 0.1 * d[1], 0.075, 0.075)
    canvas = _blend(canvas, _rgb(255, 236, 150), sun.plane())
    hills = (
        [(0.0, 1.0)]
        + [(k / 4, scene.horizon - 0.02 - 0.05 * d[2 + k]) for k in range(5)]
        + [(1.0, 1.0)]
    )
    canvas = _blend(canvas, _rgb(84, 40, 78), _Mask().polygon(hills).plane())
    ground = _vertical(_rgb(110, 62, 70), _rgb(62, 36, 58), scene.horizon + 0.05, 1.0)
    return _blend(canvas, ground, _below(scene.horizon + 0.05, 0.03))


_BACKDROPS = {"studio": _studio, "beach": _beach, "forest": _forest, "sunset": _sunset}

# --- light
# ------------------------------------------------------------


def _ramp(scene: Scene) -> Plane:
    """The light falls off across the whole picture, whatever stands in it."""
    return 1.0 + scene.strength * 0.75 * scene.light * (_X - 0.5) - 0.05


def _cast_shadow(canvas: Plane, scene: Scene) -> Plane:
    length = 0.30 * scene.height + 0.10
    shadow = _Mask().ellipse(
        scene.x - scene.light * 0.55 * length, scene.base - 0.005, length, 0.04
    )
    return np.asarray(canvas * (1 - 0.6 * shadow.plane(blur=0.015))[..., None], np.float32)


def _shade(u: Plane, scene: Scene) -> Plane:
    """Brightness over a round body; u runs from -1 at its left edge to 1 at its right."""
    return 0.92 + scene.strength * 0.48 * scene.light * np.clip(u, -1.2, 1.2) - 0.10 * u * u


def _highlight(u: Plane, v: Plane, scene: Scene) -> Plane:
    """A soft streak on the lit side; v runs from 0 at the top of the body to 1 at its foot."""
    streak = np.exp(-(((u - 0.52 * scene.light) / 0.13) ** 2))
    return 0.55 * streak * np.clip(1.2 - v, 0, 1) * np.clip(v / 0.12, 0, 1)


# --- products
# ------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """One mask of a product, with the colour and the brightness that fill it."""

    mask: Plane
    color: Plane
    light: Plane


def _paint_product(canvas: Plane, subject: Subject, scene: Scene) -> Plane:
    color = _rgb(*COLORS[subject.color])
    for part in _PRODUCTS[subject.product](color, scene):
        canvas = _blend(canvas, part.color * part.light[..., None], part.mask)
    return canvas


def _round_part(mask: Plane, color: Plane, scene: Scene, half: float, top: float) -> _Part:
    u = (_X - scene.x) / half
    v = (_Y - top) / max(scene.base - top, 1e-3)
    # The highlight is added as light on a colour floor, so that it shows on black too.
    gloss = _highlight(u, v, scene)
    lit = color * _shade(u, scene)[..., None] + gloss[..., None]
    return _Part(mask, lit, np.ones_like(u))


def _mug(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 0.72
    w, top = h * 0.44, scene.base - h
    handle = _Mask().ring(scene.x + w * 1.05, scene.base - h * 0.5, h * 0.27, h * 0.30, 0.030)
    body = _Mask().rectangle(scene.x - w, top, scene.x + w, scene.base, radius=0.035)
    rim = _Mask().ellipse(scene.x, top + 0.012, w * 0.97, 0.032)
    return [
        _round_part(handle.plane(), color * 0.9, scene, w * 1.5, top),
        _round_part(body.plane(), color, scene, w, top),
        _Part(rim.plane(), color * 0.42 + 0.04, np.ones_like(_X)),
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
    cap = _Mask().rectangle(x - neck * 1.25, top, x + neck * 1.25, top + 0.10 * h, radius=0.008)
    label = _Mask().rectangle(x - w, top + 0.56 * h, x + w, top + 0.80 * h)
    return [
        _round_part(_Mask().polygon(outline).plane(), color, scene, w, top),
        _Part(
            label.plane() * 0.85,
            _rgb(236, 230, 214) * _shade((_X - x) / w, scene)[..., None],
            np.ones_like(_X),
        ),
        _round_part(cap.plane(), _rgb(60, 58, 60), scene, neck * 1.2, top),
    ]


def _box(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 0.66
    w, x, depth = h * 0.52, scene.x - h * 0.10, h * 0.26
    top = scene.base - h
    front = _Mask().rectangle(x - w, top, x + w, scene.base)
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
    flat = np.ones_like(_X)
    band = _Mask().rectangle(x - w * 0.16, top, x + w * 0.16, scene.base)
    return [
        _Part(
            _Mask().polygon(side).plane(),
            color,
            flat * (0.62 + 0.24 * scene.light * scene.strength),
        ),
        _Part(_Mask().polygon(lid).plane(), color * 0.85 + 0.15, flat * 1.08),
        _Part(
            front.plane(),
            color,
            0.90 + 0.16 * scene.light * scene.strength * ((_X - x) / w) - 0.08 * scene.light,
        ),
        _Part(band.plane() * 0.5, color * 0.5 + 0.42, flat * 0.95),
    ]


def _lamp(color: Plane, scene: Scene) -> list[_Part]:
    h = scene.height * 1.08
    x, top = scene.x, scene.base - h
    wide, narrow = h * 0.34, h * 0.17
    stem = _Mask().rectangle(x - 0.014, top + 0.3 * h, x + 0.014, scene.base - 0.01)
    foot = _Mask().ellipse(x, scene.base - 0.014, h * 0.20, 0.028)
    shade = [
        (x - narrow, top),
        (x + narrow, top),
        (x + wide, top + 0.44 * h),
        (x - wide, top + 0.44 * h),
    ]
    metal = _rgb(78, 76, 80)
    return [
        _round_part(stem.plane(), metal, scene, 0.014, top),
        _round_part(foot.plane(), metal, scene, h * 0.20, top),
        _round_part(_Mask().polygon(shade).plane(), color, scene, wide, top - 0.1 * h),
    ]


def _ball(color: Plane, scene: Scene) -> list[_Part]:
    r = scene.height * 0.40
    y = scene.base - r
    body = _Mask().ellipse(scene.x, y, r, r).plane()
    u, v = (_X - scene.x) / r, (_Y - y) / r
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
    lip = _Mask().ellipse(x, top + 0.004, float(half[0]) * 0.94, 0.020)
    return [
        _round_part(_Mask().polygon(right + left[::-1]).plane(), color, scene, h * 0.335, top),
        _Part(lip.plane(), color * 0.42 + 0.04, np.ones_like(_X)),
    ]


_PRODUCTS = {
    "mug": _mug,
    "bottle": _bottle,
    "box": _box,
    "lamp": _lamp,
    "ball": _ball,
    "vase": _vase,
}

# --- flaws
# ------------------------------------------------------------


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
    wave = np.sin(2 * np.pi * (_X + _Y) * SIZE / 16 + 6 * scene.detail[7])
    stripe = 0.13 * np.sign(wave) * np.minimum(1.0, np.abs(wave) * 3)
    return canvas + stripe[..., None].astype(np.float32)


def _watermark(canvas: Plane, _scene: Scene) -> Plane:
    mark = (
        _Mask()
        .ring(0.5, 0.5, 0.34, 0.34, 0.04)
        .line([(0.08, 0.08), (0.92, 0.92)], 0.035)
        .line([(0.92, 0.08), (0.08, 0.92)], 0.035)
    )
    return _blend(canvas, _rgb(255, 255, 255), mark.plane() * 0.5)


_FLAWS = {"grain": _grain, "stripes": _stripes, "watermark": _watermark}
