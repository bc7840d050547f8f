"""How a contact sheet is laid out: which axes become rows, where a line of columns ends, and how
large everything is. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, log, prod

from farm.results.lettering import Lettering

SEED = "seed"
BLOCK = "block"
"""The name of a dimension whose labels are headings of matrices that stand on one page."""
MAX_SIDE = 12_000
MAX_PIXELS = 40_000_000  # 120 MB in memory, whoever asks
GAP = 4

_ASPECT = 1.5  # half as wide again as high
_PICTURE = 256  # the longest side of a picture on the sheet
_LEAST_WIDTH = 480  # of a sheet, so that its title has room
_LEAST_CELL = 72  # pixels: a number and a seed of ten digits stand under a picture that is smaller
_ROOMY = 1_000  # cells: of more, none is wider than its picture
_LABEL_LINES = (8, 4, 2, 1)
_SEED_LINES = 2  # "seed" and its digits: a seed is never cut
_LARGEST_LABEL = 22  # pixels
_ROW_LABEL = 160  # pixels that a label of a row has, however small the pictures are
_SHRINK = 0.85
# What breaking one line of columns into several costs, as a logarithm: a sheet three times as wide
# as it should be stays in one line.
_FOLDED, _WASTE = 1.2, 0.3
_FILLED = 0.8  # of the lines of a label, where words that do not fit go on to the next line
_WORD = 12  # letters: a word of at most this length is not cut at its beginning


@dataclass(frozen=True)
class Dimension:
    """One axis of the sheet: an axis of the campaign, or its seeds."""

    name: str
    labels: tuple[str, ...]

    def said(self, place: int) -> str:
        """A value with the name of its axis."""
        return f"{self.name}: {self.labels[place].removeprefix(f'{self.name} ')}"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cells in rows and columns. The columns may go on in further lines, each with all rows, as
    the words of a text do.
    """

    rows: tuple[Dimension, ...]
    columns: tuple[Dimension, ...]
    per_line: int
    """How many labels of the outermost columns stand in one line."""

    @cached_property
    def down(self) -> int:
        return cells(self.rows)

    @cached_property
    def across(self) -> int:
        return cells(self.columns)

    @cached_property
    def columns_per_line(self) -> int:
        return self.per_line * cells(self.columns[1:])

    @cached_property
    def lines(self) -> int:
        return ceil(self.across / self.columns_per_line)

    def place(self, number: int) -> tuple[int, int, int]:
        """The line, the row and the column of a cell."""
        row, column = divmod(number, self.across)
        line, column = divmod(column, self.columns_per_line)
        return line, row, column


def cells(dimensions: Iterable[Dimension]) -> int:
    return prod(len(dimension.labels) for dimension in dimensions)


def choose_grid(dimensions: Sequence[Dimension], ratio: float, split: int | None = None) -> Grid:
    """The grid of these dimensions that comes nearest to the form of a page; `ratio` is a cell's
    width by its height. With `split`, so many of them are rows.
    """
    folded = _FOLDED if split is None else 0  # blocks lose nothing by going on in another line

    def cost(grid: Grid) -> float:
        form = grid.columns_per_line * ratio / (grid.lines * grid.down)
        waste = grid.lines * grid.columns_per_line / grid.across - 1
        return abs(log(form / _ASPECT)) + (folded + _WASTE * waste if grid.lines > 1 else 0)

    splits = range(len(dimensions) + 1) if split is None else [split]
    return min((grid for rows in splits for grid in _grids(dimensions, rows, split)), key=cost)


