"""What varies on a contact sheet: the axes of a campaign and its seeds, and how their values read.
Pure.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from actors.recipes.guidance import guidance_words
from farm.campaign.axes import Axis
from farm.campaign.expansion import Expansion
from farm.campaign.seeding import OWN, own_place
from farm.campaign.sources import FILES
from farm.documents.document import did_you_mean
from farm.results.lettering import plain
from farm.results.sheet_layout import SEED, Dimension, distinct_names
from farm.results.sheet_pages import Matrix
from storage.errors import RequestError

_GROUPS = 1_000  # how many groups are asked for their guidance
_LONGEST = 2_000  # letters of a label that are looked at


def sheet_axes(expansion: Expansion) -> list[Dimension]:
    """Every axis in the order of the file, and the seeds of each shot last, as numbers run."""
    has_own = own_place(expansion.campaign, expansion.axes)
    axes = [
        Dimension(axis.name, tuple(_labels(axis, has_seeds=place == has_own)))
        for place, axis in enumerate(expansion.axes)
    ]
    locked = expansion.locked_seeds
    # Seeds that differ from shot to shot stand under each picture.
    seeds = (
        [f"seed {seed}" for seed in locked]
        if locked
        else [f"seed no. {k + 1}" for k in range(expansion.seeds_per_shot)]
    )
    return [*axes, Dimension(SEED, tuple(seeds))]


def constants(expansion: Expansion, axes: Sequence[Dimension]) -> str:
    """A sentence of what does not vary though it is named: axes of one value, and the one seed of
    all renders.
    """
    *named, seeds = axes
    single = [axis.said(0) for axis in named if len(axis.labels) == 1]
    is_one = expansion.locked_seeds and len(expansion.locked_seeds) == 1
    return " · ".join([*single, *(seeds.labels if is_one else ())])


def guidance_line(expansion: Expansion) -> str:
    """How the pictures are guided, with the kind of guidance: a number of one kind is not that of
    another.
    """
    groups = [expansion.group(k) for k in range(min(expansion.groups, _GROUPS))]
    values = sorted({group.guidance for group in groups if group.guidance is not None})
    if len(values) < 2:
        return guidance_words(expansion.guidance_kind, values[0] if values else None)
    low, high = (guidance_words(expansion.guidance_kind, values[k]) for k in (0, -1))
    return f"{low} to {high.removeprefix('guidance ')}"


def matrix_of(
    expansion: Expansion, axes: Sequence[Dimension], rows: str, columns: str
) -> Matrix | None:
    """The axes that are named, with commas between them, as rows and as columns; None if none are
    named. If only one of both is given, the other is the seeds, if there are several.

    Raises RequestError for a name that is not an axis, or that is given twice.
    """
    chosen = {"rows": _names(rows), "columns": _names(columns)}
    if not any(chosen.values()):
        return None
    seen: set[str] = set()
    for place, names in chosen.items():
        for name in names:
            _check_name(expansion, axes, place, name)
            if name in seen:
                raise RequestError(f"{place}: the axis {name!r} is named twice: name it once.")
            seen.add(name)
    empty = next((place for place, names in chosen.items() if not names), None)
    if empty and SEED not in seen and len(axes[-1].labels) > 1:
        chosen[empty] = (SEED,)
    return Matrix(rows=chosen["rows"], columns=chosen["columns"])


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _check_name(expansion: Expansion, axes: Sequence[Dimension], place: str, name: str) -> None:
    known = {axis.name for axis in axes}
    if name in known:
        return
    owner = next((axis.name for axis in expansion.axes if name in axis.variables), None)
    hint = (
        f"{name!r} is a column of the axis {owner!r}: name that."
        if owner
        else did_you_mean(name, known)
    )
    raise RequestError(f"{place}: the campaign has no axis {name[:200]!r}: {hint}")


def _labels(axis: Axis, *, has_seeds: bool) -> list[str]:
    """The values, of files the names that tell them apart, with the name of the axis if a
    number would say nothing alone.

    Seeds in a column are left out: they stand under the pictures.
    """
    columns = []
    for name in axis.assignments(0):
        if has_seeds and name == OWN:
            continue
        values = [str(axis.assignments(index)[name]) for index in range(len(axis.values))]
        columns.append(
            distinct_names([PurePath(value).parts or (value,) for value in values])
            if name in FILES
            else values
        )
    labels = [
        _bounded(plain(", ".join(filter(None, parts)))) or "(empty)"
        for parts in zip(*columns, strict=True)
    ]
    named = [isinstance(value, str | Mapping) for value in axis.values]
    return [
        label if alone else f"{axis.name} {label}"
        for label, alone in zip(labels, named, strict=True)
    ]


def _bounded(label: str) -> str:
    if len(label) <= _LONGEST:
        return label
    return f"{label[: _LONGEST // 2]}… {label[-_LONGEST // 2 :]}"
