"""What a campaign may not mean as it is written: warnings, which fail nothing."""

from collections.abc import Iterator

from farm.campaign.axes import Axis
from farm.campaign.batches import has_auto_batch
from farm.campaign.schema import Campaign, DerivedSeeds, used_variables
from farm.campaign.seeding import DERIVATION, OWN, own_place, own_seeds
from farm.campaign.texts import text_warnings
from farm.documents.document import Problem


def campaign_warnings(campaign: Campaign, derivation: int = DERIVATION) -> list[Problem]:
    """What whoever submits a campaign should be told, each at its place in the file; `derivation`
    is how its seeds are derived.
    """
    seeds = _unused_seeds(campaign) if derivation > 1 else _disobeyed_seeds(campaign)
    return [
        *_changing_batches(campaign),
        *_unused_columns(campaign),
        *_equal_rows(campaign),
        *seeds,
        *text_warnings(campaign, is_known=derivation == 1),
    ]


def _changing_batches(campaign: Campaign) -> Iterator[Problem]:
    if has_auto_batch(campaign):
        message = (
            "auto: if a device has too little memory for a batch, all pictures of that size are"
            " planned anew with half of it. Another batch is another picture, though much alike."
        )
        yield Problem(("settings", "batch"), message)


def _unused_columns(campaign: Campaign) -> Iterator[Problem]:
    """Columns that no template uses and `notes` does not name: one warning for each axis."""
    used = used_variables(campaign)
    for axis in campaign.axes:
        if unused := _in_order(axis, axis.variables - used - set(campaign.notes)):
            names, verb = ", ".join(map(repr, unused)), "is" if len(unused) == 1 else "are"
            message = (
                f"{names} {verb} used by no template and kept as a note: if that is meant, write"
                f" `notes: [{', '.join(unused)}]`."
            )
            yield Problem(("vary", axis.name), message)


def _in_order(axis: Axis, names: frozenset[str]) -> list[str]:
    return [name for name in axis.assignments(0) if name in names]


def _equal_rows(campaign: Campaign) -> Iterator[Problem]:
    """Rows that differ in notes alone: one warning for each axis, at the first of them."""
    used = used_variables(campaign)
    for axis in campaign.axes:
        if axis.variables <= used:
            continue
        seen: dict[tuple[tuple[str, str], ...], int] = {}
        pairs = []
        for index in range(len(axis.values)):
            meant = tuple(
                sorted(
                    (name, str(value))
                    for name, value in axis.assignments(index).items()
                    if name in used
                )
            )
            if (first := seen.setdefault(meant, index)) != index:
                pairs.append((first, index))
        if pairs:
            first, index = pairs[0]
            more = f", and {len(pairs) - 1:,} more are like another" if len(pairs) > 1 else ""
            yield Problem(
                ("vary", axis.name, index),
                f"it differs from value {first} in notes alone, so that both paint the same"
                f" pictures{more}. To give each seeds of its own, name a column that tells them"
                f" apart under `seeds`: {{count: 1, per: [{min(axis.variables - used)}]}}.",
            )


def _unused_seeds(campaign: Campaign) -> Iterator[Problem]:
    """`seeds` of a campaign whose rows all have their own, and a column `seed` that a prompt takes
    for words.
    """
    place = own_place(campaign, campaign.axes)
    if place is not None and campaign.seeds != DerivedSeeds(count=1):
        axis = campaign.axes[place]
        if all(own_seeds(axis.assignments(index)[OWN]) for index in range(len(axis.values))):
            yield Problem(
                ("seeds",),
                f"nothing uses them: every value of the axis {axis.name!r} has seeds of its own.",
            )
    for axis in campaign.axes:
        if place is None and OWN in axis.variables and _is_seed(axis.assignments(0)[OWN]):
            yield Problem(
                ("vary", axis.name),
                "`seed` is a word of the prompt here, and no seed: use another name for one of the"
                " two.",
            )


def _disobeyed_seeds(campaign: Campaign) -> Iterator[Problem]:
    """A column of seeds in a campaign of an earlier version, which did not know such columns."""
    place = own_place(campaign, campaign.axes)
    if place is not None:
        yield Problem(
            ("vary", campaign.axes[place].name),
            "the column `seed` is not obeyed, because an earlier version took this campaign and"
            " its seeds stay: give it another name.",
        )


def _is_seed(value: object) -> bool:
    try:
        return bool(own_seeds(value))
    except ValueError:
        return False
