"""Whether a model can read a campaign's prompts to their end: what is too long would be cut off without a word."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import islice, product
from math import prod
from pathlib import Path

from actors.model_files import components_of
from actors.tokenizers import TextTokenizer, open_tokenizer
from farm.axes import Axis, Scalar
from farm.document import DocumentError, Problem
from farm.expansion import Expansion
from farm.parsed import Path_
from farm.template import Template
from farm.texts import filled, place, said

MAX_MEASURED = 20_000
"""Distinct texts that are measured, of prompts and of negatives each. A second's work on one core for CLIP's tokenizer."""
_AT_ONCE = 1_000
_MANY = 100
_SURE_TO_FIT = 8  # tokens that an encoder adds around a text, and more

Count = Callable[[Sequence[str]], list[int]]


def check_prompts(expansion: Expansion) -> None:
    """Raise DocumentError for each prompt or negative that is empty, or has more tokens than the model's text encoder reads, at the value
    that makes it so. Texts of skipped shots alone are not looked at.

    Every distinct text is measured. If there are more than MAX_MEASURED, those are whose parts have the most tokens. A worker looks again
    at every prompt it paints. What only a worker can open is left to that look.
    """
    texts = [_Texts(expansion, key) for key in ("prompt", "negative")]
    problems = list(islice(_empty(texts[0]), _MANY))
    reader = _reader(expansion)
    if reader is not None:
        tokenizer, room = reader
        for each in texts:
            problems += islice(_too_long(each, tokenizer.counts, room), _MANY)
    if problems:
        raise DocumentError(problems)


def _empty(texts: "_Texts") -> Iterator[Problem]:
    """Prompts that no word is left of, where a template is made of fields alone and they may be nothing."""
    if texts.frame.strip():
        return
    for cell in product(*texts.blanks()):
        if texts.is_painted(cell):
            yield Problem(texts.path(cell, [0] * len(cell)), "the prompt is empty here: write what should be painted.")


def _too_long(texts: "_Texts", count: Count, room: int) -> Iterator[Problem]:
    weights = texts.weights(count)
    lightest = tuple(of_axis.index(min(of_axis)) for of_axis in weights)
    of_frame, least = count([texts.frame, texts.text(lightest)])
    told: set[Path_] = set()
    cells = islice(texts.cells() if texts.total <= MAX_MEASURED else texts.heaviest(weights), MAX_MEASURED)
    while some := {cell: texts.text(cell) for cell in islice(cells, _AT_ONCE)}:
        doubtful = [cell for cell, text in some.items() if not (text.isascii() and len(text) + _SURE_TO_FIT <= room)]
        for cell, tokens in zip(doubtful, count([some[cell] for cell in doubtful]), strict=True):
            if tokens <= room or not texts.is_painted(cell):
                continue
            own = [of_axis[k] for of_axis, k in zip(weights, cell, strict=True)]
            is_the_templates = not own or (least > room and of_frame >= max(own))  # no value is to blame
            path = (texts.key,) if is_the_templates else texts.path(cell, own)
            if path not in told:
                told.add(path)
                grows = f"it grows to {tokens} tokens and the model reads {room}: shorten it."
                yield Problem(path, grows if is_the_templates else f"too long in the {texts.key}: {grows}{texts.others(cell, path)}")


Cell = tuple[int, ...]
"""Of each axis that a template uses, the place of one of its distinct values."""


@dataclass(frozen=True)
class _Texts:
    """All that one of a campaign's templates says, each text once: of a row only the columns count that the template has."""

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
        return [(k, axis) for k, axis in enumerate(self.expansion.axes) if axis.variables & self.template.fields]

    @cached_property
    def values(self) -> list[list[tuple[dict[str, Scalar], list[int]]]]:
        """Of each axis, what the template sees of its distinct values, with the indices that have it."""
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

    def blanks(self) -> list[list[int]]:
        """Of each axis, the values that leave no word."""
        campaign = self.expansion.campaign
        return [
            [k for k, (seen, _) in enumerate(values) if not any(said(value, campaign).strip() for value in seen.values())]
            for values in self.values
        ]

    def weights(self, count: Count) -> list[list[int]]:
        """The tokens of each value."""
        return [count([" ".join(map(str, seen.values())) for seen, _ in values]) for values in self.values]

    def heaviest(self, weights: Sequence[Sequence[int]]) -> Iterator[Cell]:
        """All cells, those with the most tokens in their values first; none is kept but those next in line."""
        orders = [sorted(range(len(of_axis)), key=lambda k, of_axis=of_axis: -of_axis[k]) for of_axis in weights]  # type: ignore[misc]
        start = (0,) * len(orders)
        line = [(-sum(of_axis[order[0]] for of_axis, order in zip(weights, orders, strict=True)), start)]
        while line:
            negated, ranks = heappop(line)
            yield tuple(order[rank] for order, rank in zip(orders, ranks, strict=True))
            # Each cell follows one other alone: that with one rank less in the last place that is not 0.
            last = max((k for k, rank in enumerate(ranks) if rank), default=0)
            for k in range(last, len(ranks)):
                rank, order, of_axis = ranks[k], orders[k], weights[k]
                if rank + 1 < len(order):
                    lighter = of_axis[order[rank]] - of_axis[order[rank + 1]]
                    heappush(line, (negated + lighter, (*ranks[:k], rank + 1, *ranks[k + 1 :])))

    def text(self, cell: Cell) -> str:
        chosen = {name: value for values, k in zip(self.values, cell, strict=True) for name, value in values[k][0].items()}
        return filled(self.template, chosen, self.expansion.campaign)

    def is_painted(self, cell: Cell) -> bool:
        """Whether any shot with this text is not skipped."""
        return self.expansion.skipping.leaves(self._indices(cell))

    def _indices(self, cell: Cell) -> dict[int, list[int]]:
        """The indices into the campaign's axes, by their places, that have the text of a cell."""
        return {at: values[k][1] for (at, _), values, k in zip(self.axes, self.values, cell, strict=True)}

    def path(self, cell: Cell, weights: Sequence[int]) -> Path_:
        """The place of the value that has the largest weight."""
        k = max(range(len(cell)), key=lambda k: weights[k])
        (at, axis), (seen, indices) = self.axes[k], self.values[k][cell[k]]
        others = self._indices(cell)
        index = next(index for index in indices if self.expansion.skipping.leaves({**others, at: [index]}))
        return place(axis, index, max(seen, key=lambda name: len(str(seen[name]))))

    def others(self, cell: Cell, path: Path_) -> str:
        """The values beside that at a path, as a sentence."""
        beside = [
            f"{axis.label(values[k][1][0])[:40]!r}"
            for (_, axis), values, k in zip(self.axes, self.values, cell, strict=True)
            if axis.name != path[1]
        ]
        return f" Beside it stands {', '.join(beside)}." if beside else ""


def _reader(expansion: Expansion) -> tuple[TextTokenizer, int] | None:
    """The tokenizer that decides how long a prompt may be, with what it has room for; as the worker chooses it."""
    name, folder = expansion.model.name, Path(expansion.model.folder)
    present = components_of(name, folder)
    for reader in expansion.family.readers:
        if reader.tokenizer in present:
            tokenizer = open_tokenizer(name, folder, reader.tokenizer)
            room = reader.tokens or (tokenizer and tokenizer.max_length)
            return (tokenizer, room) if tokenizer and room else None
    return None
