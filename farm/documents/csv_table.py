"""Reading a CSV file as spreadsheets and people write them. A file that is not a clean table is
refused, with the line.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from farm.documents.text_file import OtherEncoding, read_text

_SEPARATOR_LINE = re.compile(r"sep=(.)[ \t]*(?=[\r\n]|\Z)", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_OTHER_DELIMITERS = ";\t|"


@dataclass(frozen=True)
class CsvTable:
    """Rows by the names in the heading, and the line on which each begins."""

    rows: list[dict[str, str]]
    lines: list[int]


def read_table(
    path: Path, *, delimiter: str | None = None, encoding: str | None = None
) -> CsvTable:
    """The rows of a CSV file with a heading line; rows without any text are left out, as
    spreadsheets add them.

    Without `delimiter` it is what a line `sep=;` says, or a semicolon, tab or bar if the heading
    has one and no comma. Raises ValueError, naming file and line.
    """
    try:
        text = read_text(path, encoding)
    except OtherEncoding as exc:
        raise ValueError(
            f"{path}: {exc} Or name its encoding: `csv: {{file: {path.name}, encoding: cp1252}}`."
        ) from exc
    except ValueError as exc:
        raise ValueError(f"{path}: {exc}") from exc
    return table_of(text, str(path), delimiter=delimiter)


def table_of(text: str, name: str, *, delimiter: str | None = None) -> CsvTable:
    """The rows of a CSV file's text. Raises as `read_table` does."""
    said = _SEPARATOR_LINE.match(text)
    if said is not None:
        text = text[said.end() :]
    delimiter = delimiter or (said[1] if said else _delimiter_of(text))
    rows = [(line, cells) for line, cells in _rows(text, delimiter, name) if any(cells)]
    if len(rows) < 2:
        raise ValueError(
            f"{name}: the file is empty: a heading line and at least one row are expected."
        )
    heading = _heading(rows[0], delimiter, name)
    return CsvTable(
        [_row(cells, heading, f"{name}:{line}", delimiter) for line, cells in rows[1:]],
        [line for line, _ in rows[1:]],
    )


def _delimiter_of(text: str) -> str:
    heading = _QUOTED.sub("", next((line for line in text.splitlines() if line.strip()), ""))
    return (
        ","
        if "," in heading
        else next((char for char in _OTHER_DELIMITERS if char in heading), ",")
    )


def _rows(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row, and the line on which it begins."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    line = 1
    try:
        for cells in reader:
            yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as exc:
        raise ValueError(
            f"{name}:{line}: the file is not a CSV table: {_sentence(exc, delimiter)}."
        ) from exc


def _sentence(exc: csv.Error, delimiter: str) -> str:
    if "unexpected end of data" in str(exc):
        return "a quote that opens in this row is never closed"
    if "expected after" in str(exc):
        return (
            f"a cell is over with its closing quote, and {_name(delimiter)} must follow: double"
            " the quotes that belong to the text"
        )
    return str(exc)


def _heading(row: tuple[int, list[str]], delimiter: str, name: str) -> list[str]:
    line, cells = row
    while not cells[-1]:
        cells = cells[:-1]
    if not all(cells):
        raise ValueError(
            f"{name}:{line}: column {cells.index('') + 1} has no heading: every column needs a"
            " heading of its own."
        )
    if twice := next((cell for cell in cells if cells.count(cell) > 1), None):
        raise ValueError(
            f"{name}:{line}: two columns are called {twice!r}: every column needs a heading of its"
            " own."
        )
    for cell in cells if delimiter == "," else ():
        if other := next((char for char in _OTHER_DELIMITERS if char in cell), None):
            raise ValueError(
                f"{name}:{line}: the heading {cell!r} holds {_name(other)}, and {_name(delimiter)}"
                " parts the columns: save the file with commas alone, or write `csv: {file:"
                f" {Path(name).name}, delimiter: {_written(other)}}}`."
            )
    return cells


def _row(cells: list[str], heading: list[str], place: str, delimiter: str) -> dict[str, str]:
    if any(cells[len(heading) :]) or len(cells) < len(heading):
        hint = (
            f": put a text that holds {_name(delimiter)} in quotes"
            if len(cells) > len(heading)
            else ""
        )
        raise ValueError(
            f"{place}: the row has {len(cells)} cells, and the heading has {len(heading)}{hint}."
        )
    return dict(zip(heading, cells, strict=False))


def _name(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}.get(
        delimiter, repr(delimiter)
    )


def _written(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else f'"{delimiter}"'
