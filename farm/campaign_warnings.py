"""What a campaign may not mean as it is written: warnings, which fail nothing."""

from collections.abc import Iterator

from farm.axes import Axis
from farm.campaign import SETTINGS, Campaign
from farm.document import Problem
from farm.template import Template


def campaign_warnings(campaign: Campaign) -> list[Problem]:
    """What whoever submits a campaign should be told, each at its place in the file."""
    return list(_unused_columns(campaign))


def _unused_columns(campaign: Campaign) -> Iterator[Problem]:
    """Columns that no template uses and `notes` does not name: one warning for each axis."""
    used = used_variables(campaign)
    for axis in campaign.axes:
        if unused := _in_order(axis, axis.variables - used - set(campaign.notes)):
            names, verb = ", ".join(map(repr, unused)), "is" if len(unused) == 1 else "are"
            message = f"{names} {verb} used by no template and kept as a note: if that is meant, write `notes: [{', '.join(unused)}]`."
            yield Problem(("vary", axis.name), message)


def used_variables(campaign: Campaign) -> frozenset[str]:
    """The names that decide what is painted: those in the templates, and the settings."""
    return Template(campaign.prompt).fields | Template(campaign.negative).fields | SETTINGS


def _in_order(axis: Axis, names: frozenset[str]) -> list[str]:
    return [name for name in axis.assignments(0) if name in names]
