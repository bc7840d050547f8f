"""Models that a worker could not load: a second worker tries, and then the campaign halts. So not
every chunk tries in vain.

This is kept in memory alone: a dispatcher that takes over lets each worker try again.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from storage.rows import ANY_CLASS, OpenCampaign, Settlement
from storage.states import AttemptOutcome


class Loading:
    """By campaign, the workers that could not load its model, and how often each tried."""

    def __init__(self) -> None:
        self._tries: dict[int, dict[str, set[tuple[int, int]]]] = {}
        """Each attempt by chunk and lease: if it could not be written down, it is judged again."""
        self._loaded: set[int] = set()
        """The campaigns whose model another worker has loaded: the worker is at fault, not the
        model.
        """

    def barred(
        self, campaigns: Iterable[OpenCampaign], ready: Mapping[str, str | None]
    ) -> set[tuple[int, str]]:
        """The workers that get nothing of a campaign (campaign id, worker), because others are
        ready that may be able to load its model.

        `ready` has the numerics classes of the workers that may have work. Tries of campaigns that
        are not open are forgotten: whoever resumes one has mended something.
        """
        pins = {campaign.id: campaign.numerics_class for campaign in campaigns}
        self._tries = {
            campaign_id: tries for campaign_id, tries in self._tries.items() if campaign_id in pins
        }
        self._loaded &= pins.keys()
        return {
            (campaign_id, worker)
            for campaign_id, tries in self._tries.items()
            if untried(tries, ready, pins[campaign_id])
            for worker in tries
        }

    def judged(
        self, settlement: Settlement, ready: Mapping[str, str | None], pinned: str | None
    ) -> Settlement:
        """The settlement of an attempt; one whose model could not be loaded halts its campaign
        once enough workers have tried.

        `pinned` is the numerics class that the campaign is painted in, if it has begun.
        """
        if settlement.outcome is not AttemptOutcome.LOADING:
            return settlement
        tries = self._tries.setdefault(settlement.campaign_id, {})
        tries.setdefault(settlement.worker, set()).add((settlement.chunk_id, settlement.lease))
        others, was_loaded = untried(tries, ready, pinned), settlement.campaign_id in self._loaded
        if not is_hopeless(
            {worker: len(keys) for worker, keys in tries.items()}, others, was_loaded=was_loaded
        ):
            return settlement
        return replace(
            settlement, halt=f"{settlement.detail} Tried by {' and '.join(sorted(tries))}."
        )

    def to_blame(self, settlement: Settlement) -> list[str]:
        """The workers that were at fault: this attempt painted something, so the model can be
        loaded. Each is named once.
        """
        tries = self._tries.get(settlement.campaign_id)
        if not tries or not settlement.outcomes or settlement.campaign_id in self._loaded:
            return []
        self._loaded.add(settlement.campaign_id)
        return sorted(tries.keys() - {settlement.worker})


def untried(
    tries: Collection[str], ready: Mapping[str, str | None], pinned: str | None
) -> set[str]:
    """The ready workers that may paint a campaign and have not tried to load its model."""
    return {
        name
        for name, numerics in ready.items()
        if name not in tries and pinned in (None, ANY_CLASS, numerics)
    }


def is_hopeless(tries: Mapping[str, int], others: Collection[str], *, was_loaded: bool) -> bool:
    """Whether a model that workers could not load is not tried any more.

    Two workers must have tried; if there are no others, two tries are enough. If another worker
    has loaded the model, the workers that could not are at fault, as long as there are others.
    """
    if not others:
        return sum(tries.values()) > 1
    return len(tries) > 1 and not was_loaded
