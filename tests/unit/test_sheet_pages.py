"""Pages of a contact sheet: every render is on one, in the row and the column of its values."""

import io
import re
from itertools import product

import numpy as np
import pytest
from PIL import Image

from farm.results.lettering import Lettering
from farm.results.sheet import _plan, draw_page
from farm.results.sheet_axes import matrix_of, sheet_axes
from farm.results.sheet_cells import Cell, CellState
from farm.results.sheet_files import write_pdf
from farm.results.sheet_layout import MAX_PIXELS, MAX_SIDE, Dimension, choose_grid
from farm.results.sheet_marks import Mark, draw_notes
from farm.results.sheet_pages import MAX_CELLS, Matrix, Pages
from storage.errors import RequestError
from storage.states import Verdict
from tests.campaigns import expansion
from tests.unit.test_sheet import LONG, Pictures, done

SIX = {
    "prompt": "{a}{b}{c}{d}",
    "vary": {
        "a": ["x", "y"],
        "b": ["r", "s", "t"],
        "c": ["m", "n"],
        "d": ["k", "l"],
        "guidance": [2.0, 3.0],
        "steps": [10, 20],
    },
    "seeds": [7, 8],
}


def axes(**sizes):
    return [
        Dimension(name, tuple(f"{name}{k}" for k in range(size))) for name, size in sizes.items()
    ]


@pytest.mark.parametrize(
    ("sizes", "rows", "columns"),
    [
        ({"a": 2, "b": 3, "seed": 2}, "a", "b"),
        ({"a": 2, "b": 3, "c": 4, "d": 2, "seed": 2}, "d,a", "seed"),
        ({"a": 70, "b": 65, "seed": 3}, "b", "a"),
        ({"a": 40, "b": 40, "seed": 3}, "a,b", "seed"),
        ({"a": 1, "b": 5, "seed": 1}, "a", "b"),
        ({"a": 7, "seed": 400}, "a", ""),
        ({"seed": 10}, "", "seed"),
    ],
)
def test_every_render_is_on_one_page_in_the_row_and_column_of_its_values(sizes, rows, columns):
    named = [tuple(filter(None, names.split(","))) for names in (rows, columns)]
    given = axes(**sizes)
    pages = Pages(given, Matrix(rows=named[0], columns=named[1]))
    seen = []
    for k in range(pages.count):
        page = pages.page(k)
        grid = choose_grid(page.dimensions, 1.0, page.split)
        assert grid.across * grid.down == len(page.numbers) <= 900
        for place, number in enumerate(page.numbers):
            row, column = divmod(place, grid.across)
            shown = {*labels(grid.rows, row), *labels(grid.columns, column)}
            words = set(re.findall(r"\w+", " ".join((*shown, *page.heading))))
            assert set(values_of(given, number)) <= words
        seen.extend(page.numbers)
    assert sorted(seen) == list(range(len(list(product(*(range(n) for n in sizes.values()))))))


def labels(dimensions, place):
    for dimension in reversed(dimensions):
        place, k = divmod(place, len(dimension.labels))
        yield dimension.labels[k]


def values_of(given, number):
    """What a page must say of a render: the values of those axes that have several, unless the
    heading counts them.
    """
    for dimension in reversed(given):
        number, k = divmod(number, len(dimension.labels))
        if len(dimension.labels) > 1:
            yield dimension.labels[k]


def test_pages_without_a_matrix_follow_the_order_of_the_renders():
    for sizes in ({"a": 3, "seed": 4_000}, {"a": 25_000, "seed": 2}, {"seed": 1_000_000}):
        pages = Pages(axes(**sizes))
        numbers = [number for k in range(pages.count) for number in pages.page(k).numbers]
        assert numbers == list(range(len(numbers)))
        assert max(len(pages.page(k).numbers) for k in range(pages.count)) <= MAX_CELLS
        assert pages.count > 1
        assert pages.page(1).heading[0].startswith(f"page 2 of {pages.count}")
    (only,) = [Pages(axes(a=3, seed=2)).page(0)]
    assert (only.heading, only.split, list(only.numbers)) == ((), None, list(range(6)))


def test_a_campaign_of_a_million_has_pages_at_once():
    pages = Pages(axes(a=100, b=100, c=10, seed=10), Matrix(rows=("a",), columns=("b",)))
    assert pages.count == 100 * 4 * 4
    assert len(pages.page(pages.count - 1).numbers) == 25 * 25
    assert pages.page(pages.count - 1).heading == (
        "rows: a · columns: b",
        "page 1,600 of 1,600 · c: c9 · seed: seed9 · a: 76 to 100 of 100 · b: 76 to 100 of 100",
    )


def test_blocks_share_a_page_and_have_headings():
    plan = expansion(**SIX)
    given = sheet_axes(plan)
    pages = Pages(given, matrix_of(plan, given, "a", "b"))
    assert pages.count == 1
    page = pages.page(0)
    blocks = page.dimensions[page.split]
    assert len(blocks.labels) == 32
    assert blocks.labels[0] == "c: m · d: k · guidance: 2.0 · steps: 10 · seed: 7"
    layout, _ = _plan(plan, page)
    assert 0.5 < layout.size[0] / layout.size[1] < 3


