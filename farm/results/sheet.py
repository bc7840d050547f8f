"""The contact sheet: a campaign's pictures in a grid whose rows and columns are named by its
axes.
"""

import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import ceil, prod
from pathlib import PurePath

from PIL import Image, ImageDraw

from actors.pictures.rules import RULES
from farm.campaign.axes import Axis
from farm.campaign.expansion import Expansion
from farm.campaign.seeding import OWN, own_place
from farm.campaign.seeds import SEED_LIMIT
from farm.campaign.sources import FILES
from farm.campaign.specs import expansion_of
from farm.results.lettering import Lettering, plain
from farm.results.sheet_cells import (
    FAINT,
    INK,
    PAPER,
    Cell,
    CellState,
    cells_among,
    cells_of,
    draw_cell,
    draw_marks,
    draw_picture,
    read_cell,
)
from farm.results.sheet_layout import (
    GAP,
    SEED,
    Dimension,
    Plan,
    bare_plan,
    distinct_names,
    labelled,
    shapes,
)
from farm.results.sheet_legend import Entry, draw_legend, legend_height
from storage.campaigns import Campaigns
from storage.errors import RequestError
from storage.rows import CampaignRow
from storage.store import Outputs

MAX_CELLS = 10_000

_CAPTION = 11  # pixels: the smallest letters that can be read
_GROUPS = 1_000  # how many groups are asked for the size of their pictures
_TITLE_LINES = 4
_LONGEST = 2_000  # letters of a label that are looked at


def sheet_of(
    campaigns: Campaigns,
    campaign: CampaignRow,
    outputs: Outputs,
    chosen: Collection[int] | None = None,
) -> bytes:
    """The sheet of a stored campaign as it is now, as PNG; `chosen` has the numbers of the renders
    to draw, if not all.

    Raises RequestError for a campaign too large for one picture.
    """
    expansion = expansion_of(campaign.spec)
    check_cells(expansion)
    ended = (outcome for outcome, _, _ in campaigns.outcomes(campaign.id))
    cell_of = cells_of(campaign, expansion, ended, campaigns.under_way(campaign.id))
    return draw_sheet(
        expansion, cell_of if chosen is None else cells_among(chosen, cell_of), outputs
    )


def check_cells(expansion: Expansion) -> int:
    """How many cells a sheet has. Raises RequestError for a campaign too large for one picture."""
    cells = prod(len(axis.values) for axis in expansion.axes) * expansion.seeds_per_shot
    if cells > MAX_CELLS:
        raise RequestError(
            f"The campaign has {cells:,} cells, too many for one sheet (at most {MAX_CELLS:,}):"
            " export its pictures instead."
        )
    return cells


def draw_sheet(expansion: Expansion, cell_of: Callable[[int], Cell], outputs: Outputs) -> bytes:
    """A PNG of every render, `cell_of` its number. Raises RequestError for a campaign too large
    for one picture.
    """
    count = check_cells(expansion)
    sheet = _Sheet(expansion)
    entries: Counter[Entry] = Counter()
    for number in range(count):
        cell, picture = read_cell(outputs, cell_of(number))
        if cell.state is CellState.NONE:
            continue
        entries.update((cell.state, *cell.failed_rules))
        sheet.place(number, cell, picture)
    sheet.draw_legend(entries)
    file = io.BytesIO()
    sheet.image.save(file, "PNG")
    return file.getvalue()


def _dimensions(expansion: Expansion) -> tuple[list[Dimension], str]:
    """What varies, and a sentence of what does not though it is named: axes of one value, and the
    one seed of all renders.
    """
    has_own = own_place(expansion.campaign, expansion.axes)
    axes = [
        Dimension(axis.name, tuple(_labels(axis, has_seeds=place == has_own)))
        for place, axis in enumerate(expansion.axes)
    ]
    locked = expansion.locked_seeds
    # Seeds that differ from shot to shot stand under each picture.
    seeds = (
        [f"seed {seed}" for seed in locked]
        if locked
        else [f"seed no. {k + 1}" for k in range(expansion.seeds_per_shot)]
    )
    varied = [d for d in (*axes, Dimension(SEED, tuple(seeds))) if len(d.labels) > 1]
    single = [
        f"{d.name}: {d.labels[0].removeprefix(f'{d.name} ')}" for d in axes if len(d.labels) == 1
    ]
    return varied, " · ".join([*single, *(seeds if locked and len(locked) == 1 else [])])


