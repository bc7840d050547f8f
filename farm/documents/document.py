"""Reading a YAML or JSON file that a stranger wrote, and remembering on which line each of its
parts stands.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farm.documents.json_reader import read_json
from farm.documents.parsed import Path_, Unreadable
from farm.documents.text_file import read_text, text_of
from farm.documents.yaml_reader import read_yaml
from storage.errors import RequestError

PIPED = "<standard input>"
MAX_PROBLEMS = 20
MAX_TOLD = 1_000
"""How many are told if all of them matter to whoever mends them."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file, or that a warning is about, at a path like ("vary",
    "color", 2).
    """

    path: Path_
    message: str

    @property
    def place(self) -> str:
        return "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path
        ).lstrip(".")


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem as the API tells it: `{"path": [...], "message": "..."}`."""
    return {"path": list(problem.path), "message": problem.message}


def problem_from_json(told: Mapping[str, Any]) -> Problem:
    """A problem that the API told. Raises KeyError or TypeError for what is not one."""
    return Problem(tuple(told["path"]), told["message"])


class DocumentError(RequestError):
    """A file that cannot be used: one line a problem, each with file, line and place."""

    code = "invalid"

    def __init__(
        self,
        problems: Iterable[Problem],
        document: "Document | None" = None,
        *,
        most: int = MAX_PROBLEMS,
    ) -> None:
        """Of more problems than `most`, the rest are counted."""
        self.problems = list(problems)
        self.document = document
        self.most = most
        super().__init__("\n".join(sentences(self.problems, document, most=most)))

    @property
    def place(self) -> str | None:
        return next((problem.place for problem in self.problems if problem.path), None)


@dataclass(frozen=True)
class Table:
    """Another file that a part of a document is read from, and the line of each of its rows."""

    source: str
    lines: Sequence[int]


@dataclass(frozen=True)
class Document:
    """A parsed file, and what its data no longer tells; see `Parsed`."""

    source: str
    data: dict[str, Any]
    lines: dict[Path_, int] = field(default_factory=dict)
    written: dict[Path_, str] = field(default_factory=dict)
    cuts: dict[Path_, str] = field(default_factory=dict)
    tables: dict[Path_, Table] = field(default_factory=dict)
    """The parts that stand in files of their own."""
    given: dict[Path_, str] = field(default_factory=dict)
    """The parts that do not stand in the file, and how each was given instead."""

    def given_as(self, path: Path_) -> str | None:
        """How a part was given that does not stand in the file."""
        lengths = range(len(path), 0, -1)
        return next((self.given[path[:n]] for n in lengths if path[:n] in self.given), None)

    def row_of(self, path: Path_) -> str | None:
        """The file and line of a row of a table, as `FILE:LINE`, if the path leads into one."""
        for length in range(len(path)):
            table, row = self.tables.get(path[:length]), path[length]
            if table is not None and isinstance(row, int) and row < len(table.lines):
                return f"{table.source}:{table.lines[row]}"
        return None

    def line_of(self, path: Path_) -> int | None:
        """The line of a path, or of the nearest part around it that the file has."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def sentences(
    problems: Sequence[Problem],
    document: Document | None,
    *,
    kind: str | None = None,
    most: int = MAX_PROBLEMS,
) -> list[str]:
    """Each problem with its file, line and place, as `FILE:LINE: place: message`, with `kind`
    before the message if it is given. Of more than `most` the rest are counted.
    """
    told = [_sentence(problem, document, kind) for problem in problems[:most]]
    more = len(problems) - len(told)
    return [*told, f"… and {more} more."] if more else told


def _sentence(problem: Problem, document: Document | None, kind: str | None) -> str:
    where = []
    if document is not None and (given := document.given_as(problem.path)):
        where.append(given)
    elif document is not None:
        line = document.line_of(problem.path)
        where.append(f"{document.source}:{line}" if line else document.source)
    if problem.path:
        row = document.row_of(problem.path) if document is not None else None
        where.append(f"{problem.place} ({row})" if row else problem.place)
    return ": ".join([*where, *([kind] if kind else []), problem.message])


def read_document(path: Path) -> Document:
    """Parse a file. Raises DocumentError, naming file and line, if it is not a plain mapping."""
    try:
        return parse_document(read_text(path), str(path))
    except ValueError as exc:
        raise RequestError(f"{path}: {exc}") from exc


def read_piped(data: bytes) -> Document:
    """Parse what came on standard input. Raises as `read_document` does."""
    try:
        text = text_of(data)
    except ValueError as exc:
        raise RequestError(f"{PIPED}: {exc}") from exc
    return parse_document(text, PIPED)


def parse_document(text: str, source: str) -> Document:
    """Parse a text, as JSON if the name of its source says so, else as YAML. Raises as
    `read_document` does.
    """
    try:
        parsed = read_json(text) if source.lower().endswith(".json") else read_yaml(text)
    except Unreadable as exc:
        lines = {} if exc.line is None else {exc.path: exc.line}
        raise DocumentError([Problem(exc.path, exc.message)], Document(source, {}, lines)) from exc
    return Document(source, parsed.data, parsed.lines, parsed.written, parsed.cuts)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?` if something known is near, else a list of what is."""
    known = sorted(known)
    if not known:
        return "there are none."
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
