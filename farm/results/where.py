"""Conditions like `product=mug`, by which some of a campaign's renders are chosen."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from farm.documents.document import did_you_mean
from farm.results.line import Line
from farm.results.line_fields import fields_of
from storage.errors import RequestError

_NUMBER = re.compile(r"[-+]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][-+]?\d{1,3})?", re.ASCII)
_TOLD = 80


@dataclass(frozen=True)
class Where:
    """Of each name that conditions ask for, the values that it may have. Values of one name are
    alternatives; names must all fit.
    """

    values: Mapping[str, frozenset[Any]]

    def chooses(self, line: Line) -> bool:
        fields = fields_of(line)
        return all(fields.get(name) in allowed for name, allowed in self.values.items())


def read_conditions(conditions: Sequence[str]) -> dict[str, list[str]]:
    """The values that conditions ask of each name. Raises RequestError for text that is not a
    condition.
    """
    asked: dict[str, list[str]] = {}
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not equals or not name.strip():
            raise RequestError(
                f"--where {_short(condition)} is no condition: write NAME=VALUE, like --where"
                " product=mug."
            )
        asked.setdefault(name.strip(), []).append(value.strip())
    return asked


def resolve(asked: Mapping[str, Sequence[str]], lines: Iterable[Line]) -> Where:
    """The values that conditions mean among those that a campaign's lines have: those that are
    written so, else numbers that are equal.

    Raises RequestError, with what is near, for a name or a value that no line has.
    """
    if not asked:
        return Where({})
    names: set[str] = set()
    known: dict[str, set[Any]] = {name: set() for name in asked}
    for line in lines:
        fields = fields_of(line)
        names |= fields.keys()
        for name in asked:
            if name in fields:
                known[name].add(fields[name])
    for name in asked:
        if name not in names:
            raise RequestError(
                f"--where {name}: no render has a {name!r}: {did_you_mean(name, names)}"
            )
    return Where(
        {name: frozenset(meant(name, texts, known[name])) for name, texts in asked.items()}
    )


def meant(name: str, texts: Sequence[str], known: set[Any]) -> set[Any]:
    """Of the values that a name has, those that somebody means with these texts. Raises
    RequestError, with what is near, for a text that means none.
    """
    chosen: set[Any] = set()
    for text in texts:
        found = {value for value in known if _written(value) == text} or {
            value for value in known if _is_same_number(value, text)
        }
        if not found:
            hint = (
                did_you_mean(text, [_short(_written(value)) for value in known])
                if len(known) <= 1_000
                else "the manifest has them all."
            )
            raise RequestError(
                f"--where {name}={_short(text)}: no render that has ended has that {name}: {hint}"
            )
        chosen |= found
    return chosen


def _written(value: Any) -> str:
    return "none" if value is None else str(value)


def _is_same_number(value: Any, text: str) -> bool:
    written = str(value)
    return bool(_NUMBER.fullmatch(text) and _NUMBER.fullmatch(written)) and Decimal(
        text
    ) == Decimal(written)


def _short(text: str) -> str:
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}…"
