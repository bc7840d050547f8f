"""Rules that a finished picture is judged by, from its pixels alone.

Each rule has a name with a version, and the same name always measures in the same way. Most look
at the picture reduced to a grid of 64 cells along its longer side, so that they say the same of a
picture in any size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actors.pictures.colour import Floats, ciede2000, lab, oklab
from actors.recipes.rules import CopySpace, Palette, Rules, SafeArea, Side, Verdict

Pixels = NDArray[np.uint8]

GRID = 64  # cells along the longer side
_EDGE = 0.08  # in OKLab: about the step between two neighbouring shades of a paint chart
_SUBJECT = 0.08  # in OKLab: what differs less from its surroundings is not a subject
_ALIKE = 0.2  # in OKLab: the most by which light changes a backdrop from side to side
_SUBJECT_SHARE = 0.01  # of the cells: less is a speck
_FRAME_DEPTH = 0.12  # of the shorter side: the widest frame that is looked for
_FRAME_EVEN = 3.0  # levels of 255: the largest deviation within a line of a frame
_FRAME_STEP = 16.0  # levels of 255 between a frame and what it surrounds
_FRAME_SHARE = 0.6  # of its length along which a frame must end in such a step
_WHITE, _BLACK = 254, 1
_BLUR = 9  # pixels, as the published measure has it
_LEVELS = 6  # bits of each channel that the palette rule tells apart


@dataclass(frozen=True)
class Looked:
    """uint8 pixels [h, w, 3], and what more than one rule looks at of them."""

    pixels: Pixels

    @cached_property
    def colours(self) -> Floats:
        """OKLab of the cells: the picture with its longer side reduced to 64 of them, each the
        mean of its pixels. A smaller picture keeps its pixels.
        """
        height, width = self.pixels.shape[:2]
        longest = max(height, width)
        if longest <= GRID:
            return oklab(self.pixels)
        size = (max(1, round(width * GRID / longest)), max(1, round(height * GRID / longest)))
        image = Image.fromarray(self.pixels).resize(size, Image.Resampling.BOX)
        return oklab(np.asarray(image))

    @cached_property
    def grey(self) -> NDArray[np.float32]:
        """Luma, from 0 to 255."""
        return self.pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def judge(pixels: Pixels, rules: Rules) -> Verdict:
    """Judge uint8 pixels [h, w, 3] by those rules that are set."""
    looked = Looked(pixels)
    results = {name: rule(looked, rules) for name, rule in RULES.items()}
    tested = {name: passed for name, passed in results.items() if passed is not None}
    failed = tuple(name for name, passed in tested.items() if not passed)
    return Verdict(tested=len(tested), failed=failed)


# --- each rule: None if it is not set, else whether the picture passes ---


def _copy_space(looked: Looked, rules: Rules) -> bool | None:
    space = rules.copy_space
    return None if space is None else busy_share(looked, space) <= space.busy


def _safe_area(looked: Looked, rules: Rules) -> bool | None:
    area = rules.safe_area
    return None if area is None else share_outside(looked, area) <= area.outside


def _border(looked: Looked, rules: Rules) -> bool | None:
    return None if not rules.no_border else not has_border(looked)


def _clipped(looked: Looked, rules: Rules) -> bool | None:
    most = rules.clipped_at_most
    return None if most is None else clipped_share(looked) <= most


def _sharpness(looked: Looked, rules: Rules) -> bool | None:
    least = rules.sharpness_at_least
    return None if least is None else sharpness(looked) >= least


def _palette(looked: Looked, rules: Rules) -> bool | None:
    palette = rules.palette
    return None if palette is None else palette_share(looked, palette) >= palette.share


RULES: Mapping[str, Callable[[Looked, Rules], bool | None]] = {
    "copy_space@1": _copy_space,
    "safe_area@1": _safe_area,
    "border@1": _border,
    "clipped@1": _clipped,
    "sharpness@1": _sharpness,
    "palette@1": _palette,
}
"""Every rule by its name."""


# --- what they measure ---


def busy_share(looked: Looked, space: CopySpace) -> float:
    """The share of an area's cells, 0 to 1, that have an edge: their colour differs from that of
    the cell to the right or below by more than 0.08 in OKLab. A smooth gradient has none.
    """
    colours = looked.colours
    across, down = np.zeros(colours.shape[:2]), np.zeros(colours.shape[:2])
    across[:, :-1] = _distance(colours[:, 1:], colours[:, :-1])
    down[:-1] = _distance(colours[1:], colours[:-1])
    edges = np.maximum(across, down) > _EDGE
    return float(_along(edges, space.side, space.share).mean())


def share_outside(looked: Looked, area: SafeArea) -> float:
    """The share of the subject, 0 to 1, that lies in the margin; 0 if there is no subject.

    The subject is the cells that differ from the backdrop of their row, by more than Otsu's
    threshold and by at least 0.08 in OKLab, if they are at least 1 % of all. Each counts by how
    much more it differs, so that a shadow or a gradient of light weighs little. A horizon or a
    floor is not a subject, and neither is whatever fills a whole row.
    """
    distance = _distance(looked.colours, _backdrop(looked.colours))
    weight = np.maximum(0, distance - max(_otsu(distance), _SUBJECT))
    if (weight > 0).mean() < _SUBJECT_SHARE:
        return 0.0
    margin = max(1, round(area.margin * min(weight.shape)))
    outside = np.ones(weight.shape, bool)
    outside[margin:-margin, margin:-margin] = False
    return float(weight[outside].sum() / weight.sum())


def has_border(looked: Looked) -> bool:
    """Whether the picture has a frame, or bars, along two opposite sides: lines of one colour, no
    more than 12 % of the shorter side deep, that end in a step of at least 16 of 255 levels along
    60 % of their length.
    """
    grey = looked.grey
    depth = max(1, round(_FRAME_DEPTH * min(grey.shape)))
    if min(grey.shape) <= 2 * depth:
        return False
    return any(
        _is_framed(side, depth) and _is_framed(side[::-1], depth) for side in (grey, grey.T)
    )


def clipped_share(looked: Looked) -> float:
    """The share of pixels, 0 to 1, that are white (each channel at least 254) or black (each at
    most 1).
    """
    red, green, blue = np.moveaxis(looked.pixels, -1, 0)
    white = np.minimum(np.minimum(red, green), blue) >= _WHITE
    black = np.maximum(np.maximum(red, green), blue) <= _BLACK
    return float((white | black).mean())


def sharpness(looked: Looked) -> float:
    """How sharp a picture is, from 0 to 1: 1 less the blur of F. Crété-Roffet et al., "The blur
    effect: perception and estimation with a new no-reference perceptual blur metric" (2007).

    It compares the differences between neighbouring pixels with those that a strong blur leaves.
    A picture of one colour is not sharp.
    """
    return 1 - max(_blur(looked.grey), _blur(looked.grey.T))


def palette_share(looked: Looked, palette: Palette) -> float:
    """The share of pixels, 0 to 1, whose CIEDE2000 difference from the nearest of the palette's
    colours is at most `within`.

    The six upper bits of each channel are looked at: that moves a colour by less than 2 ΔE00.
    """
    shift = 8 - _LEVELS
    levels = (looked.pixels >> shift).astype(np.int32)
    bins = levels[..., 0] << 2 * _LEVELS | levels[..., 1] << _LEVELS | levels[..., 2]
    table = _nearness(palette.colors, palette.within)
    new = np.unique(bins[table[bins] < 0])
    if new.size:
        channels = np.stack([new >> 2 * _LEVELS, new >> _LEVELS, new], axis=-1)
        middle = ((channels & ((1 << _LEVELS) - 1)) << shift) + (1 << shift - 1)
        table[new] = _is_near(middle.astype(np.uint8), palette)
    return float(table[bins].mean())


def _is_near(colours: Pixels, palette: Palette) -> NDArray[np.bool_]:
    differences = ciede2000(lab(colours)[:, None], lab(np.array(palette.colors, np.uint8)))
    return np.asarray(differences.min(axis=1) <= palette.within)


@lru_cache(maxsize=32)
def _nearness(colors: tuple[tuple[int, int, int], ...], within: float) -> NDArray[np.int8]:  # noqa: ARG001  # they are the key
    """Of every colour that a picture of a palette's campaigns had so far, whether it is near the
    palette; -1 for the others. Two threads may fill in the same.
    """
    return np.full(1 << 3 * _LEVELS, -1, np.int8)


# --- parts of a picture ---


def _distance(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.sqrt(((one - other) ** 2).sum(axis=-1)))


def _along(cells: NDArray[np.bool_], side: Side, share: float) -> NDArray[np.bool_]:
    """The part of a grid along a side; `share` of its height or width, at least one line."""
    upright = cells if side in ("top", "bottom") else cells.T
    depth = max(1, round(share * len(upright)))
    return upright[:depth] if side in ("top", "left") else upright[-depth:]


def _backdrop(colours: Floats) -> Floats:
    """The colour behind each cell: from the left end of its row to the right one, if these are
    alike; else one of them has a subject in it, and the median of the row stands for all.
    """
    width = colours.shape[1]
    end = max(1, width // 12)
    left = np.median(colours[:, :end], axis=1, keepdims=True)
    right = np.median(colours[:, -end:], axis=1, keepdims=True)
    across = np.linspace(0, 1, width)[None, :, None]
    is_alike = _distance(left, right)[..., None] < _ALIKE
    middle = np.median(colours, axis=1, keepdims=True)
    return np.where(is_alike, left + (right - left) * across, middle)


def _otsu(values: Floats) -> float:
    """The threshold that parts values into the two classes with the least variance within (N. Otsu
    1979), on a histogram of 64 bins.
    """
    counts, edges = np.histogram(values, bins=64)
    middles = (edges[:-1] + edges[1:]) / 2
    below, above = counts.cumsum(), counts.sum() - counts.cumsum()
    sums = (counts * middles).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(between)]) if np.isfinite(between).any() else 0.0


def _is_framed(lines: NDArray[np.float32], depth: int) -> bool:
    """Whether even lines of one colour at the beginning end in a step."""
    first = float(np.median(lines[0]))
    odd = np.abs(lines[: depth + 1] - first).max(axis=1) > _FRAME_EVEN
    if odd[0] or not odd.any():
        return False
    # A frame that was painted is soft: the step may take a line more.
    end = int(odd.argmax())
    step = np.abs(lines[end : end + 2] - first).max(axis=0)
    return float((step >= _FRAME_STEP).mean()) >= _FRAME_SHARE


def _blur(grey: NDArray[np.float32]) -> float:
    """The blur from 0 to 1 from row to row."""
    if len(grey) < 2:
        return 1.0
    padded = np.pad(grey, ((_BLUR // 2 + 1, _BLUR // 2), (0, 0)), mode="edge").cumsum(
        axis=0, dtype=np.float64
    )
    softened = (padded[_BLUR:] - padded[:-_BLUR]) / _BLUR
    before = np.abs(np.diff(grey, axis=0))
    lost = np.maximum(0, before - np.abs(np.diff(softened, axis=0)))
    total = float(before.sum())
    return (total - float(lost.sum())) / total if total else 1.0
