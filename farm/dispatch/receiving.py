"""Results on their way into the job database: compared with the canaries of their class, turned
into settlements, and written down.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from actors.recipes.jobs import ChunkResult
from farm.dispatch.anchoring import Anchoring
from farm.dispatch.loading import Loading
from farm.dispatch.numerics import Judge
from farm.dispatch.roster import Roster
from farm.dispatch.sending import Sending
from farm.scheduling.retry import settlement_of, unknown_chunk
from farm.scheduling.spending import NO_PRICES, Prices, priced
from storage.errors import NotFound
from storage.rows import OpenCampaign, Settlement
from storage.settling import Settling
from storage.states import AttemptOutcome


class Receiving:
    """The results of one session that are not settled yet."""

    def __init__(
        self,
        *,
        session: int,
        settling: Settling,
        judge: Judge,
        loading: Loading,
        sending: Sending,
        anchoring: Anchoring,
        prices: Prices = NO_PRICES,
    ) -> None:
        self._session = session
        self._settling = settling
        self._judge = judge
        self._loading = loading
        self._sending = sending
        self._anchoring = anchoring
        self._prices = prices
        self._results: list[ChunkResult] = []

    def __len__(self) -> int:
        return len(self._results)

    def take(self, results: Iterable[ChunkResult]) -> None:
        """Keep results until they are settled, however long the database cannot be reached."""
        self._results += results

    def judged(self) -> list[ChunkResult]:
        """All results that are not settled. One from a worker whose canaries differ from those of
        its class is a failure.
        """
        return [self._judge.judged(result) for result in self._results]

    def settle(
        self,
        results: Sequence[ChunkResult],
        campaigns: Mapping[int, OpenCampaign],
        roster: Roster,
    ) -> list[Settlement]:
        """Write down what follows from all results, and return the settlements that counted."""
        settlements = [
            priced(
                self._settlement(result, campaigns.get(result.campaign_id), roster),
                result.facts,
                self._prices,
            )
            for result in results
        ]
        counted = self._settling.settle(self._session, settlements)
        self._anchoring.after(counted)
        return counted

    def forget(self) -> None:
        """Drop all results, as they are settled."""
        self._results = []

    def _settlement(
        self, result: ChunkResult, campaign: OpenCampaign | None, roster: Roster
    ) -> Settlement:
        settlement = self._after(result, campaign)
        if settlement.outcome is AttemptOutcome.NUMERICS and not roster.can_replace(result.worker):
            return replace(settlement, halt=settlement.detail)
        return self._loading.judged(
            settlement, roster.ready_classes, campaign.numerics_class if campaign else None
        )

    def _after(self, result: ChunkResult, campaign: OpenCampaign | None) -> Settlement:
        chunk = self._sending.leased(result.key) or unknown_chunk(result)
        job = partial(self._sending.job, chunk)
        try:
            return settlement_of(result, chunk, job, backoffs=campaign.backoffs if campaign else 0)
        except NotFound:  # the campaign was removed meanwhile, so that the result is stale
            painted = replace(result, failure=None, bad_outputs=())
            return settlement_of(painted, chunk, job, backoffs=0)
