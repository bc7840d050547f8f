"""What a decision means for each chosen render, and why some stay as they are. Pure."""

from dataclasses import dataclass

import numpy as np

from farm.campaign.selection import Numbers
from farm.documents.counting import counted
from storage.rows import CampaignRow
from storage.states import Verdict
from storage.verdicts import CODES, UNDECIDED, Verdicts


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The renders that a person means: by number, or all to which everything else applies. Without
    anything, all that are undecided.
    """

    numbers: tuple[int, ...] | None = None
    shot: str | None = None
    seed: int | None = None
    where: tuple[str, ...] = ()
    """Conditions on axes, like `place=beach`."""
    drift_below: float | None = None
    """Those whose drift was measured and is less."""
    rule: str | None = None
    """Those that fail this rule of their brand."""
    passes_rules: bool = False
    """Those that fail no rule."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The renders that a choice means."""

    numbers: Numbers
    are_named: bool
    """Whether a person gave their numbers: then an earlier decision about them is changed."""
    unready: Numbers
    """Those whose picture is not painted yet."""
    held: Numbers
    """Those that a rule holds: they need a decision, whatever was decided about their proof."""


@dataclass(frozen=True, kw_only=True)
class Picked:
    """What becomes of the candidates."""

    changed: Numbers
    unready: Numbers
    known: Numbers
    """They have this verdict already."""
    decided: Numbers
    """They have another verdict, and were not named by number."""


def chosen(candidates: Candidates, before: Verdicts, verdict: Verdict) -> Picked:
    """A decision in bulk is about undecided renders alone: nobody loses a decision that was made
    by number.
    """
    numbers = np.setdiff1d(candidates.numbers, candidates.unready, assume_unique=True)
    codes, is_held = before.codes[numbers], np.isin(numbers, candidates.held)
    is_known = (codes == CODES[verdict]) & ~is_held
    is_free = (codes == UNDECIDED) | candidates.are_named | is_held
    return Picked(
        changed=numbers[~is_known & is_free],
        unready=candidates.unready,
        known=numbers[is_known],
        decided=numbers[~is_known & ~is_free],
    )


def sentences(picked: Picked, campaign: CampaignRow, verdict: Verdict) -> list[str]:
    """Why renders stay as they are, a sentence for each kind."""
    picture = "proof" if campaign.released is not None else "picture"
    said = []
    if count := len(picked.known):
        said.append(f"{_renders(count, picked.known)} {_are(count)} {verdict} already.")
    if count := len(picked.unready):
        has = "has" if count == 1 else "have"
        said.append(
            f"{_renders(count, picked.unready)} {has} no {picture} yet: decide once it is painted."
        )
    if count := len(picked.decided):
        other = next(one for one in Verdict if one is not verdict)
        said.append(
            f"{_renders(count, picked.decided)} {_are(count)} {other} and {_stays(count)} so:"
            " name numbers to decide again."
        )
    if not len(picked.changed) and not said:
        said.append(f"No render of {campaign.name} is chosen.")
    return said


def _renders(count: int, numbers: Numbers) -> str:
    return f"Render {numbers[0]}" if count == 1 else counted(count, "render")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _stays(count: int) -> str:
    return "stays" if count == 1 else "stay"
