"""The canvas of a product shot: planes of numbers, and masks to lay colours through."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 128
# Masks are drawn four times as large and shrunk by averaging, so that edges are smooth.
LARGE = 4 * SIZE

Plane = NDArray[np.float32]
Picture = NDArray[np.uint8]

Y, X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE + 0.5 / SIZE


def rgb(*values: float) -> Plane:
    return np.array(values, np.float32) / 255.0


def blend(canvas: Plane, color: Plane, mask: Plane) -> Plane:
    return canvas + (color - canvas) * mask[..., None]


class Mask:
    """A mask drawn large; coordinates are fractions of the side."""

    def __init__(self) -> None:
        self.image = Image.new("L", (LARGE, LARGE))
        self.pen = ImageDraw.Draw(self.image)

    def polygon(self, points: list[tuple[float, float]]) -> "Mask":
        self.pen.polygon([(x * LARGE, y * LARGE) for x, y in points], fill=255)
        return self

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: int = 255) -> "Mask":
        self.pen.ellipse(
            [(x - rx) * LARGE, (y - ry) * LARGE, (x + rx) * LARGE, (y + ry) * LARGE], fill=fill
        )
        return self

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> "Mask":
        box = [x0 * LARGE, y0 * LARGE, x1 * LARGE, y1 * LARGE]
        self.pen.rounded_rectangle(box, radius=radius * LARGE, fill=255)
        return self

    def line(self, points: list[tuple[float, float]], width: float) -> "Mask":
        self.pen.line(
            [(x * LARGE, y * LARGE) for x, y in points], fill=255, width=round(width * LARGE)
        )
        return self

    def ring(self, x: float, y: float, rx: float, ry: float, width: float) -> "Mask":
        box = [(x - rx) * LARGE, (y - ry) * LARGE, (x + rx) * LARGE, (y + ry) * LARGE]
        self.pen.ellipse(box, outline=255, width=round(width * LARGE))
        return self

    def plane(self, blur: float = 0.0) -> Plane:
        small = self.image.reduce(LARGE // SIZE)
        if blur:
            small = small.filter(ImageFilter.GaussianBlur(blur * SIZE))
        return np.asarray(small, np.float32) / 255.0
