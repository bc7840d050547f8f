"""The contact sheet: what is where, what it says, and how large it may get."""

import io
from dataclasses import replace as replaced

import numpy as np
import pytest
from PIL import Image

from actors.pictures.files import write
from actors.recipes.encoding import Encoding
from farm.results.lettering import Lettering
from farm.results.sheet import _plan, draw_page
from farm.results.sheet_axes import constants, guidance_line, sheet_axes
from farm.results.sheet_cells import LOOKS, Cell, CellState, cells_of, draw_cell
from farm.results.sheet_layout import (
    MAX_PIXELS,
    MAX_SIDE,
    Dimension,
    choose_grid,
    distinct_names,
    told_apart,
)
from farm.results.sheet_pages import Pages
from storage.errors import NotFound
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from tests.campaigns import expansion

LONG = (
    "a product photo of a red enamel mug with a white rim, on a wooden table, in the light of the"
    " morning, seen from above"
)


class Pictures:
    """Outputs whose pictures are of one colour, a shade of red for each number."""

    def __init__(self, size=(64, 64)):
        self.size = size

    def open(self, key):
        if key == "gone":
            raise NotFound("It is not there.")
        if key == "damaged":
            return io.BytesIO(b"\x89PNG")
        pixels = np.full((self.size[1], self.size[0], 3), (int(key) % 256, 250, 250), np.uint8)
        return io.BytesIO(write(pixels, {}, "", Encoding()))


def done(number):
    return Cell(state=CellState.DONE, key=str(number))


def drawn(cell_of=done, size=(64, 64), **changes):
    plan = expansion(settings={"size": f"{size[0]}x{size[1]}"}, **changes)
    return draw_page(plan, whole(plan), cell_of, Pictures(size)), planned(plan)


def whole(plan):
    return Pages(sheet_axes(plan)).page(0)


def planned(plan):
    return _plan(plan, whole(plan))[0]


def axis(*sizes):
    return [Dimension(f"d{k}", tuple(map(str, range(size)))) for k, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "rows", "columns", "lines"),
    [
        ((), 1, 1, 1),
        ((3,), 1, 3, 1),
        ((600,), 1, 30, 20),
        ((600, 4), 1, 60, 40),
        ((3, 4), 3, 4, 1),
        ((4, 3, 4, 2), 12, 8, 1),
        ((2, 600), 2, 43, 14),
        ((2, 2, 2, 2, 2, 3), 8, 12, 1),
    ],
)
def test_a_grid_is_nearly_a_page(sizes, rows, columns, lines):
    grid = choose_grid(axis(*sizes), 1.0)
    assert (grid.down, grid.columns_per_line, grid.lines) == (rows, columns, lines)


