"""The picture of a comparison: it stays within bounds, and every pair has a place of its own."""

import io

import pytest
from PIL import Image

from farm.results.diff_sheet import MAX_PAIRS, PairOfCells, _plan, draw_pairs
from farm.results.sheet_cells import LOOKS, Cell, CellState
from farm.results.sheet_layout import MAX_PIXELS, MAX_SIDE
from storage.errors import NotFound

LONG = (
    "guidance 5 -> 7",
    f'prompt: "{"a long text " * 5}" -> "{"another text " * 5}"',
    "steps 8 -> 12",
    "size 96x160 -> 512x512",
)


class Nothing:
    def open(self, key):
        raise NotFound("It is not there.")


def pair(changes=LONG, old=CellState.WAITING, new=CellState.FAILED):
    return PairOfCells(
        old=Cell(state=old, key="k"),
        new=Cell(state=new, key="k"),
        label="#3 -> #5 · mug, red -> blue",
        changes=changes,
    )


@pytest.mark.parametrize("count", [0, 1, 7, 100, MAX_PAIRS])
@pytest.mark.parametrize("size", [(64, 64), (1024, 1024), (2048, 256), (256, 2048)])
def test_a_picture_stays_within_bounds_and_no_two_pairs_lie_on_each_other(count, size):
    plan = _plan([pair()] * count, ["spring@1 on the left, spring@2 on the right"], size)
    assert max(plan.size) <= MAX_SIDE
    assert plan.size[0] * plan.size[1] <= MAX_PIXELS
    corners = [plan.corner(place) for place in range(count)]
    assert len(set(corners)) == count
    assert all(
        x + 2 * plan.cell_width < plan.size[0] and y + plan.picture[1] < plan.size[1]
        for x, y in corners
    )


def test_both_cells_of_a_pair_show_their_states():
    drawn = Image.open(
        io.BytesIO(draw_pairs([pair(new=CellState.DONE)], ["a", "b"], (128, 128), Nothing()))
    )
    colors = {color for _, color in drawn.getcolors(1 << 24)}
    assert {LOOKS[CellState.WAITING].fill, LOOKS[CellState.LOST].fill} <= colors


def test_many_changes_give_way_to_an_ellipsis():
    plan = _plan([pair(changes=[f"setting {k} -> {k + 1}" for k in range(20)])], ["a"], (128, 128))
    assert plan.texts[0][1][-1] == "…"
    assert len(plan.texts[0][1]) == 6
