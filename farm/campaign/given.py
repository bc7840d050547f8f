"""Keys of a campaign that are given beside its file, as `--set key=value` does: values are YAML,
keys are dotted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from farm.documents.document import Document, DocumentError, Problem, parse_document
from farm.documents.parsed import Path_

_KEY = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*")


def with_given(document: Document, given: Iterable[str]) -> Document:
    """The document with these keys in the place of its own. What is wrong with one of them is
    said of `--set key=value`. Raises DocumentError for what cannot be read.
    """
    for text in given:
        document = _with_one(document, text)
    return document


def _with_one(document: Document, text: str) -> Document:
    said = f"--set {text}"
    key, equals, value = text.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise _wrong(said, "write it as key=value, with a key like priority or settings.steps.")
    path: Path_ = tuple(key.split("."))
    read = _read(said, value)
    return replace(
        document,
        data=_put(document.data, path, read.data["value"], said),
        lines=_without(document.lines, path),
        written=_without(document.written, path) | _moved(read.written, path),
        cuts=_without(document.cuts, path) | _moved(read.cuts, path),
        given={**document.given, path: said},
    )


def _read(said: str, value: str) -> Document:
    """The value as YAML reads it after a key."""
    try:
        return parse_document(f"value: {value}\n", said)
    except DocumentError as exc:
        raise _wrong(said, exc.problems[0].message) from exc


def _put(data: Mapping[str, Any], path: Path_, value: Any, said: str) -> dict[str, Any]:
    """A copy of a mapping with a value at a path; mappings on the way are made."""
    name, *rest = path
    if not rest:
        return {**data, str(name): value}
    inner = data.get(str(name), {})
    if not isinstance(inner, Mapping):
        raise _wrong(said, f"{name} is not a mapping in the file, so nothing can be set in it.")
    return {**data, str(name): _put(inner, tuple(rest), value, said)}


def _without(places: Mapping[Path_, Any], path: Path_) -> dict[Path_, Any]:
    """Notes about parts of a document, without those at or below a path."""
    return {place: note for place, note in places.items() if place[: len(path)] != path}


def _moved(places: Mapping[Path_, Any], path: Path_) -> dict[Path_, Any]:
    """Notes about the parts of a value, as notes about those at a path."""
    return {path + place[1:]: note for place, note in places.items() if place[:1] == ("value",)}


def _wrong(said: str, message: str) -> DocumentError:
    return DocumentError([Problem((), message)], Document(said, {}))
