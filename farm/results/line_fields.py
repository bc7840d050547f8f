"""A manifest's line as a person asks for it: its values by the names of axes, settings and
seed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
_OWN = ("number", "state", "reason", "review", "shot", "campaign")


def coordinates_of(line: Json) -> Json:
    """Where a render stands on each axis: the values of mappings under their own names."""
    values: Json = {}
    for name, value in line["coordinates"].items():
        values.update(value if isinstance(value, Mapping) else {name: value})
    return values


def fields_of(line: Json) -> Json:
    """Everything that renders are chosen and named by. An axis counts before a setting of its
    name.
    """
    own = {name: line[name] for name in _OWN}
    return {**own, **line["settings"], **coordinates_of(line), "seed": line["seed"]}


def names_in(lines: Iterable[Json]) -> list[str]:
    """The names that any of these lines has, in their order."""
    names: dict[str, None] = {}
    for line in lines:
        names.update(dict.fromkeys(fields_of(line)))
    return list(names)
