"""The contact sheet: a campaign's pictures in a grid whose rows and columns are named by its axes."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from pathlib import PurePath

from PIL import Image, ImageDraw, ImageFont

from actors.encode import read
from farm.axes import Axis
from farm.expansion import Expansion
from farm.sources import FILES
from storage.errors import NotFound, RequestError
from storage.outputs import Outputs

MAX_CELLS = 10_000
MAX_SIDE = 12_000
MAX_PIXELS = 40_000_000  # 120 MB in memory, whoever asks
_GAP = 4
_PAPER, _INK, _FAINT, _EMPTY = (250, 250, 248), (40, 40, 44), (120, 120, 126), (228, 228, 226)


@dataclass(frozen=True)
class _Dimension:
    """One axis of the sheet: an axis of the campaign, or its seeds."""

    name: str
    labels: tuple[str, ...]


def draw_sheet(expansion: Expansion, done: Mapping[int, str], outputs: Outputs) -> bytes:
    """A PNG of every render in `done` (number to key); cells that are not done, or skipped, stay grey.

    Raises RequestError for a campaign too large for one picture.
    """
    cells = prod(len(axis.values) for axis in expansion.axes) * expansion.seeds_per_shot
    if cells > MAX_CELLS:
        raise RequestError(
            f"The campaign has {cells:,} cells, too many for one sheet (at most {MAX_CELLS:,}): export its pictures instead."
        )
    dimensions = _dimensions(expansion)
    split = _split(dimensions)
    rows, columns = dimensions[:split], dimensions[split:]
    width, height = _cell_size(expansion, prod(len(d.labels) for d in columns), prod(len(d.labels) for d in rows))
    sheet = _Sheet(rows, columns, width, height, title=f"{expansion.campaign.name}    {expansion.campaign.prompt}")
    for number in range(cells):
        sheet.place(number, _read(outputs, done.get(number)))
    file = io.BytesIO()
    sheet.image.save(file, "PNG")
    return file.getvalue()


def _dimensions(expansion: Expansion) -> list[_Dimension]:
    axes = [_Dimension(axis.name, tuple(_label(axis, k) for k in range(len(axis.values)))) for axis in expansion.axes]
    locked = expansion.locked_seeds
    names = locked if locked is not None else range(1, expansion.seeds_per_shot + 1)
    return [*axes, _Dimension("seed", tuple(f"seed {name}" for name in names))]


def _label(axis: Axis, index: int) -> str:
    """The value, of files the names alone, with the name of its axis where it is a number and would say nothing alone."""
    alone = isinstance(axis.values[index], str | Mapping)
    label = ", ".join(PurePath(str(v)).name if name in FILES else str(v) for name, v in axis.assignments(index).items())
    return label if alone else f"{axis.name} {label}"


def _split(dimensions: Sequence[_Dimension]) -> int:
    """How many of the first dimensions become rows: the split that makes the grid most nearly half as wide again as high."""
    sizes = [len(d.labels) for d in dimensions]
    return min(range(len(sizes)), key=lambda k: abs(prod(sizes[k:]) / prod(sizes[:k]) - 1.5))


def _cell_size(expansion: Expansion, columns: int, rows: int) -> tuple[int, int]:
    width, height = expansion.group(0).width, expansion.group(0).height
    scale = min(
        1.0,
        256 / max(width, height),
        MAX_SIDE / (columns * (width + _GAP)),
        MAX_SIDE / (rows * (height + _GAP)),
        sqrt(MAX_PIXELS / (rows * columns * width * height)),
    )
    return max(8, int(width * scale)), max(8, int(height * scale))


def _read(outputs: Outputs, key: str | None) -> Image.Image | None:
    if key is None:
        return None
    try:
        with outputs.open(key) as file:
            picture = read(file.read())
    except NotFound:
        picture = None
    return None if picture is None else Image.fromarray(picture.pixels)  # where somebody moved it away or damaged it, its cell shows that


class _Sheet:
    """The picture of a grid, its labels nested: the outermost axis once over all that it spans."""

    def __init__(self, rows: Sequence[_Dimension], columns: Sequence[_Dimension], width: int, height: int, title: str) -> None:
        self._rows, self._columns = [d for d in rows if len(d.labels) > 1], [d for d in columns if len(d.labels) > 1]
        self._across = prod(len(d.labels) for d in columns)
        down = prod(len(d.labels) for d in rows)
        self._width, self._height = width, height
        points = max(11, min(22, height // 8))
        self._font = ImageFont.load_default(points)
        self._line = points + 8
        self._row_widths = [self._label_width(d) for d in self._rows]
        self._left = sum(self._row_widths) + 2 * _GAP
        self._top = self._line * (len(self._columns) + 1) + 3 * _GAP
        size = (self._left + self._across * (width + _GAP) + _GAP, self._top + down * (height + _GAP) + _GAP)
        self.image = Image.new("RGB", size, _PAPER)
        self._pen = ImageDraw.Draw(self.image)
        self._pen.text((2 * _GAP, _GAP), self._fit(title, size[0] - 4 * _GAP), _FAINT, self._font)
        self._label_columns()
        self._label_rows(down)

    def place(self, number: int, picture: Image.Image | None) -> None:
        row, column = divmod(number, self._across)
        x, y = self._left + column * (self._width + _GAP), self._top + row * (self._height + _GAP)
        if picture is None:
            self._pen.rectangle([x, y, x + self._width - 1, y + self._height - 1], fill=_EMPTY)
            return
        if picture.size != (self._width, self._height):
            picture.thumbnail((self._width, self._height), Image.Resampling.LANCZOS)
        self.image.paste(picture, (x + (self._width - picture.width) // 2, y + (self._height - picture.height) // 2))

    def _label_columns(self) -> None:
        span, repeats = self._across, 1
        for level, dimension in enumerate(self._columns):
            span //= len(dimension.labels)
            y = _GAP * 2 + self._line * (level + 1)
            for k in range(repeats * len(dimension.labels)):
                x, width = self._left + k * span * (self._width + _GAP), span * (self._width + _GAP) - _GAP
                text = self._fit(dimension.labels[k % len(dimension.labels)], width)
                self._pen.text((x + (width - self._font.getlength(text)) / 2, y), text, _INK, self._font)
                if span > 1:
                    self._pen.line([(x, y + self._line - 4), (x + width, y + self._line - 4)], _FAINT)
            repeats *= len(dimension.labels)

    def _label_rows(self, down: int) -> None:
        span, repeats, x = down, 1, 2 * _GAP
        for dimension, label_width in zip(self._rows, self._row_widths, strict=True):
            span //= len(dimension.labels)
            for k in range(repeats * len(dimension.labels)):
                y, height = self._top + k * span * (self._height + _GAP), span * (self._height + _GAP) - _GAP
                text = self._fit(dimension.labels[k % len(dimension.labels)], label_width)
                self._pen.text((x, y + (height - self._line) / 2), text, _INK, self._font)
                if span > 1:
                    self._pen.line([(x + label_width - 6, y), (x + label_width - 6, y + height)], _FAINT)
            repeats *= len(dimension.labels)
            x += label_width

    def _label_width(self, dimension: _Dimension) -> int:
        longest = max(self._font.getlength(label) for label in dimension.labels)
        return int(min(longest, 3 * self._width)) + 4 * _GAP

    def _fit(self, text: str, width: float) -> str:
        text = " ".join(text.split())
        if self._font.getlength(text) <= width:
            return text
        while text and self._font.getlength(text + "…") > width:
            text = text[:-1]
        return text + "…"
