"""A manifest's line as a person asks for it: its values by the names of axes, settings and
seed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from farm.results.line import Line

Json = dict[str, Any]


def coordinates_of(line: Line) -> Json:
    """Where a render stands on each axis: the values of mappings under their own names."""
    values: Json = {}
    for name, value in line["coordinates"].items():
        values.update(value if isinstance(value, Mapping) else {name: value})
    return values


def fields_of(line: Line) -> Json:
    """Everything that renders are chosen and named by. An axis counts before a setting of its
    name.
    """
    return {
        "number": line["number"],
        "state": line["state"],
        "reason": line["reason"],
        "review": line["review"],
        "shot": line["shot"],
        "campaign": line["campaign"],
        **line["settings"],
        **coordinates_of(line),
        "seed": line["seed"],
    }


def names_in(lines: Iterable[Line]) -> list[str]:
    """The names that any of these lines has, in their order."""
    names: dict[str, None] = {}
    for line in lines:
        names.update(dict.fromkeys(fields_of(line)))
    return list(names)
