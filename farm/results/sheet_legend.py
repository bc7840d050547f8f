"""The legend of a contact sheet: how many of its cells are in each state, and how many have each
mark.
"""

from collections.abc import Mapping

from PIL import Image

from farm.results.lettering import Lettering
from farm.results.sheet_cells import FAINT, CellState, draw_state
from farm.results.sheet_layout import GAP
from farm.results.sheet_marks import Entry, Mark, draw_mark

_SWATCH = 12  # pixels a side


def legend_height(entries: Mapping[Entry, int], lettering: Lettering, width: int) -> int:
    places = _places(entries, lettering, width)
    return places[-1][1] + lettering.line if places else 0


def draw_legend(
    image: Image.Image,
    corner: tuple[int, int],
    width: int,
    entries: Mapping[Entry, int],
    lettering: Lettering,
) -> None:
    for x, y, entry in _places(entries, lettering, width):
        left, top = corner[0] + x, corner[1] + y
        swatch = (left, top + 1, left + _SWATCH, top + 1 + _SWATCH)
        if isinstance(entry, CellState):
            draw_state(image, swatch, entry)
        else:
            draw_mark(image, swatch, entry)
        lettering.draw(image, left + _SWATCH + GAP, top, _words(entry, entries[entry]), FAINT)


def _places(
    entries: Mapping[Entry, int], lettering: Lettering, width: int
) -> list[tuple[int, int, Entry]]:
    """The place of each entry, from the legend's upper left corner: states, marks, rules."""
    rules = sorted(entry for entry in entries if not isinstance(entry, CellState | Mark))
    places, x, y = [], 0, 0
    for entry in (*CellState, *Mark, *rules):
        if count := entries.get(entry, 0):
            room = _SWATCH + int(lettering.width(f" {_words(entry, count)}")) + 6 * GAP
            if x and x + room > width:
                x, y = 0, y + lettering.line
            places.append((x, y, entry))
            x += room
    return places


def _words(entry: Entry, count: int) -> str:
    is_rule = not isinstance(entry, CellState | Mark)
    return f"{count:,} fail {entry}" if is_rule else f"{count:,} {entry}"
