"""Whether a campaign's edits fit its model: how many pictures it sees at once, and of what shape.
Pure.
"""

from collections.abc import Iterator

from actors.models.families import FAMILIES
from actors.models.family import Family
from farm.campaign.expansion import Expansion
from farm.campaign.sources import EDITS, NONE
from farm.documents.document import Problem
from farm.documents.parsed import Path_


def edit_problems(expansion: Expansion) -> Iterator[Problem]:
    """Pictures that the model cannot make one of, and batches, which edits do not have."""
    named = dict(_named(expansion))
    family, model = expansion.family, expansion.model.name
    if family.only_edits:
        yield from _missing(expansion)
    if not named:
        return
    if not family.edits:
        *able, last = [row.name for row in FAMILIES if row.edits]
        yield Problem(
            next(iter(named.values())),
            f"the model {model} ({family.name}) edits no pictures; models of {', '.join(able)} and"
            f" {last} do. To begin from a picture, write `reference: {{image: …}}`.",
        )
        return
    for place, path in named.items():
        if place >= family.edits:
            pictures = "one picture" if family.edits == 1 else f"{family.edits} pictures"
            yield Problem(
                path,
                f"the model {model} ({family.name}) edits {pictures} at once: remove the others.",
            )
    yield from _batch_problems(expansion)


def _missing(expansion: Expansion) -> Iterator[Problem]:
    """Renders of a model that paints nothing but edits, if they are edits of nothing."""
    blank: dict[int, list[int]] = {}  # of each axis that names pictures, the values that name none
    for place, name in enumerate(EDITS):
        found = next((k for k, axis in enumerate(expansion.axes) if name in axis.variables), None)
        if found is None:
            if place < len(expansion.campaign.edit):
                return
            continue
        axis = expansion.axes[found]
        left = blank.get(found, range(len(axis.values)))
        blank[found] = [k for k in left if axis.assignments(k)[name] == NONE]
    if not all(blank.values()) or not expansion.skipping.leaves(blank):
        return
    at, values = next(iter(blank.items()), (None, []))
    yield Problem(
        ("edit",) if at is None else ("vary", expansion.axes[at].name, values[0]),
        f"the model {expansion.model.name} ({expansion.family.name}) paints nothing but edits, and"
        " here it has no picture: name one, as `edit: FILE`.",
    )


def edit_misfit(family: Family, width: int, height: int) -> str | None:
    """What keeps a picture from being edited; None if nothing does."""
    if min(width, height) < family.edit_side:
        return (
            f"the picture is {width}x{height}: to be edited by {family.name}, each side must have"
            f" at least {family.edit_side} pixels."
        )
    if max(width, height) > family.edit_ratio * min(width, height):
        return (
            f"the picture is {width}x{height}: to be edited by {family.name}, no side may be more"
            f" than {family.edit_ratio:g} times as long as the other. Cut it."
        )
    return None


def _named(expansion: Expansion) -> Iterator[tuple[int, Path_]]:
    """The places of the pictures that are edited, with where the file names each first."""
    for place, name in enumerate(EDITS):
        axis = next((axis for axis in expansion.axes if name in axis.variables), None)
        if place < len(expansion.campaign.edit):
            yield place, ("edit", place)
        elif axis is not None:
            yield place, ("vary", axis.name)


def _batch_problems(expansion: Expansion) -> Iterator[Problem]:
    why = "edits are painted one at a time: remove it, or make it 1."
    batch = expansion.campaign.settings.batch
    if isinstance(batch, int) and batch > 1:
        yield Problem(("settings", "batch"), why)
    for axis in expansion.axes:
        for index in range(len(axis.values)) if "batch" in axis.variables else ():
            varied = axis.assignments(index)["batch"]
            if isinstance(varied, int) and varied > 1:
                yield Problem(("vary", axis.name, index), why)
