"""The contact sheet: a campaign's pictures in a grid whose rows and columns are named by its
axes.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import ceil

from PIL import Image, ImageDraw

from actors.pictures.rules import RULES
from farm.campaign.expansion import Expansion
from farm.campaign.seeds import SEED_LIMIT
from farm.results.lettering import Lettering
from farm.results.sheet_axes import constants, guidance_line, sheet_axes
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
from farm.results.sheet_layout import GAP, SEED, Dimension, Plan, bare_plan, labelled, shapes
from farm.results.sheet_legend import draw_legend, legend_height
from farm.results.sheet_marks import Entry, draw_marks, draw_notes, entries_of
from farm.results.sheet_pages import Page
from storage.errors import RequestError
from storage.store import Outputs

_CAPTION = 11  # pixels: the smallest letters that can be read
_GROUPS = 1_000  # how many groups are asked for the size of their pictures
_TITLE_LINES = 4


def draw_page(
    expansion: Expansion, page: Page, cell_of: Callable[[int], Cell], outputs: Outputs
) -> Image.Image:
    """A page of a sheet; `cell_of` gives the cell of a render by its number. Raises RequestError
    if its pictures and their labels do not fit into one picture.
    """
    marks = {entry for number in page.numbers for entry in entries_of(cell_of(number))}
    marks.discard(CellState.NONE)
    sheet = _Sheet(expansion, page, marks)
    entries: Counter[Entry] = Counter()
    for place, number in enumerate(page.numbers):
        cell, picture = read_cell(outputs, cell_of(number))
        if cell.state is CellState.NONE:
            continue
        entries.update(entries_of(cell))
        sheet.place(place, cell, picture)
    sheet.draw_legend(entries)
    return sheet.image


def _picture_size(expansion: Expansion) -> tuple[int, int]:
    """The largest width and the largest height of any picture, in pixels."""
    groups = [expansion.group(k) for k in range(min(expansion.groups, _GROUPS))]
    return max(group.width for group in groups), max(group.height for group in groups)


def _title(expansion: Expansion, page: Page) -> list[str]:
    named = f"{expansion.campaign.name} · {expansion.campaign.prompt}"
    single = constants(expansion, sheet_axes(expansion))
    said = " · ".join([*([single] if single else []), guidance_line(expansion)])
    return [named, said, *page.heading]


def _numbered(dimension: Dimension) -> Dimension:
    """Seeds by their places, which are shorter than they are."""
    if dimension.name != SEED:
        return dimension
    return replace(dimension, labels=tuple(f"no. {k + 1}" for k in range(len(dimension.labels))))


def _plan(
    expansion: Expansion, page: Page, marks: Collection[Entry] = ()
) -> tuple[Plan, list[str]]:
    """The first plan whose page is not too large, and the title in lines. Seeds are whole, unless
    there are thousands of them. `marks` are those that cells have.
    """
    entries = dict.fromkeys({*_possible_entries(expansion), *marks}, len(page.numbers))
    count, size, caption = len(page.numbers), _picture_size(expansion), Lettering(_CAPTION)
    title, widest = _title(expansion, page), _widest_caption(expansion, page)
    digits = [d.labels[-1].split()[-1] for d in page.dimensions if d.name == SEED]
    numbered = [_numbered(dimension) for dimension in page.dimensions]
    for shown, words in (
        (page.dimensions, [*widest.split(), *digits]),
        (numbered, widest.split()),
    ):
        for picture, cell_width, most in shapes(size, count, ceil(max(map(caption.width, words)))):
            lines = len(caption.wrap(widest, cell_width))
            bare = bare_plan(shown, picture, cell_width, lines, caption, most, page.split)
            if bare.fits:
                plan, told = _titled(labelled(bare, most), title, entries)
                if plan.fits:
                    return plan, told
    raise RequestError(
        "The campaign's pictures and their labels do not fit onto one sheet: lay two axes out as"
        " rows and columns, or export its pictures instead."
    )


def _titled(
    plan: Plan, title: Sequence[str], entries: Mapping[Entry, int]
) -> tuple[Plan, list[str]]:
    """A plan with room for its title and its legend, and the title in lines."""
    width = plan.size[0] - 4 * GAP
    lines = [line for text in title for line in plan.label.wrap(text, width, _TITLE_LINES)]
    legend = legend_height(entries, plan.caption, width)
    return replace(plan, top=GAP + len(lines) * plan.label.line + legend + 2 * GAP), lines


def _possible_entries(expansion: Expansion) -> set[Entry]:
    """What the legend may have to name, whatever the cells are: so a sheet keeps its size while a
    campaign is painted.
    """
    has_rules = expansion.brand is not None and expansion.brand.rules is not None
    states: set[Entry] = {state for state in CellState if state is not CellState.NONE}
    return states | (set(RULES) if has_rules else set())


def _widest_caption(expansion: Expansion, page: Page) -> str:
    """As wide as any caption of a page may be."""
    has_seeds = not expansion.locked_seeds or expansion.redos
    number = max((*page.numbers, *expansion.redos))
    return _caption(number, SEED_LIMIT - 1 if has_seeds else None)


def _caption(number: int, seed: int | None) -> str:
    return f"#{number}" if seed is None else f"#{number} seed {seed}"


class _Sheet:
    """The picture of a grid, its labels nested: the outermost axis once over all that it spans."""

    def __init__(self, expansion: Expansion, page: Page, marks: Collection[Entry]) -> None:
        self._expansion = expansion
        self._numbers = page.numbers
        self._plan, lines = _plan(expansion, page, marks)
        self.image = Image.new("RGB", self._plan.size, PAPER)
        self._pen = ImageDraw.Draw(self.image)
        for k, text in enumerate(lines):
            self._plan.label.draw(
                self.image, 2 * GAP, GAP + k * self._plan.label.line, text, FAINT
            )
        self._legend_top = 2 * GAP + len(lines) * self._plan.label.line
        for line in range(self._plan.grid.lines):
            self._label_columns(line)
            self._label_rows(line)

    def place(self, place: int, cell: Cell, picture: Image.Image | None) -> None:
        plan = self._plan
        (x, y), (_, height) = plan.corner(place), plan.picture
        number = self._numbers[place] if cell.number is None else cell.number
        self._write_caption(number, x, y + height)
        box = (x, y, x + plan.cell_width, y + height)
        if picture is None:
            draw_cell(self.image, box, cell, plan.caption)
        else:
            box = draw_picture(self.image, box, picture)
            draw_marks(self.image, box, cell)
        draw_notes(self.image, box, cell, plan.caption)

    def draw_legend(self, entries: Mapping[Entry, int]) -> None:
        width = self._plan.size[0] - 4 * GAP
        draw_legend(self.image, (2 * GAP, self._legend_top), width, entries, self._plan.caption)

    def _write_caption(self, number: int, x: int, y: int) -> None:
        plan, expansion = self._plan, self._expansion
        is_said = expansion.has(number) and (
            not expansion.locked_seeds or number in expansion.redos
        )
        seed = expansion.render(number)[1].seed if is_said else None
        for k, line in enumerate(plan.caption.wrap(_caption(number, seed), plan.cell_width)):
            plan.caption.draw(self.image, x, y + k * plan.caption.line, line, FAINT)

    def _label_columns(self, line: int) -> None:
        plan, y = self._plan, self._plan.line_tops[line]
        first, columns = line * plan.grid.columns_per_line, plan.grid.columns_per_line
        span = plan.grid.across
        for dimension, labels, height in zip(
            plan.grid.columns, plan.column_labels, plan.headers[line], strict=True
        ):
            span //= len(dimension.labels)
            for column in range(first, min(first + columns, plan.grid.across), span):
                x, width = plan.left + (column - first) * plan.step[0], span * plan.step[0] - GAP
                self._write(
                    labels[column // span % len(labels)],
                    x,
                    y,
                    width,
                    height - GAP,
                    is_centred=True,
                )
                if span > 1:
                    self._pen.line([(x, y + height - 3), (x + width, y + height - 3)], FAINT)
            y += height

    def _label_rows(self, line: int) -> None:
        plan, x, span = self._plan, 2 * GAP, self._plan.grid.down
        top = plan.line_tops[line] + sum(plan.headers[line])
        for dimension, labels, width in zip(
            plan.grid.rows, plan.row_labels, plan.row_widths, strict=True
        ):
            span //= len(dimension.labels)
            for row in range(0, plan.grid.down, span):
                y, height = top + row * plan.step[1], span * plan.step[1] - GAP
                self._write(labels[row // span % len(labels)], x, y, width - 4 * GAP, height)
                if span > 1:
                    self._pen.line([(x + width - 6, y), (x + width - 6, y + height)], FAINT)
            x += width

    def _write(
        self,
        lines: Sequence[str],
        x: int,
        y: int,
        width: int,
        height: int,
        *,
        is_centred: bool = False,
    ) -> None:
        """Lines of text in the middle of a height, and of a width too if centred."""
        label = self._plan.label
        y += max(0, height - len(lines) * label.line) // 2
        for k, text in enumerate(lines):
            indent = (width - label.width(text)) / 2 if is_centred else 0
            label.draw(self.image, x + indent, y + k * label.line, text, INK)
