"""The legend of a contact sheet: how many of its cells are in each state."""

from collections.abc import Mapping

from PIL import Image

from farm.results.lettering import Lettering
from farm.results.sheet_cells import FAINT, CellState, draw_state
from farm.results.sheet_layout import GAP

_SWATCH = 12  # pixels a side


def legend_height(states: Mapping[CellState, int], lettering: Lettering, width: int) -> int:
    places = _places(states, lettering, width)
    return places[-1][1] + lettering.line if places else 0


def draw_legend(
    image: Image.Image,
    corner: tuple[int, int],
    width: int,
    states: Mapping[CellState, int],
    lettering: Lettering,
) -> None:
    for x, y, state in _places(states, lettering, width):
        left, top = corner[0] + x, corner[1] + y
        draw_state(image, (left, top + 1, left + _SWATCH, top + 1 + _SWATCH), state)
        lettering.draw(image, left + _SWATCH + GAP, top, _words(state, states[state]), FAINT)


def _places(
    states: Mapping[CellState, int], lettering: Lettering, width: int
) -> list[tuple[int, int, CellState]]:
    """The place of each state's entry, from the legend's upper left corner."""
    places, x, y = [], 0, 0
    for state in CellState:
        if count := states.get(state, 0):
            room = _SWATCH + int(lettering.width(f" {_words(state, count)}")) + 6 * GAP
            if x and x + room > width:
                x, y = 0, y + lettering.line
            places.append((x, y, state))
            x += room
    return places


def _words(state: CellState, count: int) -> str:
    return f"{count:,} {state}"
