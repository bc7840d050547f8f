"""Small marks on a cell of a contact sheet: failed rules, drift, the verdict of a review, and the
version of its picture.
"""

from collections.abc import Iterator
from enum import StrEnum

from PIL import Image, ImageDraw

from farm.results.lettering import Color, Lettering
from farm.results.sheet_cells import INK, LOOKS, PAPER, Box, Cell, CellState
from storage.states import Verdict


class Mark(StrEnum):
    """What a mark says, in the order of the legend."""

    APPROVED = "approved by review"
    REJECTED = "rejected by review"
    VERSION = "painted again (v2, v3 …)"
    DRIFT = "with their drift (0 to 1)"
    DRIFTED = "with a drift beyond the limit"


Entry = CellState | Mark | str
"""An entry of the legend: a state, a mark, or the name of a rule that pictures fail."""

_RULE: Color = (200, 30, 90)
_DRIFTED: Color = (253, 224, 150)
_COLORS: dict[Mark, Color] = {
    Mark.APPROVED: (34, 128, 66),
    Mark.REJECTED: (190, 44, 36),
    Mark.VERSION: (52, 78, 134),
    Mark.DRIFT: PAPER,
    Mark.DRIFTED: _DRIFTED,
}
_CORNER = 18  # pixels: the largest mark of a failed rule
_DISC = 16  # pixels: the largest mark of a verdict
_SQUARE = 8  # pixels: a mark that has no room for its words
_PART = 3  # a mark covers at most a third of a side


def entries_of(cell: Cell) -> Iterator[Entry]:
    """What the legend must explain because of a cell."""
    yield cell.state
    yield from cell.failed_rules
    if cell.verdict is not None:
        yield _VERDICTS[cell.verdict]
    if cell.version > 1:
        yield Mark.VERSION
    if cell.drift is not None:
        yield Mark.DRIFTED if cell.has_drifted else Mark.DRIFT


def draw_marks(image: Image.Image, box: Box, cell: Cell) -> None:
    """Mark the picture in a box: a corner if it fails a rule of its brand, an edge if it is
    held.
    """
    left, top, right, bottom = box
    pen = ImageDraw.Draw(image)
    if cell.state is CellState.HELD:
        pen.rectangle([left, top, right - 1, bottom - 1], outline=LOOKS[cell.state].line, width=2)
    if cell.failed_rules:
        size = max(4, min(_CORNER, (right - left) // _PART, (bottom - top) // _PART))
        _draw_rule(image, (right - size, top, right, top + size))


def draw_notes(image: Image.Image, box: Box, cell: Cell, lettering: Lettering) -> None:
    """Its version in the upper left corner of a box, the verdict in the lower left and its drift
    in the lower right one.
    """
    left, top, right, bottom = box
    used = 0
    if cell.version > 1:
        _draw_words(image, (left, top, right, bottom), f"v{cell.version}", Mark.VERSION, lettering)
    if cell.verdict is not None:
        used = max(6, min(_DISC, (right - left) // _PART, (bottom - top) // _PART))
        corner = (left + 1, bottom - 1 - used, left + 1 + used, bottom - 1)
        _draw_verdict(image, corner, _VERDICTS[cell.verdict])
    if cell.drift is not None:
        mark = Mark.DRIFTED if cell.has_drifted else Mark.DRIFT
        _draw_words(image, (left + used, top, right, bottom), f"{cell.drift:.2f}", mark, lettering)


def draw_mark(image: Image.Image, box: Box, entry: Mark | str) -> None:
    """A mark as the legend shows it."""
    if entry in (Mark.APPROVED, Mark.REJECTED):
        _draw_verdict(image, box, Mark(entry))
    elif isinstance(entry, Mark):
        left, top, right, bottom = box
        ImageDraw.Draw(image).rectangle(
            [left, top + 2, right - 1, bottom - 3], fill=_COLORS[entry], outline=INK
        )
    else:
        _draw_rule(image, box)


_VERDICTS = {Verdict.APPROVED: Mark.APPROVED, Verdict.REJECTED: Mark.REJECTED}


def _draw_rule(image: Image.Image, box: Box) -> None:
    """The upper right half of a square."""
    left, top, right, bottom = box
    corners = [(left, top), (right - 1, top), (right - 1, bottom - 1)]
    ImageDraw.Draw(image).polygon(corners, fill=_RULE, outline=PAPER)


def _draw_verdict(image: Image.Image, box: Box, mark: Mark) -> None:
    """A tick or a cross on a disc."""
    left, top, right, bottom = box
    pen, size = ImageDraw.Draw(image), right - left
    pen.ellipse([left, top, right - 1, bottom - 1], fill=_COLORS[mark], outline=PAPER)
    strokes = (
        [[(0.25, 0.52), (0.44, 0.7), (0.74, 0.3)]]
        if mark is Mark.APPROVED
        else [[(0.3, 0.3), (0.68, 0.68)], [(0.3, 0.68), (0.68, 0.3)]]
    )
    for stroke in strokes:
        points = [(left + x * size, top + y * size) for x, y in stroke]
        pen.line(points, PAPER, max(1, size // 7))


def _draw_words(
    image: Image.Image, box: Box, words: str, mark: Mark, lettering: Lettering
) -> None:
    """Words on a small field: a version in the upper left corner of a box, all else in the lower
    right one. Without room for them, an empty square, or nothing for a drift within the limit.
    """
    left, top, right, bottom = box
    width, height = int(lettering.width(words)) + 5, lettering.line
    is_version = mark is Mark.VERSION
    has_room = width <= right - left and 2 * height <= bottom - top
    if not has_room and mark is Mark.DRIFT:
        return
    if not has_room:
        width = height = max(2, min(_SQUARE, (right - left) // _PART, (bottom - top) // _PART))
    x, y = (left, top) if is_version else (right - width, bottom - height)
    field = [x, y, x + width - 1, y + height - 1]
    ImageDraw.Draw(image).rectangle(field, fill=_COLORS[mark], outline=PAPER)
    if has_room:
        lettering.draw(image, x + 2, y, words, PAPER if is_version else INK)
