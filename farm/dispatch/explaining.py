"""Writes down why campaigns wait, for those who ask."""

from collections.abc import Iterable

from farm.scheduling.assignment import Decision
from farm.scheduling.refusal import refusal_text
from storage.campaigns import Campaigns
from storage.rows import OpenCampaign

REFUSALS_S = 1.0  # the least time between two writes


class Explaining:
    """The reasons for waiting that the job database has, kept up to date."""

    def __init__(self, campaigns: Campaigns) -> None:
        self._campaigns = campaigns
        self._next = 0.0

    def note(self, campaigns: Iterable[OpenCampaign], decision: Decision, now: float) -> None:
        """Write down the refusals of a round, if they are not those that the campaigns have."""
        if now < self._next:
            return
        self._next = now + REFUSALS_S
        texts = {number: refusal_text(why) for number, why in decision.refusals.items()}
        changed = {c.id: texts.get(c.id) for c in campaigns if texts.get(c.id) != c.refusal}
        if changed:
            self._campaigns.note_refusals(changed)
