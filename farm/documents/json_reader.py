"""Reading a stranger's JSON. Text that other readers silently drop or change is refused."""

import json
import re
from typing import Any

from farm.documents.characters import character_name
from farm.documents.parsed import Parsed, Path_, Unreadable

_HINTS = {
    "'": "texts and keys stand in double quotes",
    "/": "JSON has no comments",
    "#": "JSON has no comments",
    "+": "a number has no plus sign; in quotes it is a text",
    ".": "a number has digits on both sides of its point; in quotes it may be any text",
    "“": "texts and keys stand in straight double quotes",
    "”": "texts and keys stand in straight double quotes",
    "\\": r"write \\ for a backslash",
    "\t": r"in a text, write \t",
    "\n": r"in a text, write \n",
    "\r": r"in a text, write \n",
    "T": "it is written true, or in quotes if it is a text",
    "F": "it is written false, or in quotes if it is a text",
}

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def read_json(text: str) -> Parsed:
    """Parse a JSON object. Raises Unreadable."""
    try:
        data = json.loads(text, object_pairs_hook=_mapping, parse_constant=_constant)
    except json.JSONDecodeError as exc:
        raise Unreadable(f"this is not JSON: {_sentence(exc)}", line=exc.lineno) from exc
    except Unreadable:
        raise
    except (RecursionError, ValueError) as exc:
        raise Unreadable(
            "this is not JSON that can be read: it is nested too deep, or has numbers that are too"
            " long."
        ) from exc
    if not isinstance(data, dict):
        raise Unreadable("the file must be an object of keys and values.", line=1)
    lines, written = _places(text)
    return Parsed(data, lines, written)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise Unreadable(f"the key {key!r} stands twice in the same object: keep one of them.")
        seen.add(key)
    return dict(pairs)


def _constant(word: str) -> Any:
    raise Unreadable(f"{word} is not a number that can be painted with: write a finite one.")


def _places(text: str) -> tuple[dict[Path_, int], dict[Path_, str]]:
    """The line of each part of a JSON text that is known to be right, and the text of each number
    in it.
    """
    lines: dict[Path_, int] = {(): 1}
    written: dict[Path_, str] = {}
    path: list[str | int] = []
    line, counted, at_key = 1, 0, False
    for found in _TOKEN.finditer(text):
        mark, start = found[0], found.start()
        line, counted = line + text.count("\n", counted, start), start
        if at_key and mark[0] == '"':
            path[-1], at_key = json.loads(mark), False
            lines[tuple(path)] = line
        elif mark in "}]":
            path.pop()
            at_key = False
        elif mark == "," and isinstance(path[-1], int):
            path[-1] += 1
        elif mark == ",":
            at_key = True
        elif mark != ":":
            lines.setdefault(tuple(path), line)
            if mark in "{[":
                path.append("" if mark == "{" else 0)
            elif mark[0] in "-0123456789":
                written[tuple(path)] = mark
            at_key = mark == "{"
    return lines, written


def _sentence(exc: json.JSONDecodeError) -> str:
    """The mistake, its column, and the character that stands there."""
    if not exc.doc.strip():
        return "the file is empty."
    if exc.pos >= len(exc.doc):
        return "it ends before it is complete: a bracket, a brace or a quote is not closed."
    char = exc.doc[exc.pos]
    before = exc.doc[: exc.pos].rstrip()
    if char in "]}" and before.endswith(","):
        return (
            f"column {exc.colno}: there is a comma before {char} and nothing after it: remove the"
            " comma."
        )
    if exc.msg.startswith("Unterminated string"):
        return f"column {exc.colno}: the quote that opens here is never closed."
    hint = f": {_HINTS[char]}" if char in _HINTS else ""
    what = exc.msg.removesuffix(" at").lower().replace("expecting", "expected")
    return f"column {exc.colno}: {what}, but found {character_name(char)}{hint}."
