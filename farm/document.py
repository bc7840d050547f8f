"""Reading a YAML or JSON file that a stranger wrote, and remembering on which line each of its parts stands."""

import datetime
import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from storage.errors import RequestError

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 20
MAX_PROBLEMS = 20
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9]\d{0,18})(\.\d*)?([eE][-+]?\d{1,3})?|[-+]?\.\d+")

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file, or that a warning is about, at a path like ("vary", "color", 2)."""

    path: Path_
    message: str

    @property
    def place(self) -> str:
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).lstrip(".")


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem as the API tells it: `{"path": [...], "message": "..."}`."""
    return {"path": list(problem.path), "message": problem.message}


def problem_from_json(told: Mapping[str, Any]) -> Problem:
    """A problem that the API told. Raises KeyError or TypeError for what is none."""
    return Problem(tuple(told["path"]), told["message"])


class DocumentError(RequestError):
    """A file that cannot be used: one line a problem, each with file, line and place."""

    def __init__(self, problems: Iterable[Problem], document: "Document | None" = None) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(sentences(self.problems, document)))


@dataclass(frozen=True)
class Document:
    """A parsed file, and the line on which each path begins."""

    source: str
    data: dict[str, Any]
    lines: dict[Path_, int] = field(default_factory=dict)

    def line_of(self, path: Path_) -> int | None:
        """The line of a path, or of the nearest part around it that the file has."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def sentences(problems: Sequence[Problem], document: Document | None, *, kind: str | None = None) -> list[str]:
    """Each problem with its file, line and place, as `FILE:LINE: place: message`, with `kind` before the message if it is given.
    Of more than MAX_PROBLEMS the rest are counted.
    """
    told = [_sentence(problem, document, kind) for problem in problems[:MAX_PROBLEMS]]
    more = len(problems) - len(told)
    return [*told, f"… and {more} more."] if more else told


def _sentence(problem: Problem, document: Document | None, kind: str | None) -> str:
    where = []
    if document is not None:
        line = document.line_of(problem.path)
        where.append(f"{document.source}:{line}" if line else document.source)
    if problem.path:
        where.append(problem.place)
    return ": ".join([*where, *([kind] if kind else []), problem.message])


def read_document(path: Path) -> Document:
    """Parse a file. Raises DocumentError, naming file and line, for what is no plain mapping."""
    try:
        return parse_document(read_text(path), str(path))
    except ValueError as exc:
        raise RequestError(f"{path}: {exc}") from exc


def read_text(path: Path) -> str:
    """The text of a file that a stranger wrote. Raises ValueError, as a sentence, where there is none to be had."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"the file is larger than {MAX_BYTES >> 20} MB.")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ValueError(f"the file is not UTF-8 text (byte {exc.start}): save it as UTF-8.") from exc
    except FileNotFoundError as exc:
        raise ValueError("there is no such file.") from exc
    except OSError as exc:
        raise ValueError(f"the file cannot be read ({exc.strerror}).") from exc


def parse_document(text: str, source: str) -> Document:
    if source.endswith(".json"):
        return Document(source, _parse_json(text, source))
    try:
        _refuse_machinery(text, source)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise RequestError(f"{source}:1: a campaign is a mapping of keys to values, like `name: spring-launch`.")
        reader = _Reader(source)
        data = reader.read(root, ())
        return Document(source, data, reader.lines)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise RequestError(f"{source}:{line}: this is not YAML: {exc.problem or exc.context}.") from exc
    except yaml.YAMLError as exc:
        raise RequestError(f"{source}: this is not YAML: {' '.join(str(exc).split())}.") from exc


def _parse_json(text: str, source: str) -> dict[str, Any]:
    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise RequestError(f"{source}: the key {key!r} stands twice in the same object: keep one of them.")
        return dict(pairs)

    def constant(word: str) -> Any:
        raise RequestError(f"{source}: {word} is not a number that can be painted with: write a finite one.")

    try:
        data = json.loads(text, object_pairs_hook=mapping, parse_constant=constant)
    except json.JSONDecodeError as exc:
        raise RequestError(f"{source}:{exc.lineno}: this is not JSON: {exc.msg}.") from exc
    except (RecursionError, ValueError) as exc:
        raise RequestError(
            f"{source}: this is not JSON that can be read: it is nested too deep, or has numbers that are too long."
        ) from exc
    if not isinstance(data, dict):
        raise RequestError(f"{source}:1: a campaign is an object of keys and values.")
    return data


def _refuse_machinery(text: str, source: str) -> None:
    """Refuse tags, anchors, aliases and great depth while they are still events, before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RequestError(f"{source}:{line}: anchors and aliases (& and *) are not supported: write the value out.")
        tag = getattr(event, "tag", None)
        if tag:
            raise RequestError(f"{source}:{line}: tags ({tag}) are not supported: write a plain value.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise RequestError(f"{source}:{line}: lists and mappings are nested more than {MAX_DEPTH} deep.")


class _Reader:
    """Builds plain values from YAML nodes, noting lines and refusing what is silently dropped or changed elsewhere."""

    def __init__(self, source: str) -> None:
        self.lines: dict[Path_, int] = {}
        self._source = source
        self._scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node, path: Path_) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, k)) for k, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise RequestError(f"{self._source}:{line}: a key must be a plain word.")
            key = key_node.value
            if key in values:
                raise RequestError(f"{self._source}:{line}: the key {key!r} stands twice in the same mapping: keep one of them.")
            values[key] = self.read(value_node, (*path, key))
            self.lines[(*path, key)] = line
        return values

    def _scalar(self, node: yaml.Node, path: Path_) -> Any:
        try:
            value = self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError) as exc:
            raise DocumentError(
                [Problem(path, f"{node.value!r} is no value that can be read: put it in quotes.")], Document(self._source, {}, self.lines)
            ) from exc
        if isinstance(value, float) and not math.isfinite(value):
            message = f"{_short(node.value)} is not a number that can be painted with: write a finite one."
        elif isinstance(value, int | float) and not isinstance(value, bool) and not _PLAIN_NUMBER.fullmatch(node.value):
            message = f"YAML reads {_short(node.value)} as a number in its own way: write it plainly, or put it in quotes to mean text."
        elif isinstance(value, datetime.date) and path == ("deadline",):
            return node.value
        elif isinstance(value, datetime.date | bytes):
            message = f"{node.value} is read as {type(value).__name__} by YAML: put it in quotes to mean text."
        else:
            return value
        raise DocumentError([Problem(path, message)], Document(self._source, {}, self.lines))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?` where something known is near, else a list of what is."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
