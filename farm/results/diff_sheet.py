"""The picture of a comparison: changed cells two by two, the old one on the left and the new one
on the right.
"""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log, prod

from PIL import Image, ImageDraw

from farm.results.lettering import Lettering
from farm.results.sheet_cells import (
    FAINT,
    INK,
    PAPER,
    Cell,
    CellState,
    draw_cell,
    draw_picture,
    read_cell,
)
from farm.results.sheet_layout import GAP, MAX_PIXELS, MAX_SIDE, shapes
from farm.results.sheet_legend import draw_legend, legend_height
from farm.results.sheet_marks import Entry, draw_marks
from storage.errors import RequestError
from storage.store import Outputs

MAX_PAIRS = 1_000  # of more, words and pictures would be too small to be read

_CAPTION = 11  # pixels: the smallest letters that can be read
_TITLE = 18  # pixels
_TITLE_LINES = 4
_MARGIN = 2 * GAP
_BETWEEN = 5 * GAP  # from one pair to the next, so that each is seen as one
_PAGE = 1.5  # half as wide again as high
_LEAST_WIDTH = 640  # of the picture, so that its title has room
_LEAST_CELL = 120  # pixels: under two of them stand some words
_LABEL_LINES = 2
_CHANGE_LINES = 6
_FEWEST_LINES = 2  # of what changed, if there is little room
_RULE = (226, 226, 222)


@dataclass(frozen=True, kw_only=True)
class PairOfCells:
    """What stands side by side, the name of the cell, and what changed in it, in words."""

    old: Cell
    new: Cell
    label: str
    changes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """The place and size of each part, in pixels."""

    title: Sequence[str]
    texts: Sequence[tuple[list[str], list[str]]]
    """Under each pair: the lines of its label, and those of what changed."""
    picture: tuple[int, int]
    cell_width: int
    top: int
    caption: Lettering

    @cached_property
    def tile(self) -> tuple[int, int]:
        """A pair with its texts and the space to the next."""
        lines = max((len(label) + len(changes) for label, changes in self.texts), default=0)
        return (
            2 * self.cell_width + GAP + _BETWEEN,
            self.picture[1] + GAP + lines * self.caption.line + _BETWEEN,
        )

    @cached_property
    def columns(self) -> int:
        """As many as make it most like a page."""
        count, (width, height) = len(self.texts), self.tile
        return min(
            range(1, count + 1),
            key=lambda k: abs(log(k * width / (ceil(count / k) * height) / _PAGE)),
            default=1,
        )

    @cached_property
    def size(self) -> tuple[int, int]:
        rows = ceil(len(self.texts) / self.columns)
        width, height = (
            self.columns * self.tile[0] - _BETWEEN,
            max(0, rows * self.tile[1] - _BETWEEN),
        )
        return max(width + 2 * _MARGIN, _LEAST_WIDTH), self.top + height + _MARGIN

    @property
    def fits(self) -> bool:
        return max(self.size) <= MAX_SIDE and prod(self.size) <= MAX_PIXELS

    def corner(self, place: int) -> tuple[int, int]:
        row, column = divmod(place, self.columns)
        return _MARGIN + column * self.tile[0], self.top + row * self.tile[1]


def draw_pairs(
    pairs: Sequence[PairOfCells], title: Sequence[str], size: tuple[int, int], outputs: Outputs
) -> bytes:
    """A PNG of pairs whose pictures are at most of this size. Raises RequestError if they do not
    fit into one picture.
    """
    plan = _plan(pairs, title, size)
    image = Image.new("RGB", plan.size, PAPER)
    heading = Lettering(_TITLE)
    for k, line in enumerate(plan.title):
        heading.draw(image, _MARGIN, GAP + k * heading.line, line, INK if k == 0 else FAINT)
    states: Counter[Entry] = Counter()
    for place, pair in enumerate(pairs):
        states.update(_draw_pair(image, plan, place, pair, outputs))
    draw_legend(
        image,
        (_MARGIN, 2 * GAP + len(plan.title) * heading.line),
        image.width - 2 * _MARGIN,
        states,
        plan.caption,
    )
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _plan(pairs: Sequence[PairOfCells], title: Sequence[str], size: tuple[int, int]) -> _Plan:
    """The plan of the largest pictures that fit."""
    caption, heading = Lettering(_CAPTION), Lettering(_TITLE)
    expected = {cell.state for pair in pairs for cell in (pair.old, pair.new)} | {CellState.LOST}
    legend = legend_height(
        dict.fromkeys(expected, 2 * len(pairs)), caption, _LEAST_WIDTH - 2 * _MARGIN
    )
    lines = [
        line
        for text in title
        for line in heading.wrap(text, _LEAST_WIDTH - 2 * _MARGIN, _TITLE_LINES)
    ]
    top = 2 * GAP + len(lines) * heading.line + legend + 2 * GAP
    for picture, cell_width, most in shapes(size, 2 * len(pairs) or 1, _LEAST_CELL):
        texts = [
            _texts(
                pair, caption, 2 * cell_width + GAP, max(_FEWEST_LINES, min(most, _CHANGE_LINES))
            )
            for pair in pairs
        ]
        plan = _Plan(
            title=lines,
            texts=texts,
            picture=picture,
            cell_width=cell_width,
            top=top,
            caption=caption,
        )
        if plan.fits:
            return plan
    raise RequestError(
        f"{len(pairs):,} pairs do not fit into one picture: draw fewer, with a limit."
    )


def _texts(
    pair: PairOfCells, caption: Lettering, width: int, most: int
) -> tuple[list[str], list[str]]:
    changes = [line for words in pair.changes for line in caption.wrap(words, width, 2)]
    if len(changes) > most:
        changes = [*changes[: most - 1], "…"]
    return caption.wrap(pair.label, width, _LABEL_LINES), changes


def _draw_pair(
    image: Image.Image, plan: _Plan, place: int, pair: PairOfCells, outputs: Outputs
) -> Iterable[CellState]:
    (x, y), (_, height) = plan.corner(place), plan.picture
    states = []
    for k, given in enumerate((pair.old, pair.new)):
        cell, picture = read_cell(outputs, given)
        left = x + k * (plan.cell_width + GAP)
        box = (left, y, left + plan.cell_width, y + height)
        if picture is None:
            draw_cell(image, box, cell, plan.caption)
        else:
            draw_marks(image, draw_picture(image, box, picture), cell)
        states.append(cell.state)
    label, changes = plan.texts[place]
    y += height + GAP
    for k, line in enumerate((*label, *changes)):
        plan.caption.draw(
            image, x, y + k * plan.caption.line, line, INK if k < len(label) else FAINT
        )
    bottom = (
        plan.corner(place)[1] + plan.tile[1] - _BETWEEN // 2
    )  # outside the picture, of the last row
    ImageDraw.Draw(image).line([(x, bottom), (x + 2 * plan.cell_width + GAP, bottom)], _RULE)
    return states
