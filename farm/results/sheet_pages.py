"""Which cells stand on which page of a contact sheet. Pure.

Without a matrix, pages follow the order of the renders. With one, each choice of values of the
axes that are neither rows nor columns is a *block* of its own, and small blocks share a page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod

from farm.results.sheet_layout import BLOCK, Dimension

MAX_CELLS = 10_000
"""Cells of a page without a matrix."""
_SIDE = 30
"""Rows, and columns, of a matrix on one page: more would be narrower than their labels."""
_BLOCK_CELLS = _SIDE * _SIDE
"""Cells of a page with several blocks."""


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The names of axes, the outermost first."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    dimensions: tuple[Dimension, ...]
    """What varies on it, the outermost first."""
    split: int | None
    """How many of them are rows; None if whatever is most like a page will do."""
    numbers: Sequence[int]
    """The renders, row by row."""
    heading: tuple[str, ...] = ()
    """Sentences that say which part of the sheet this is."""


@dataclass(frozen=True)
class _Axis:
    """An axis, and how far apart the numbers are of two renders that are neighbours on it."""

    dimension: Dimension
    stride: int

    @property
    def size(self) -> int:
        return len(self.dimension.labels)


@dataclass(frozen=True)
class _Cut:
    """An axis in pieces of some length; the last may be shorter."""

    axis: _Axis
    length: int

    @property
    def pieces(self) -> int:
        return ceil(self.axis.size / self.length)

    def piece(self, k: int) -> range:
        return range(k * self.length, min((k + 1) * self.length, self.axis.size))


class Pages:
    """The pages of a sheet of these axes, each worked out when it is asked for."""

    def __init__(self, axes: Sequence[Dimension], matrix: Matrix | None = None) -> None:
        strided = list(_strided(axes))
        self._matrix = matrix
        if matrix is None:
            varied = [axis for axis in strided if axis.size > 1]
            self._rest: list[_Axis] = []
            self._rows, self._columns = _cut(varied, MAX_CELLS), []
        else:
            by_name = {axis.dimension.name: axis for axis in strided}
            rows, columns = (
                [by_name[n] for n in names] for names in (matrix.rows, matrix.columns)
            )
            self._rest = [a for a in strided if a.size > 1 and a not in (*rows, *columns)]
            self._rows, self._columns = _cut(rows, _SIDE), _cut(columns, _SIDE)

    @cached_property
    def count(self) -> int:
        return ceil(self._blocks / self._blocks_per_page) * prod(
            cut.pieces for cut in (*self._rows, *self._columns)
        )

    def page(self, k: int) -> Page:
        """Page `k`, from 0."""
        cuts = (*self._rows, *self._columns)
        block, *places = _digits(
            k, (ceil(self._blocks / self._blocks_per_page), *(cut.pieces for cut in cuts))
        )
        pieces = [cut.piece(place) for cut, place in zip(cuts, places, strict=True)]
        first = block * self._blocks_per_page
        blocks = range(first, min(first + self._blocks_per_page, self._blocks))
        rows = list(zip(self._rows, pieces, strict=False))
        columns = list(zip(self._columns, pieces[len(rows) :], strict=True))
        row_axes, column_axes = list(_shown(rows)), list(_shown(columns))
        if len(blocks) > 1:
            labels = tuple(self._block_label(number) for number in blocks)
            column_axes.insert(0, Dimension(BLOCK, labels))
        return Page(
            dimensions=(*row_axes, *column_axes),
            split=None if self._matrix is None else len(row_axes),
            numbers=self._numbers(rows, blocks, columns),
            heading=tuple(self._heading(k, [*rows, *columns], blocks)),
        )

    @property
    def _blocks(self) -> int:
        return prod(axis.size for axis in self._rest)

    @property
    def _blocks_per_page(self) -> int:
        cuts = (*self._rows, *self._columns)
        if any(cut.pieces > 1 for cut in cuts):
            return 1
        return max(1, _BLOCK_CELLS // prod(cut.axis.size for cut in cuts))

    def _block_label(self, number: int) -> str:
        places = _digits(number, [axis.size for axis in self._rest])
        return " · ".join(
            axis.dimension.said(place) for axis, place in zip(self._rest, places, strict=True)
        )

    def _numbers(
        self,
        rows: Sequence[tuple[_Cut, range]],
        blocks: range,
        columns: Sequence[tuple[_Cut, range]],
    ) -> list[int]:
        """The numbers of all renders of a page, by place: each the sum of what its values add."""
        sizes = [axis.size for axis in self._rest]
        of_blocks = [
            sum(
                place * axis.stride
                for place, axis in zip(_digits(number, sizes), self._rest, strict=True)
            )
            for number in blocks
        ]
        numbers = [0]
        for added in (*_added(rows), of_blocks, *_added(columns)):
            numbers = [number + more for number in numbers for more in added]
        return numbers

    def _heading(self, k: int, cuts: Sequence[tuple[_Cut, range]], blocks: range) -> Iterator[str]:
        if self._matrix is not None:
            named = (("rows", self._matrix.rows), ("columns", self._matrix.columns))
            yield " · ".join(f"{place}: {', '.join(names)}" for place, names in named if names)
        parts = [f"page {k + 1:,} of {self.count:,}"] if self.count > 1 else []
        if len(blocks) == 1 and self._rest:
            parts.append(self._block_label(blocks[0]))
        parts.extend(_part(cut, piece) for cut, piece in cuts if cut.pieces > 1)
        if parts:
            yield " · ".join(parts)


def _part(cut: _Cut, piece: range) -> str:
    dimension = cut.axis.dimension
    if len(piece) == 1:
        return dimension.said(piece[0])
    return f"{dimension.name}: {piece[0] + 1:,} to {piece[-1] + 1:,} of {cut.axis.size:,}"


def _shown(cuts: Sequence[tuple[_Cut, range]]) -> Iterator[Dimension]:
    """The axes that have a label for each row or column: the heading says the others."""
    for cut, piece in cuts:
        if len(piece) > 1:
            dimension = cut.axis.dimension
            yield Dimension(dimension.name, dimension.labels[piece.start : piece.stop])


def _added(cuts: Sequence[tuple[_Cut, range]]) -> Iterator[list[int]]:
    return ([place * cut.axis.stride for place in piece] for cut, piece in cuts)


def _strided(axes: Sequence[Dimension]) -> Iterator[_Axis]:
    stride = prod(len(axis.labels) for axis in axes)
    for axis in axes:
        stride //= len(axis.labels)
        yield _Axis(axis, stride)


def _cut(axes: Sequence[_Axis], most: int) -> list[_Cut]:
    """The axes in pieces whose product is at most `most`: the innermost whole if they fit, and
    pieces of one axis about as long as each other.
    """
    cuts: list[_Cut] = []
    for axis in reversed(axes):
        pieces = ceil(axis.size / max(1, most))
        cuts.insert(0, _Cut(axis, ceil(axis.size / pieces)))
        most = most // axis.size if pieces == 1 else 0
    return cuts


def _digits(number: int, sizes: Sequence[int]) -> list[int]:
    digits = []
    for size in reversed(sizes):
        number, digit = divmod(number, size)
        digits.append(digit)
    return digits[::-1]