def _grids(dimensions: Sequence[Dimension], row_count: int, split: int | None) -> Iterator[Grid]:
    rows, columns = tuple(dimensions[:row_count]), tuple(dimensions[row_count:])
    outer = len(columns[0].labels) if columns else 1
    can_fold = split is None or (columns and columns[0].name == BLOCK)
    for per_line in (
        # more would leave as many lines, and a larger gap
        {ceil(outer / lines) for lines in range(1, outer + 1)} if can_fold else {outer}
    ):
        yield Grid(rows=rows, columns=columns, per_line=per_line)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The place and size of each part of a sheet, in pixels. A label is a list of its lines."""

    grid: Grid
    picture: tuple[int, int]
    cell_width: int
    caption_lines: int
    label: Lettering
    caption: Lettering
    top: int
    """The top of the first line of columns, under title and legend."""
    column_labels: tuple[tuple[list[str], ...], ...]
    row_labels: tuple[tuple[list[str], ...], ...]
    row_widths: tuple[int, ...]

    @cached_property
    def step(self) -> tuple[int, int]:
        """From one cell to the next, to the right and down."""
        return (
            self.cell_width + GAP,
            self.picture[1] + self.caption_lines * self.caption.line + GAP,
        )

    @cached_property
    def left(self) -> int:
        return sum(self.row_widths) + 2 * GAP

    @cached_property
    def headers(self) -> list[list[int]]:
        """For each line of columns, the heights of the labels over it, the outermost first."""
        return [
            [self._height(level, line) for level in range(len(self.column_labels))]
            for line in range(self.grid.lines)
        ]

    def _height(self, level: int, line: int) -> int:
        labels, first = self.column_labels[level], line * self.grid.per_line if level == 0 else 0
        return (
            max(map(len, labels[first : first + self.grid.per_line if level == 0 else None]))
            * self.label.line
            + GAP
        )

    @cached_property
    def line_tops(self) -> list[int]:
        """The tops of the labels of each line of columns, and the end of the last line."""
        tops = [self.top]
        for line in range(self.grid.lines):
            tops.append(
                tops[-1]
                + sum(self.headers[line])
                + self.grid.down * self.step[1]
                + (3 * GAP if self.grid.lines > 1 else 0)
            )
        return tops

    @cached_property
    def size(self) -> tuple[int, int]:
        width = self.left + self.grid.columns_per_line * self.step[0] + GAP
        return max(width, _LEAST_WIDTH), self.line_tops[-1]

    @property
    def fits(self) -> bool:
        return max(self.size) <= MAX_SIDE and prod(self.size) <= MAX_PIXELS

    def corner(self, number: int) -> tuple[int, int]:
        """The upper left corner of a cell."""
        line, row, column = self.grid.place(number)
        return (
            self.left + column * self.step[0],
            self.line_tops[line] + sum(self.headers[line]) + row * self.step[1],
        )


def shapes(
    size: tuple[int, int], count: int, narrowest: int
) -> Iterator[tuple[tuple[int, int], int, int]]:
    """What to try for `count` pictures of a size, the best first: how large they are shown, the
    width of a cell, lines for a label.

    No cell is narrower than `narrowest`, or on a sheet of few cells, than what makes labels
    readable.
    """
    scale = min(1.0, _PICTURE / max(size), (MAX_PIXELS / (count * prod(size))) ** 0.5)
    room = max(narrowest, _LEAST_CELL if count <= _ROOMY else 0)
    for smaller in range(40):
        width, height = (max(8, int(side * scale * _SHRINK**smaller)) for side in size)
        for most in _LABEL_LINES if smaller < 3 else _LABEL_LINES[-1:]:
            yield (width, height), max(width, room), most


def bare_plan(
    dimensions: Sequence[Dimension],
    picture: tuple[int, int],
    cell_width: int,
    caption_lines: int,
    caption: Lettering,
    most: int,
    split: int | None = None,
) -> Plan:
    """The least that a sheet takes: labels as high as the shortest, and no title."""
    step = picture[1] + caption_lines * caption.line + GAP
    grid = choose_grid(dimensions, (cell_width + GAP) / step, split)
    label = Lettering(max(caption.size, min(_LARGEST_LABEL, picture[1] // 8)))
    columns = [
        (label.wrap(min(dimension.labels, key=len), width, lines),) * len(dimension.labels)
        for dimension, width, lines in _columns(grid, cell_width, most)
    ]
    return Plan(
        grid=grid,
        picture=picture,
        cell_width=cell_width,
        caption_lines=caption_lines,
        label=label,
        caption=caption,
        top=0,
        column_labels=tuple(columns),
        row_labels=(),
        row_widths=(),
    )


def labelled(plan: Plan, most: int) -> Plan:
    """A plan with its labels, in at most so many lines each, but for labels of rows that have the
    room anyway.
    """
    down, label = plan.step[1], plan.label
    columns = [
        tuple(told_apart(dimension.labels, width, label, lines))
        for dimension, width, lines in _columns(plan.grid, plan.cell_width, most)
    ]
    rows, widths, span = [], [], plan.grid.down
    for dimension in plan.grid.rows:
        span //= len(dimension.labels)
        room = max(1, (span * down - GAP) // label.line)
        rows.append(
            tuple(
                told_apart(
                    dimension.labels,
                    max(3 * plan.cell_width, _ROW_LABEL),
                    label,
                    min(room, 2 * most),
                )
            )
        )
        widths.append(
            int(max(label.width(line) for lines in rows[-1] for line in lines)) + 4 * GAP
        )
    return replace(
        plan, column_labels=tuple(columns), row_labels=tuple(rows), row_widths=tuple(widths)
    )


def _columns(grid: Grid, cell_width: int, most: int) -> Iterator[tuple[Dimension, int, int]]:
    """The dimensions of the columns, how wide their labels may be, and of how many lines."""
    span = grid.across
    for dimension in grid.columns:
        span //= len(dimension.labels)
        yield (
            dimension,
            span * (cell_width + GAP) - GAP,
            max(most, _SEED_LINES) if dimension.name == SEED else most,
        )


def told_apart(
    labels: Sequence[str], width: float, label: Lettering, most: int
) -> list[list[str]]:
    """Labels in lines. If cutting some to `most` lines makes them alike, their common beginning is
    left out instead.
    """
    wrapped = _without_beginnings(labels, width, label, most)
    for alike in _groups(wrapped):
        if len({labels[k] for k in alike}) > 1:
            for k in alike:
                wrapped[k] = label.wrap(f"{k + 1}: {labels[k]}", width, most)
    return wrapped


def _without_beginnings(
    labels: Sequence[str], width: float, label: Lettering, most: int
) -> list[list[str]]:
    wrapped = [label.wrap(text, width, most) for text in labels]
    for alike in _groups(wrapped):
        texts = [labels[k] for k in alike]
        if begin := _where_to_begin(texts, width, label, most):
            ends = [f"…{text[begin:]}" for text in texts]
            rest = _without_beginnings(ends, width, label, most)
            for k, lines in zip(alike, rest, strict=True):
                wrapped[k] = lines
    return wrapped


def _groups(wrapped: Sequence[list[str]]) -> list[list[int]]:
    """The places of labels that look alike."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for k, lines in enumerate(wrapped):
        groups.setdefault(tuple(lines), []).append(k)
    return [places for places in groups.values() if len(places) > 1]


def _where_to_begin(texts: Sequence[str], width: float, label: Lettering, most: int) -> int:
    """How many letters of texts that begin alike can be left out, as few as lets the rest of all
    of them fit; 0 if they are equal.
    """
    low, high = min(texts), max(texts)
    if low == high:
        return 0
    alike = next((k for k, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    word = low.rfind(" ", 0, alike) + 1
    begin = word if word > 1 and alike - word <= _WORD else alike
    room = most * width * _FILLED - max(label.width(text[begin:]) for text in texts)
    while (before := low.rfind(" ", 0, begin - 1) + 1) > 1 and label.width(
        f"…{low[before:begin]}"
    ) <= room:
        room -= label.width(low[before:begin])
        begin = before
    return begin if begin > 1 else 0


def distinct_names(paths: Sequence[Sequence[str]]) -> list[str]:
    """Of the parts of paths, as many of the last as tell all of them apart."""
    for depth in range(1, max(map(len, paths)) + 1):
        names = ["/".join(parts[-depth:]) for parts in paths]
        if len(set(names)) == len(set(map(tuple, paths))):
            return names
    return ["/".join(parts) for parts in paths]
