"""The renders that a decision may be about: chosen by number, or by their place in a campaign."""

import numpy as np

from actors.pictures.rules import RULES
from farm.campaign.expansion import Expansion
from farm.campaign.selection import (
    Numbers,
    all_numbers,
    at_values,
    of_shot,
    proof_numbers,
    with_seed,
)
from farm.documents.document import did_you_mean
from farm.results.where import meant, read_conditions
from farm.service.control import check_number
from farm.service.review_rules import Candidates, Choice
from storage.campaigns import Campaigns
from storage.errors import RequestError
from storage.reviews import Reviews
from storage.rows import CampaignRow
from storage.states import RenderState


class Choices:
    """Finds the renders that a person means."""

    def __init__(self, *, campaigns: Campaigns, reviews: Reviews) -> None:
        self._campaigns = campaigns
        self._reviews = reviews

    def candidates(
        self, campaign: CampaignRow, expansion: Expansion, choice: Choice
    ) -> Candidates:
        """The renders that a choice means, and those of them whose picture is not painted yet.

        Raises RequestError for a filter that means nothing, NotFound for a number that the
        campaign does not have.
        """
        if choice.numbers is None:
            numbers = self._measured(campaign, choice, _filtered(expansion, choice))
        else:
            for number in choice.numbers:
                check_number(expansion, campaign, number)
            numbers = np.array(sorted(set(choice.numbers)), np.int64)
        unready = numbers[:0]
        if not _is_all_ready(campaign):
            shown = np.intersect1d(numbers, _with_picture(expansion))
            unready = np.setdiff1d(shown, self._ready(campaign), assume_unique=True)
        return Candidates(
            numbers=numbers,
            are_named=choice.numbers is not None,
            unready=unready,
            held=self._reviews.held(campaign.id) if campaign.held else numbers[:0],
        )

    def _measured(self, campaign: CampaignRow, choice: Choice, numbers: Numbers) -> Numbers:
        """Those of these renders that were measured as a choice asks: their proofs, or they."""
        names = {*RULES, *(name.partition("@")[0] for name in RULES)}
        if choice.rule is not None and choice.rule not in names:
            raise RequestError(
                f"--rule {choice.rule}: there is no such rule: {did_you_mean(choice.rule, names)}"
            )
        measured = self._reviews.measured
        shown = campaign if campaign.released is None else self._campaigns.proofs_of(campaign)
        if choice.drift_below is not None:
            below = measured(shown.id, drift_below=choice.drift_below)
            numbers = np.intersect1d(numbers, below)
        if choice.rule is not None:
            numbers = np.intersect1d(numbers, measured(shown.id, rule=choice.rule))
        if choice.passes_rules:
            numbers = np.intersect1d(numbers, measured(shown.id))
        return numbers

    def _ready(self, campaign: CampaignRow) -> Numbers:
        ended = self._reviews.ended
        if campaign.released is not None:
            return ended(self._campaigns.proofs_of(campaign).id)
        return ended(campaign.id, (RenderState.DONE, RenderState.HELD, RenderState.REJECTED))


def _is_all_ready(campaign: CampaignRow) -> bool:
    if campaign.released is None:
        return campaign.done == campaign.total
    return campaign.proofs is None or not campaign.proofs.left


def _with_picture(expansion: Expansion) -> Numbers:
    """The renders whose picture is looked at: their proof, or themselves."""
    proof = expansion.campaign.proof
    if proof is None:
        return all_numbers(expansion)
    redos = np.array(sorted(expansion.redos), np.int64)
    return np.concatenate([proof_numbers(expansion, proof), redos])


def _filtered(expansion: Expansion, choice: Choice) -> Numbers:
    numbers = all_numbers(expansion)
    asked = read_conditions(choice.where)
    names = {name for axis in expansion.axes for name in (axis.name, *axis.variables)}
    for name in asked:
        if name not in names:
            raise RequestError(
                f"--where {name}: the campaign has no axis {name!r}: {did_you_mean(name, names)}"
            )
    numbers = at_values(expansion, numbers, asked, meant)
    if choice.seed is not None:
        numbers = with_seed(expansion, numbers, choice.seed)
        if not len(numbers):
            raise RequestError(f"--seed {choice.seed}: no chosen render has that seed.")
    if choice.shot is not None:
        numbers = of_shot(expansion, numbers, choice.shot)
        if not len(numbers):
            raise RequestError(
                f"--shot {choice.shot}: no chosen render is of that shot: `farm review` and the"
                " manifest have their names."
            )
    return numbers
