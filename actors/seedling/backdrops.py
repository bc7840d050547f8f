"""The backdrops of product shots."""

import numpy as np

from actors.seedling.planes import Mask, Plane, X, Y, blend, rgb
from actors.seedling.scenes import Scene


def _vertical(top: Plane, bottom: Plane, start: float = 0.0, end: float = 1.0) -> Plane:
    share = np.clip((Y - start) / (end - start), 0.0, 1.0)[..., None]
    return top * (1 - share) + bottom * share


def _below(y: float, softness: float = 0.01) -> Plane:
    return np.clip((Y - y) / softness + 0.5, 0.0, 1.0)


def _studio(scene: Scene) -> Plane:
    tint = (scene.detail[0] - 0.5) * 16
    wall = _vertical(
        rgb(158 + tint, 160, 164 - tint), rgb(188 + tint, 190, 193 - tint), 0.0, scene.horizon
    )
    floor = _vertical(rgb(150, 151, 154), rgb(182, 182, 184), scene.horizon, 1.0)
    return blend(wall, floor, _below(scene.horizon, 0.12))


def _beach(scene: Scene) -> Plane:
    d = scene.detail
    canvas = _vertical(rgb(92, 168, 228), rgb(198, 228, 244), 0.0, scene.horizon)
    clouds = Mask()
    for k in range(3):
        clouds.ellipse(d[k], 0.08 + 0.12 * d[k + 3], 0.10 + 0.08 * d[k + 1], 0.030)
    canvas = blend(canvas, rgb(250, 252, 254), clouds.plane(blur=0.012) * 0.9)
    canvas = blend(
        canvas,
        _vertical(rgb(22, 112, 170), rgb(70, 176, 190), scene.horizon, scene.horizon + 0.14),
        _below(scene.horizon),
    )
    shore = scene.horizon + 0.12 + 0.02 * np.sin(9 * X + 6 * d[6])
    sand = np.clip((Y - shore) / 0.015 + 0.5, 0.0, 1.0)
    return blend(
        canvas, _vertical(rgb(238, 216, 164), rgb(216, 184, 126), scene.horizon + 0.1, 1.0), sand
    )


def _forest(scene: Scene) -> Plane:
    d = scene.detail
    canvas = _vertical(rgb(146, 186, 122), rgb(74, 116, 66), 0.0, scene.horizon)
    trunks, crowns = Mask(), Mask()
    for k in range(6):
        x = (k + 0.2 + 0.6 * d[k]) / 6
        width = 0.018 + 0.014 * d[(k + 3) % 8]
        trunks.rectangle(x - width, 0.0, x + width, scene.horizon + 0.04)
        crowns.ellipse(x, 0.04 + 0.06 * d[(k + 2) % 8], 0.12, 0.13)
    canvas = blend(canvas, rgb(78, 56, 40), trunks.plane() * 0.95)
    canvas = blend(canvas, rgb(38, 88, 44), crowns.plane(blur=0.01) * 0.85)
    ground = _vertical(rgb(62, 96, 42), rgb(96, 84, 52), scene.horizon, 1.0)
    return blend(canvas, ground, _below(scene.horizon + 0.03, 0.05))


def _sunset(scene: Scene) -> Plane:
    d = scene.detail
    canvas = _vertical(rgb(66, 38, 104), rgb(232, 92, 84), 0.0, scene.horizon * 0.75)
    canvas = blend(
        canvas,
        _vertical(rgb(232, 92, 84), rgb(255, 190, 90), scene.horizon * 0.7, scene.horizon),
        _below(scene.horizon * 0.72, 0.1),
    )
    sun = Mask().ellipse(0.15 + 0.7 * d[0], scene.horizon - 0.04 - 0.1 * d[1], 0.075, 0.075)
    canvas = blend(canvas, rgb(255, 236, 150), sun.plane())
    hills = (
        [(0.0, 1.0)]
        + [(k / 4, scene.horizon - 0.02 - 0.05 * d[2 + k]) for k in range(5)]
        + [(1.0, 1.0)]
    )
    canvas = blend(canvas, rgb(84, 40, 78), Mask().polygon(hills).plane())
    ground = _vertical(rgb(110, 62, 70), rgb(62, 36, 58), scene.horizon + 0.05, 1.0)
    return blend(canvas, ground, _below(scene.horizon + 0.05, 0.03))


PAINTED_BACKDROPS = {"studio": _studio, "beach": _beach, "forest": _forest, "sunset": _sunset}
