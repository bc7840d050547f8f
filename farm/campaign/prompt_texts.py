"""All that a campaign's templates say, each text once, without looking at each render."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import product
from math import prod

from farm.campaign.axes import Axis, Scalar
from farm.campaign.expansion import Expansion
from farm.campaign.template import Template
from farm.campaign.texts import filled, place, said
from farm.documents.parsed import Path_

Count = Callable[[Sequence[str]], list[int]]

Cell = tuple[int, ...]
"""Of each axis that a template uses, the place of one of its distinct values."""


@dataclass(frozen=True)
class PromptTexts:
    """All that one of a campaign's templates says, each text once: of a row only the columns count
    that the template has.
    """

    expansion: Expansion
    key: str

    @cached_property
    def template(self) -> Template:
        return Template(getattr(self.expansion.campaign, self.key))

    @cached_property
    def frame(self) -> str:
        """The template without its fields."""
        return "".join(before for before, _ in self.template.parts)

    @cached_property
    def axes(self) -> list[tuple[int, Axis]]:
        """The axes that the template uses, with their places in the campaign."""
        return [
            (k, axis)
            for k, axis in enumerate(self.expansion.axes)
            if axis.variables & self.template.fields
        ]

    @cached_property
    def values(self) -> list[list[tuple[dict[str, Scalar], list[int]]]]:
        """Of each axis, what the template sees of its distinct values, with the indices that have
        it.
        """
        return [self._distinct(axis) for _, axis in self.axes]

    def _distinct(self, axis: Axis) -> list[tuple[dict[str, Scalar], list[int]]]:
        names = sorted(axis.variables & self.template.fields)
        found: dict[tuple[str, ...], tuple[dict[str, Scalar], list[int]]] = {}
        for index in range(len(axis.values)):
            values = axis.assignments(index)
            seen = {name: values[name] for name in names}
            found.setdefault(tuple(map(str, seen.values())), (seen, []))[1].append(index)
        return list(found.values())

    @cached_property
    def total(self) -> int:
        return prod(map(len, self.values))

    def cells(self) -> Iterator[Cell]:
        return product(*(range(len(values)) for values in self.values))

    @cached_property
    def blanks(self) -> list[set[int]]:
        """Of each axis, the places of those values that leave no word."""
        campaign = self.expansion.campaign
        return [
            {
                k
                for k, (seen, _) in enumerate(values)
                if not any(said(value, campaign).strip() for value in seen.values())
            }
            for values in self.values
        ]

    def weights(self, count: Count) -> list[list[int]]:
        """The tokens of each value."""
        return [
            count([" ".join(map(str, seen.values())) for seen, _ in values])
            for values in self.values
        ]

    def heaviest(self, weights: Sequence[Sequence[int]]) -> Iterator[Cell]:
        """All cells, those with the most tokens in their values first; none is kept but those next
        in line.
        """
        orders = [_descending(of_axis) for of_axis in weights]
        start = (0,) * len(orders)
        line = [
            (
                -sum(of_axis[order[0]] for of_axis, order in zip(weights, orders, strict=True)),
                start,
            )
        ]
        while line:
            negated, ranks = heappop(line)
            yield tuple(order[rank] for order, rank in zip(orders, ranks, strict=True))
            # Each cell follows one other alone: that with one rank less in the last place that is
            # not 0.
            last = max((k for k, rank in enumerate(ranks) if rank), default=0)
            for k in range(last, len(ranks)):
                rank, order, of_axis = ranks[k], orders[k], weights[k]
                if rank + 1 < len(order):
                    lighter = of_axis[order[rank]] - of_axis[order[rank + 1]]
                    heappush(line, (negated + lighter, (*ranks[:k], rank + 1, *ranks[k + 1 :])))

    def text(self, cell: Cell) -> str:
        chosen = {
            name: value
            for values, k in zip(self.values, cell, strict=True)
            for name, value in values[k][0].items()
        }
        if self.key == "negative":
            return self.expansion.cells.negative(chosen)
        return filled(self.template, chosen, self.expansion.campaign)

    def is_painted(self, cell: Cell) -> bool:
        """Whether any shot with this text is not skipped."""
        return self.expansion.skipping.leaves(self._indices(cell))

    def _indices(self, cell: Cell) -> dict[int, list[int]]:
        """The indices into the campaign's axes, by their places, that have the text of a cell."""
        return {
            at: values[k][1]
            for (at, _), values, k in zip(self.axes, self.values, cell, strict=True)
        }

    def path(self, cell: Cell, weights: Sequence[int]) -> Path_:
        """The place of the value that has the largest weight."""
        k = max(range(len(cell)), key=lambda k: weights[k])
        (at, axis), (seen, indices) = self.axes[k], self.values[k][cell[k]]
        others = self._indices(cell)
        index = next(
            index for index in indices if self.expansion.skipping.leaves({**others, at: [index]})
        )
        return place(axis, index, max(seen, key=lambda name: len(str(seen[name]))))

    def others(self, cell: Cell, path: Path_) -> str:
        """The values beside that at a path, as a sentence."""
        beside = [
            f"{axis.label(values[k][1][0])[:40]!r}"
            for (_, axis), values, k in zip(self.axes, self.values, cell, strict=True)
            if axis.name != path[1]
        ]
        return f" Beside it stands {', '.join(beside)}." if beside else ""


def _descending(weights: Sequence[int]) -> list[int]:
    """The places of an axis's values, from the heaviest to the lightest."""
    return sorted(range(len(weights)), key=lambda k: -weights[k])
