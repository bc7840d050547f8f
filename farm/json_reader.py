"""Reading JSON that a stranger wrote: what is silently dropped or changed elsewhere is refused."""

import json
from typing import Any

from farm.characters import character_name
from farm.parsed import Parsed, Path_, Unreadable

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


class _Int(int):
    """A whole number that knows how it was written."""

    text: str


class _Float(float):
    """A number that knows how it was written."""

    text: str


def read_json(text: str) -> Parsed:
    """Parse a JSON object. Raises Unreadable."""
    try:
        raw = json.loads(text, object_pairs_hook=_mapping, parse_constant=_constant, parse_int=_whole, parse_float=_fraction)
    except json.JSONDecodeError as exc:
        raise Unreadable(f"this is not JSON: {_sentence(exc)}", line=exc.lineno) from exc
    except Unreadable:
        raise
    except (RecursionError, ValueError) as exc:
        raise Unreadable("this is not JSON that can be read: it is nested too deep, or has numbers that are too long.") from exc
    if not isinstance(raw, dict):
        raise Unreadable("a campaign is an object of keys and values.", line=1)
    written: dict[Path_, str] = {}
    data = _plain(raw, (), written)
    return Parsed(data, written=written)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise Unreadable(f"the key {key!r} stands twice in the same object: keep one of them.")
        seen.add(key)
    return dict(pairs)


def _constant(word: str) -> Any:
    raise Unreadable(f"{word} is not a number that can be painted with: write a finite one.")


def _whole(text: str) -> _Int:
    number = _Int(text)
    number.text = text
    return number


def _fraction(text: str) -> _Float:
    number = _Float(text)
    number.text = text
    return number


def _plain(value: Any, path: Path_, written: dict[Path_, str]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner, (*path, key), written) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, (*path, k), written) for k, inner in enumerate(value)]
    if isinstance(value, _Int | _Float):
        written[path] = value.text
        return int(value) if isinstance(value, _Int) else float(value)
    return value


def _sentence(exc: json.JSONDecodeError) -> str:
    """What is wrong, at which column, and the character that stands there."""
    if not exc.doc.strip():
        return "the file is empty."
    if exc.pos >= len(exc.doc):
        return "it ends before it is complete: a bracket, a brace or a quote is not closed."
    char = exc.doc[exc.pos]
    before = exc.doc[: exc.pos].rstrip()
    if char in "]}" and before.endswith(","):
        return f"column {exc.colno}: there is a comma before {char} and nothing after it: remove the comma."
    if exc.msg.startswith("Unterminated string"):
        return f"column {exc.colno}: the quote that opens here is never closed."
    hint = f": {_HINTS[char]}" if char in _HINTS else ""
    what = exc.msg.removesuffix(" at").lower().replace("expecting", "expected")
    return f"column {exc.colno}: {what}, but found {character_name(char)}{hint}."