@pytest.mark.parametrize("sizes", [(), (1,), (7,), (600,), (3, 50), (5, 2, 3), (2, 600)])
def test_every_cell_of_a_grid_has_a_place_of_its_own(sizes):
    grid = choose_grid(axis(*sizes), 0.8)
    places = {grid.place(number) for number in range(grid.down * grid.across)}
    assert len(places) == grid.down * grid.across
    assert all(
        line < grid.lines and row < grid.down and column < grid.columns_per_line
        for line, row, column in places
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"vary": {}, "prompt": "a mug", "seeds": [4294967295]},
        {"prompt": "{product}", "vary": {"product": ["mug", "lamp", "box"]}, "seeds": [7]},
        {
            "prompt": "{product}",
            "vary": {"product": [f"{LONG} {k}" for k in range(50)]},
            "seeds": [7, 8],
        },
        {"vary": {"product": ["赤い", "עברית"], "color": ["красный", "😀"]}},
        {"seeds": {"count": 3, "per": ["product"]}},
        {"skip": [{"product": "mug"}]},
        {
            "prompt": "{a}{b}{c}",
            "vary": {
                "a": ["x", "y"],
                "b": ["r", "s"],
                "c": ["m", "n"],
                "guidance": [2.0, 3.0],
                "steps": [10, 20],
            },
        },
    ],
)
def test_every_picture_is_in_its_place_and_no_two_lie_on_each_other(changes):
    sheet, plan = drawn(**changes)
    pixels = np.asarray(sheet)
    assert sheet.size == plan.size
    for number in range(plan.grid.down * plan.grid.across):
        x, y = plan.corner(number)
        middle = pixels[y + plan.picture[1] // 2, x + plan.cell_width // 2]
        assert tuple(middle) == (number % 256, 250, 250)


def test_one_axis_of_600_values_is_a_page():
    plan = planned(
        expansion(
            prompt="{product}", vary={"product": [f"thing {k}" for k in range(600)]}, seeds=[7]
        )
    )
    assert 0.6 < plan.size[0] / plan.size[1] < 2


@pytest.mark.parametrize(
    "changes",
    [
        {
            "prompt": "{product}",
            "vary": {"product": [f"{LONG} {k}" for k in range(1500)]},
            "seeds": [7],
        },
        {
            "prompt": "{a} {b}",
            "vary": {
                "a": [f"{k} {LONG}" for k in range(60)],
                "b": [f"{LONG} {k}" for k in range(60)],
            },
            "seeds": [7],
        },
        {"prompt": "a", "vary": {}, "seeds": {"count": 10_000}},
        {
            "prompt": "{a}",
            "vary": {"a": ["x" * 3000 + str(k) for k in range(20)]},
            "settings": {"size": "2048x64"},
        },
    ],
)
def test_a_sheet_stays_within_bounds(changes):
    plan = planned(expansion(**changes))
    assert max(plan.size) <= MAX_SIDE
    assert plan.size[0] * plan.size[1] <= MAX_PIXELS
    innermost = [labels for labels in (*plan.row_labels, *plan.column_labels) if len(labels) > 1]
    assert all(len({tuple(lines) for lines in labels}) == len(labels) for labels in innermost)


def test_labels_that_are_cut_are_told_apart_by_what_differs():
    lettering = Lettering(11)
    same = [f"{LONG}, variant {k}" for k in range(3)]
    cut = told_apart(same, 100, lettering, 2)
    assert [" ".join(lines).split()[-1] for lines in cut] == ["0", "1", "2"]
    assert all(lines[0].startswith("…") and len(lines) <= 2 for lines in cut)
    # Those that fit stay whole, and those that differ early show their beginning.
    assert told_apart(["mug", LONG], 100, lettering, 1)[0] == ["mug"]
    assert [
        lines[0][:3] for lines in told_apart([f"red {LONG}", f"blu {LONG}"], 100, lettering, 1)
    ] == ["red", "blu"]
    nested = [" ".join(LONG.split()[:count]) for count in range(1, 24)]
    assert len({tuple(lines) for lines in told_apart(nested, 60, lettering, 1)}) == len(nested)
    assert told_apart([LONG, LONG], 60, lettering, 1)[0] == told_apart([LONG], 60, lettering, 1)[0]


def test_files_of_one_name_are_told_apart_by_their_folders():
    assert distinct_names([("/", "a", "x.png"), ("/", "a", "y.png")]) == ["x.png", "y.png"]
    assert distinct_names([("/", "a", "x.png"), ("/", "b", "x.png")]) == ["a/x.png", "b/x.png"]
    assert distinct_names([("x",), ("x",)]) == ["x", "x"]


def test_seeds_are_whole_wherever_they_stand():
    for changes in ({"seeds": [5, 4294967295]}, {"seeds": [4294967295]}, {"seeds": {"count": 2}}):
        plan = expansion(**changes)
        shown = constants(plan, sheet_axes(plan)) + " ".join(
            "".join(lines) for labels in planned(plan).column_labels for lines in labels
        )
        assert all(str(seed) in shown for seed in plan.locked_seeds)
    # Where they differ from shot to shot, they stand under each picture, whole in however small a
    # cell.
    small = planned(expansion(seeds={"count": 2, "per": ["product"]}, settings={"size": "16x16"}))
    assert "4294967295" in small.caption.wrap("#17 seed 4294967295", small.cell_width)


def test_axes_of_one_value_are_said_once():
    plan = expansion(vary={"product": ["mug"], "color": ["red"], "guidance": [3.0]}, seeds=[7])
    assert (
        constants(plan, sheet_axes(plan)) == "product: mug · color: red · guidance: 3.0 · seed 7"
    )


def test_every_state_looks_unlike_the_others_even_without_colour():
    looks = {}
    for state in set(CellState) - {CellState.DONE, CellState.NONE}:
        image = Image.new("RGB", (128, 128))
        draw_cell(image, (0, 0, 128, 128), Cell(state=state, why="out of memory"), Lettering(11))
        looks[state] = np.asarray(image.convert("L")).astype(int)
    for state, look in looks.items():
        for other in set(looks) - {state}:
            edges, others = (
                np.abs(np.diff(pixels, axis=1)) > 12 for pixels in (look, looks[other])
            )
            assert (edges != others).sum() > 40, (state, other)
    assert len({look.fill for look in LOOKS.values()}) == len(LOOKS) - 1


def test_pictures_that_cannot_be_read_are_shown_as_missing():
    sheet, plan = drawn(
        lambda number: Cell(state=CellState.DONE, key=["gone", "damaged", "7"][number % 3])
    )
    x, y = plan.corner(0)
    assert sheet.getpixel((x + 2, y + 2)) == LOOKS[CellState.LOST].fill
    x, y = plan.corner(1)
    assert sheet.getpixel((x + 2, y + 2)) == LOOKS[CellState.LOST].fill


def test_a_light_picture_has_an_edge():
    sheet, plan = drawn()
    x, y = plan.corner(0)
    x += (plan.cell_width - plan.picture[0]) // 2
    assert min(sheet.getpixel((x - 1, y + 5))) < 220
    assert min(sheet.getpixel((x + plan.picture[0], y + 5))) < 220


def test_pictures_of_several_sizes_all_fit_into_their_cells():
    plan = planned(
        expansion(vary={"product": ["mug"], "color": ["red"], "size": ["64x128", "128x64"]})
    )
    assert plan.picture == (128, 128)


class Row:
    cancelled_at = None
    released = None


def test_a_render_is_where_its_outcome_says():
    plan = expansion(skip=[{"product": "mug", "color": "red"}])
    outcome = RenderOutcome(
        number=3, digest="d", state=RenderState.HELD, reason=Reason.OUT_OF_MEMORY
    )
    ended = [
        outcome,
        replaced(
            outcome,
            number=4,
            state=RenderState.FAILED,
            reason=Reason.BAD_REQUEST,
            detail="Too long.",
        ),
        replaced(outcome, number=5, state=RenderState.DONE, key="k"),
        replaced(outcome, number=6, state=RenderState.CANCELLED),
    ]
    cell_of = cells_of(Row, plan, ended, [])
    assert [cell_of(number).state.value for number in (0, 3, 4, 5, 6, 7)] == [
        "skipped",
        "held",
        "failed",
        "done",
        "cancelled",
        "waiting",
    ]
    assert (cell_of(3).why, cell_of(4).why, cell_of(5).key) == (
        "out of memory",
        "bad request: Too long.",
        "k",
    )
    over = Row()
    over.cancelled_at = 1.0
    assert cells_of(over, plan, ended, [])(7).state is CellState.CANCELLED


def test_rows_with_fewer_seeds_leave_their_places_empty():
    rows = [{"product": "mug", "seed": "1, 2"}, {"product": "box", "seed": "3"}]
    plan = expansion(prompt="{product}", vary={"row": rows}, seeds=[1], skip=[{"seed": 2}])
    cell_of = cells_of(Row, plan, [], [])
    assert [cell_of(number).state for number in range(4)] == [
        CellState.WAITING,
        CellState.SKIPPED,
        CellState.WAITING,
        CellState.NONE,
    ]
    assert [dimension.labels for dimension in whole(plan).dimensions] == [
        ("mug", "box"),
        ("seed no. 1", "seed no. 2"),
    ]
    sheet = draw_page(plan, whole(plan), cell_of, Pictures())
    x, y = planned(plan).corner(3)
    assert sheet.getpixel((x + 5, y + 5)) == LOOKS[CellState.NONE].fill


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "guidance 5 (standard)"),
        (
            {"vary": {"guidance": [0.5, 3.0]}, "prompt": "a mug"},
            "guidance 0.5 (none at this number) to 3 (standard)",
        ),
    ],
)
def test_a_sheet_says_how_its_pictures_are_guided(changes, words):
    assert guidance_line(expansion(**changes)) == words
