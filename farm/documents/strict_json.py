"""JSON as strangers send it, read strictly: what two parsers could read differently is refused, at
its place.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from farm.documents.document import MAX_PROBLEMS, DocumentError, Problem
from farm.documents.parsed import Path_

MAX_DEPTH = 50


def parse_strictly(data: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises DocumentError, with the place of each, for numbers that are not finite, for halves of
    characters (lone surrogates), for keys that stand twice and for what is nested more than 50
    deep; and for what is not JSON at all.
    """
    try:
        value = json.loads(data.decode(), object_pairs_hook=_mapping)
    except UnicodeDecodeError as exc:
        raise _refusal(f"this is not UTF-8 text (byte {exc.start}): send JSON in UTF-8.") from exc
    except json.JSONDecodeError as exc:
        raise _refusal(
            f"this is not JSON (line {exc.lineno}, column {exc.colno}): {exc.msg}."
        ) from exc
    except RecursionError as exc:
        raise _refusal(_TOO_DEEP) from exc
    except ValueError as exc:  # Python reads no integer of more than 4,300 digits
        raise _refusal("it has a number that is too long: send one with fewer digits.") from exc
    problems = [problem for problem, _ in zip(_problems(value), range(MAX_PROBLEMS), strict=False)]
    if problems:
        raise DocumentError(problems)
    return value


_TOO_DEEP = f"lists and objects are nested more than {MAX_DEPTH} deep: send a flatter value."


def _refusal(message: str) -> DocumentError:
    return DocumentError([Problem((), message)])


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _refusal(f"the key {twice!r} stands twice in the same object: keep one of them.")
    return found


def _problems(root: Any) -> Iterator[Problem]:
    waiting: list[tuple[Path_, Any]] = [((), root)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > MAX_DEPTH:
            yield Problem(path[:3], _TOO_DEEP)
        elif isinstance(value, dict):
            yield from (
                Problem(path, f"the key {key!r} {_HALF}") for key in value if _is_broken(key)
            )
            waiting += [
                ((*path, key), inner)
                for key, inner in reversed(value.items())
                if not _is_broken(key)
            ]
        elif isinstance(value, list):
            waiting += [((*path, k), inner) for k, inner in reversed(list(enumerate(value)))]
        elif isinstance(value, str):
            if _is_broken(value):
                yield Problem(path, f"the text {_HALF}")
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem(
                path,
                "this is not a finite number: JSON has no NaN and no Infinity, and numbers end at"
                " 1.8e308.",
            )


_HALF = "holds half a character (a lone surrogate, U+D800 to U+DFFF): send whole characters."


def _is_broken(text: str) -> bool:
    """Whether a text has a lone surrogate, which no encoding can write."""
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)