def _labels(axis: Axis, *, has_seeds: bool) -> list[str]:
    """The values, of files the names that tell them apart, with the name of the axis if a
    number would say nothing alone.

    Seeds in a column are left out: they stand under the pictures.
    """
    columns = []
    for name in axis.assignments(0):
        if has_seeds and name == OWN:
            continue
        values = [str(axis.assignments(index)[name]) for index in range(len(axis.values))]
        columns.append(
            distinct_names([PurePath(value).parts or (value,) for value in values])
            if name in FILES
            else values
        )
    labels = [
        _bounded(plain(", ".join(filter(None, parts)))) or "(empty)"
        for parts in zip(*columns, strict=True)
    ]
    named = [isinstance(value, str | Mapping) for value in axis.values]
    return [
        label if alone else f"{axis.name} {label}"
        for label, alone in zip(labels, named, strict=True)
    ]


def _bounded(label: str) -> str:
    if len(label) <= _LONGEST:
        return label
    return f"{label[: _LONGEST // 2]}… {label[-_LONGEST // 2 :]}"


def _picture_size(expansion: Expansion) -> tuple[int, int]:
    """The largest width and the largest height of any picture, in pixels."""
    groups = [expansion.group(k) for k in range(min(expansion.groups, _GROUPS))]
    return max(group.width for group in groups), max(group.height for group in groups)


def _plan(
    expansion: Expansion, dimensions: Sequence[Dimension], title: Sequence[str]
) -> tuple[Plan, list[str]]:
    """The first plan whose sheet is not too large, and the title in lines. Seeds are whole, unless
    there are thousands of them.
    """
    count, size, caption = check_cells(expansion), _picture_size(expansion), Lettering(_CAPTION)
    widest = _caption(count, None if expansion.locked_seeds else SEED_LIMIT - 1)
    digits = [d.labels[-1].split()[-1] for d in dimensions if d.name == SEED]
    numbered = [
        (
            replace(d, labels=tuple(f"no. {k + 1}" for k in range(len(d.labels))))
            if d.name == SEED
            else d
        )
        for d in dimensions
    ]
    for shown, words in ((dimensions, [*widest.split(), *digits]), (numbered, widest.split())):
        for picture, cell_width, most in shapes(size, count, ceil(max(map(caption.width, words)))):
            bare = bare_plan(
                shown, picture, cell_width, len(caption.wrap(widest, cell_width)), caption, most
            )
            if not bare.fits:
                continue
            plan = labelled(bare, most)
            lines = [
                line
                for text in title
                for line in plan.label.wrap(text, plan.size[0] - 4 * GAP, _TITLE_LINES)
            ]
            legend = legend_height(
                dict.fromkeys(_possible_entries(expansion), count),
                caption,
                plan.size[0] - 4 * GAP,
            )
            plan = replace(plan, top=GAP + len(lines) * plan.label.line + legend + 2 * GAP)
            if plan.fits:
                return plan, lines
    raise RequestError(
        "The campaign's pictures and their labels do not fit onto one sheet: export its pictures"
        " instead."
    )


def _possible_entries(expansion: Expansion) -> set[Entry]:
    """What the legend may have to name."""
    has_rules = expansion.brand is not None and expansion.brand.rules is not None
    return (set(CellState) - {CellState.NONE}) | (set(RULES) if has_rules else set())


def _caption(number: int, seed: int | None) -> str:
    return f"#{number}" if seed is None else f"#{number} seed {seed}"


class _Sheet:
    """The picture of a grid, its labels nested: the outermost axis once over all that it spans."""

    def __init__(self, expansion: Expansion) -> None:
        dimensions, constants = _dimensions(expansion)
        title = [
            f"{expansion.campaign.name} · {expansion.campaign.prompt}",
            *([constants] if constants else []),
        ]
        self._expansion = expansion
        self._plan, lines = _plan(expansion, dimensions, title)
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

    def place(self, number: int, cell: Cell, picture: Image.Image | None) -> None:
        plan = self._plan
        (x, y), (_, height) = plan.corner(number), plan.picture
        self._write_caption(number, x, y + height)
        if picture is None:
            draw_cell(self.image, (x, y, x + plan.cell_width, y + height), cell, plan.caption)
            return
        box = draw_picture(self.image, (x, y, x + plan.cell_width, y + height), picture)
        draw_marks(self.image, box, cell)

    def draw_legend(self, entries: Mapping[Entry, int]) -> None:
        width = self._plan.size[0] - 4 * GAP
        draw_legend(self.image, (2 * GAP, self._legend_top), width, entries, self._plan.caption)

    def _write_caption(self, number: int, x: int, y: int) -> None:
        plan, expansion = self._plan, self._expansion
        seed = (
            None
            if expansion.locked_seeds or not expansion.has(number)
            else expansion.render(number)[1].seed
        )
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
