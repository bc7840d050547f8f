"""How far a composition has moved from another: `layout@1`.

Three things are compared, each 0 if nothing has moved and 1 if all of it has:

1. *Light*: the low frequencies of lightness, as 8 x 8 cells without their mean. A brighter or a
   darker lamp changes little; another arrangement of light and dark does.
2. *Colour*: the OKLab axes a and b of 4 x 4 cells.
3. *Subject*: where the cells are that stand out from the picture's border, and how far they
   spread. The border's median colour counts as the ground.

All of it is read off 16 x 16 cells, so that it is about the same for a preview as for a picture
of any size, format or sharpness. A change of any of these numbers needs another name.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actors.pictures.colour import Floats, oklab

NAME = "layout@1"

_SIDE, _LIGHT, _COLOUR = 16, 8, 4
_WIDEST_AXIS = 0.4
"""Of OKLab's a and b, which sRGB does not exceed."""
_SHARES = (0.4, 0.25, 0.35)
"""Of light, colour and subject in the whole."""
_FAINT = 0.0016
"""A variance of lightness that is hardly seen: without it, the noise of two even grounds would
count as two arrangements."""
_FAR_COLOUR = 0.12
"""A mean distance of a and b at which the colours of two pictures have little in common."""
_FAR_SUBJECT = 0.25
"""By how much of a side a subject moves, or grows, to be in another place altogether."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A composition in 101 bytes."""

    light: bytes
    """8 x 8 cells of lightness, row by row, 255 for 1."""
    colour: bytes
    """4 x 4 cells of a and b, 128 for 0, 127 more or less for ±0.4."""
    subject: bytes
    """The centre (x, y) and the spread (x, y) of what stands out, 255 for a side, and how much
    stands out, 255 for all."""

    @property
    def text(self) -> str:
        """Names its version, and can be read again by `layout_from`."""
        data = self.light + self.colour + self.subject
        return f"{NAME}:{base64.b64encode(data).decode()}"


def layout_of(pixels: NDArray[np.uint8]) -> Layout:
    """The layout of a picture [h, w, 3] of any size."""
    small = Image.fromarray(np.ascontiguousarray(pixels)).resize(
        (_SIDE, _SIDE), Image.Resampling.BOX
    )
    cells = oklab(np.asarray(small))
    return Layout(
        light=_bytes(_cells(cells[..., 0], _LIGHT)),
        colour=_bytes(_cells(cells[..., 1:], _COLOUR) / _WIDEST_AXIS * 127 / 255 + 128 / 255),
        subject=_bytes(_subject(cells)),
    )


def layout_from(text: str) -> Layout:
    """The layout that a text stands for. Raises ValueError if it is of another version, or is not
    one.
    """
    name, _, data = text.partition(":")
    if name != NAME:
        raise ValueError(
            f"The layout is of the kind {name[:40]!r}, not {NAME!r}: measure it again."
        )
    return _from_bytes(base64.b64decode(data, validate=True))


def median_of(layouts: Sequence[Layout]) -> Layout:
    """The layout that has the median of each number of one or more others."""
    stacked = np.stack([_array(layout) for layout in layouts])
    return _from_bytes(np.round(np.median(stacked, axis=0)).astype(np.uint8).tobytes())


def drift(layout: Layout, anchor: Layout) -> float:
    """How far a layout is from its anchor, from 0 (the same) to 1; the same in both directions."""
    parts = (
        _light_apart(_floats(layout.light), _floats(anchor.light)),
        _colour_apart(_floats(layout.colour), _floats(anchor.colour)),
        _subject_apart(_floats(layout.subject), _floats(anchor.subject)),
    )
    return float(sum(share * part for share, part in zip(_SHARES, parts, strict=True)))


def _light_apart(one: Floats, other: Floats) -> float:
    one, other = one - one.mean(), other - other.mean()
    common = 2 * (one * other).mean() + _FAINT
    alike = common / ((one**2).mean() + (other**2).mean() + _FAINT)
    return float(min(1.0, 1 - alike))


def _colour_apart(one: Floats, other: Floats) -> float:
    apart = (one - other).reshape(-1, 2) * 255 / 127 * _WIDEST_AXIS
    return float(1 - np.exp(-np.hypot(*apart.T).mean() / _FAR_COLOUR))


def _subject_apart(one: Floats, other: Floats) -> float:
    moved = np.hypot(*(one - other)[:2])
    grown = np.abs((one - other)[2:4]).max() * 2  # a spread is about a quarter of a width
    return float(1 - np.exp(-(moved + grown) / _FAR_SUBJECT))


def _subject(cells: Floats) -> Floats:
    """Centre and spread of what stands out of cells [side, side, 3], in sides, and how much."""
    border = np.concatenate((cells[0], cells[-1], cells[1:-1, 0], cells[1:-1, -1]))
    apart = np.linalg.norm(cells - np.median(border, axis=0), axis=-1)
    out = np.maximum(0.0, apart - apart.mean())
    if out.sum() < 1e-9:
        return np.array([0.5, 0.5, 0.25, 0.25, 0.0])
    weight = out / out.sum()
    places = (np.arange(_SIDE) + 0.5) / _SIDE
    by_x, by_y = weight.sum(axis=0), weight.sum(axis=1)
    x, y = by_x @ places, by_y @ places
    spread_x = np.sqrt(by_x @ (places - x) ** 2)
    spread_y = np.sqrt(by_y @ (places - y) ** 2)
    return np.array([x, y, spread_x, spread_y, (out > 0).mean()])


def _cells(values: Floats, side: int) -> Floats:
    """The means of [16, 16, ...] over side x side cells."""
    step = _SIDE // side
    shape = (side, step, side, step, *values.shape[2:])
    return np.asarray(values.reshape(shape).mean(axis=(1, 3)))


def _bytes(values: Floats) -> bytes:
    return np.clip(np.round(values * 255), 0, 255).astype(np.uint8).tobytes()


def _floats(data: bytes) -> Floats:
    return np.frombuffer(data, np.uint8) / 255


def _array(layout: Layout) -> NDArray[np.uint8]:
    return np.frombuffer(layout.light + layout.colour + layout.subject, np.uint8)


def _from_bytes(data: bytes) -> Layout:
    light, colour = _LIGHT**2, 2 * _COLOUR**2
    if len(data) != light + colour + 5:
        raise ValueError(f"A layout has {light + colour + 5} bytes, not {len(data)}.")
    return Layout(
        light=data[:light], colour=data[light : light + colour], subject=data[light + colour :]
    )
