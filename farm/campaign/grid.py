"""The cells of a campaign in integers: numbers, groups and places, without what they stand for.

A *cell* is the index of its value on each axis. Its *cell number* is its place in the product of
all axes, the last one running fastest. The values of an axis fall into *classes* that set the same
settings, and a *group* is a choice of one class of each axis. A *shot number* is the place of a
cell in its group.
"""

from collections.abc import Sequence
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray


class Grid:
    """A product of axes, given the classes of each axis as the indices of their values."""

    def __init__(self, classes: Sequence[Sequence[Sequence[int]]]) -> None:
        self._classes = classes
        self._class_counts = [len(of_axis) for of_axis in classes]
        self._sizes = [sum(len(indices) for indices in of_axis) for of_axis in classes]
        # An axis of one class needs no entry for each of its values: there may be a million.
        self._class_of = [
            {index: k for k, indices in enumerate(of_axis) for index in indices}
            if len(of_axis) > 1
            else {}
            for of_axis in classes
        ]

    @cached_property
    def cells(self) -> int:
        return prod(self._sizes)

    @cached_property
    def groups(self) -> int:
        return prod(self._class_counts)

    def number(self, cell: Sequence[int]) -> int:
        return _number(cell, self._sizes)

    def cell(self, number: int) -> list[int]:
        """The cell with a cell number."""
        return _digits(number, self._sizes)

    def group_of(self, cell: Sequence[int]) -> int:
        kinds = [known.get(index, 0) for known, index in zip(self._class_of, cell, strict=True)]
        return _number(kinds, self._class_counts)

    def shots_in(self, group_no: int) -> int:
        """How many cells a group has."""
        return prod(len(indices) for indices in self._chosen(group_no))

    def shot(self, group_no: int, shot_no: int) -> list[int]:
        """The cell of one of a group's shots."""
        chosen = self._chosen(group_no)
        places = _digits(shot_no, [len(indices) for indices in chosen])
        return [indices[place] for indices, place in zip(chosen, places, strict=True)]

    def place(self, cell: Sequence[int]) -> tuple[int, int]:
        """The group of a cell, and its shot number there."""
        group_no = self.group_of(cell)
        chosen = self._chosen(group_no)
        places = [indices.index(index) for indices, index in zip(chosen, cell, strict=True)]
        return group_no, _number(places, [len(indices) for indices in chosen])

    def indices(self, cell_numbers: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
        """The index on one axis of each of these cells."""
        stride = prod(self._sizes[axis + 1 :])
        return cell_numbers // stride % self._sizes[axis]

    def groups_of(self, cell_numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The group of each of these cells."""
        groups = np.zeros(len(cell_numbers), np.int64)
        for axis, (class_of, count) in enumerate(
            zip(self._class_of, self._class_counts, strict=True)
        ):
            groups *= count
            if count > 1:
                kinds = np.array([class_of[k] for k in range(self._sizes[axis])], np.int64)
                groups += kinds[self.indices(cell_numbers, axis)]
        return groups

    def _chosen(self, group_no: int) -> list[Sequence[int]]:
        """Of each axis, the indices of the values that a group has."""
        kinds = _digits(group_no, self._class_counts)
        return [of_axis[k] for of_axis, k in zip(self._classes, kinds, strict=True)]


def _digits(number: int, sizes: Sequence[int]) -> list[int]:
    """`number` in the mixed radix of `sizes`, the last one running fastest."""
    digits = []
    for size in reversed(sizes):
        number, digit = divmod(number, size)
        digits.append(digit)
    return digits[::-1]


def _number(digits: Sequence[int], sizes: Sequence[int]) -> int:
    number = 0
    for digit, size in zip(digits, sizes, strict=True):
        number = number * size + digit
    return number