@pytest.mark.parametrize(("rows", "columns"), [("a", "b"), ("d,b", "seed,a"), ("seed", "steps")])
def test_every_picture_of_a_matrix_is_in_its_place(rows, columns):
    plan = expansion(**SIX, settings={"size": "64x64"})
    given = sheet_axes(plan)
    pages = Pages(given, matrix_of(plan, given, rows, columns))
    for k in range(pages.count):
        page = pages.page(k)
        pixels, layout = np.asarray(draw_page(plan, page, done, Pictures())), _plan(plan, page)[0]
        for place, number in enumerate(page.numbers):
            x, y = layout.corner(place)
            middle = pixels[y + layout.picture[1] // 2, x + layout.cell_width // 2]
            assert tuple(middle) == (number % 256, 250, 250)


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        ("colour", "product", "rows: the campaign has no axis 'colour': did you mean 'color'?"),
        ("color", "xyz", "known are color, row, seed."),
        ("color", "color", "columns: the axis 'color' is named twice"),
        ("row,row", "", "rows: the axis 'row' is named twice"),
        ("product", "", "'product' is a column of the axis 'row': name that."),
    ],
)
def test_a_name_that_is_no_axis_is_refused_with_what_is_near(rows, columns, words):
    plan = expansion(
        vary={"row": [{"product": "mug"}, {"product": "box"}], "color": ["red", "blue"]}
    )
    with pytest.raises(RequestError) as refused:
        matrix_of(plan, sheet_axes(plan), rows, columns)
    assert words in str(refused.value)


def test_rows_alone_have_the_seeds_as_columns():
    plan = expansion(seeds=[7, 8])
    assert matrix_of(plan, sheet_axes(plan), "color", "") == Matrix(
        rows=("color",), columns=("seed",)
    )
    one = expansion(seeds=[7])
    assert matrix_of(one, sheet_axes(one), "", " color , product ").columns == ("color", "product")
    assert matrix_of(one, sheet_axes(one), "color", "").columns == ()
    assert matrix_of(one, sheet_axes(one), " ", ",") is None


def test_pages_of_long_and_hostile_labels_stay_within_bounds():
    names = [f"{LONG} {k}" for k in range(40)]
    odd = ["\u202egnp.exe\u202c", "שלום עולם", "مرحبا", "<b>x</b>", "a\u0301" * 300, "😀" * 50]
    plan = expansion(prompt="{a} {b}", vary={"a": names, "b": odd}, seeds=[1, 2])
    given = sheet_axes(plan)
    for rows, columns in (("a", "b"), ("b", "a"), ("a,b", "seed"), ("seed", "a,b")):
        pages = Pages(given, matrix_of(plan, given, rows, columns))
        for k in {0, pages.count - 1}:
            layout, _ = _plan(plan, pages.page(k))
            assert max(layout.size) <= MAX_SIDE
            assert layout.size[0] * layout.size[1] <= MAX_PIXELS


def test_every_mark_has_a_place_of_its_own():
    blank = np.asarray(noted(Cell(state=CellState.DONE)))
    changed = [
        np.argwhere((np.asarray(noted(cell)) != blank).any(axis=2)).mean(axis=0) > 64
        for cell in (
            Cell(state=CellState.DONE, version=2),
            Cell(state=CellState.DONE, verdict=Verdict.APPROVED),
            Cell(state=CellState.DONE, drift=0.31),
        )
    ]
    assert [tuple(place) for place in changed] == [(False, False), (True, False), (True, True)]
    drawn = {
        noted(cell).tobytes()
        for cell in (
            Cell(state=CellState.DONE, verdict=Verdict.APPROVED),
            Cell(state=CellState.DONE, verdict=Verdict.REJECTED),
            Cell(state=CellState.DONE, drift=0.31),
            Cell(state=CellState.DONE, drift=0.31, has_drifted=True),
            Cell(state=CellState.DONE, drift=0.32),
        )
    }
    assert len(drawn) == 5


def noted(cell, size=128):
    image = Image.new("RGB", (size, size), (90, 90, 90))
    draw_notes(image, (0, 0, size, size), cell, Lettering(11))
    return image


def test_marks_stay_inside_the_smallest_cells():
    cell = Cell(state=CellState.DONE, verdict=Verdict.REJECTED, drift=0.5, version=3)
    image = Image.new("RGB", (60, 60), (90, 90, 90))
    draw_notes(image, (20, 20, 30, 30), cell, Lettering(11))
    pixels = np.asarray(image).copy()
    pixels[20:30, 20:30] = 90
    assert (pixels == 90).all()


def test_a_drift_beyond_the_limit_is_seen_in_the_smallest_cells():
    plain, within, beyond, again = (
        noted(cell, 24).tobytes()
        for cell in (
            Cell(state=CellState.DONE),
            Cell(state=CellState.DONE, drift=0.1),
            Cell(state=CellState.DONE, drift=0.9, has_drifted=True),
            Cell(state=CellState.DONE, version=2),
        )
    )
    assert within == plain
    assert len({plain, beyond, again}) == 3


def test_the_legend_counts_the_marks_of_a_page():
    plan = expansion(seeds=[7])
    page = Pages(sheet_axes(plan)).page(0)
    plain, marked = (
        _plan(plan, page, marks)[0].size[1] for marks in ((), set(Mark) | {"palette@1"})
    )
    assert marked > plain
    first = draw_page(plan, page, done, Pictures())
    cells = {0: Verdict.APPROVED, 1: Verdict.REJECTED}
    second = draw_page(
        plan,
        page,
        lambda n: Cell(state=CellState.DONE, key=str(n), verdict=cells.get(n)),
        Pictures(),
    )
    assert first.size[1] <= second.size[1]
    assert first.tobytes() != second.tobytes()


def test_a_pdf_has_every_page_and_one_at_a_time_is_drawn():
    drawn, file = [], io.BytesIO()

    def pages():
        for k in range(3):
            drawn.append(len(file.getvalue()))
            yield Image.new("RGB", (120, 80), (k * 60, 0, 0))

    write_pdf(file, pages(), "spring")
    data = file.getvalue()
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert data.count(b"/Subtype /Image") == 3
    assert drawn[0] == 0 < drawn[1] < drawn[2] < len(data)
