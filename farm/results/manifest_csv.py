"""The manifest as CSV, for spreadsheets: a row for each render, the axes in columns of their
own.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from farm.results.line import ExportedLine
from farm.results.line_fields import coordinates_of

_BEFORE = ("number", "state", "reason", "detail", "review", "path")
_AFTER = (
    "seed", "prompt", "negative", "model", "brand", "rules", "reference", "mask",
    "control", "control_image", "likeness", "likeness_image", "upscale", "edit", "adapters",
    "redo", "digest", "pixels", "sha256", "bytes", "key", "preview_paths", "size_paths",
    "attempts", "worker", "numerics_class", "seconds", "finished_at",
)  # fmt: skip
# A cell that begins so is a formula to a spreadsheet, which may then call programs and fetch
# addresses.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def write_csv(lines: Callable[[], Iterable[ExportedLine]], file: IO[bytes]) -> None:
    """Write a row for each line; `lines` gives them twice, since only all of them have all
    columns.

    Texts that a spreadsheet would take for formulas have an apostrophe before them. UTF-8 with a
    byte order mark, without which Excel reads other letters.
    """
    axes: dict[str, None] = {}
    settings: dict[str, None] = {}
    for line in lines():
        axes.update(dict.fromkeys(coordinates_of(line)))
        settings.update(dict.fromkeys(line["settings"]))
    axis_columns = {f"axis {name}" if name in (*_BEFORE, *_AFTER) else name: name for name in axes}
    columns = [*_BEFORE, *axis_columns, *_AFTER, *(name for name in settings if name not in axes)]
    text = io.TextIOWrapper(
        file, encoding="utf-8-sig", errors="backslashreplace", newline="", write_through=True
    )
    writer = csv.writer(text)
    writer.writerow(map(_cell, columns))
    for line in lines():
        writer.writerow(_row(line, axis_columns, columns))
    text.detach()


def _row(
    line: ExportedLine, axis_columns: dict[str, str], columns: Iterable[str]
) -> Iterator[Any]:
    coordinates = coordinates_of(line)
    fields = {**line["settings"], **line}
    for column in columns:
        if column in axis_columns:
            yield _cell(coordinates.get(axis_columns[column]))
        else:
            yield _cell(fields.get(column))


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value else ""
    )
    is_formula = text[:1] in ("\t", "\r", "\n") or text.lstrip().startswith(_FORMULA)
    return f"'{text}" if is_formula else text
