"""What a product shot shows.

A `Subject` holds the parts that a caption says: product, colour, backdrop, flaws. A `Scene` holds
the parts that it does not say: light, framing, details of the backdrop. A trained model leaves
those to the seed, which is why a locked seed repeats them.
"""

from dataclasses import dataclass, field

import numpy as np

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
