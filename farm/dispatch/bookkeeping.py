"""The ledger of a session: taken over from the session before, kept up to date, and saved."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from actors.recipes.jobs import ChunkResult
from farm.scheduling.ledger import (
    Ledger,
    account,
    attempt_of,
    past_attempt,
    with_distrust,
    with_open,
    with_workers,
)
from farm.scheduling.ledger_text import ledger_text, read_ledger
from farm.scheduling.trust import Record
from storage.ledgers import Ledgers
from storage.rows import OpenCampaign, Settlement

log = logging.getLogger(__name__)


class Bookkeeping:
    """What attempts have shown so far."""

    def __init__(self, ledgers: Ledgers, weights: Mapping[str, float]) -> None:
        self._ledgers = ledgers
        self._weights = weights
        self._saved = ""
        self.ledger = Ledger()

    def take_over(self) -> None:
        """Go on with the ledger of the session before. Attempts that were settled after it was
        saved last are accounted for again.
        """
        text, attempts = self._ledgers.last()
        self.ledger = _restored(text)
        for attempt in attempts:
            self.ledger = account(
                self.ledger, past_attempt(attempt), weights=self._weights, now=attempt.ended_at
            )

    def save(self, session: int, workers: Collection[str]) -> None:
        """Save the ledger, without the records of workers that have left, if it has changed."""
        self.ledger = with_workers(self.ledger, workers)
        text = ledger_text(self.ledger)
        if text != self._saved:
            self._ledgers.save(session, text)
            self._saved = text

    def look(self, campaigns: Iterable[OpenCampaign]) -> None:
        """Give a share to each campaign that is open now."""
        self.ledger = with_open(self.ledger, campaigns)

    def distrust(self, results: Sequence[ChunkResult], now: float) -> None:
        """Put workers into quarantine whose numerics differ from those of their class."""
        self._keep(with_distrust(self.ledger, results, now))

    def account(
        self,
        settlement: Settlement,
        campaign: OpenCampaign | None,
        at_fault: Iterable[str],
        now: float,
    ) -> None:
        """Account for one attempt, once it is written down."""
        attempt = attempt_of(settlement, campaign)
        self._keep(
            account(self.ledger, attempt, weights=self._weights, now=now, at_fault=at_fault)
        )

    def _keep(self, ledger: Ledger) -> None:
        before, self.ledger = self.ledger, ledger
        for worker, record in ledger.records.items():
            if record.quarantined_until != before.records.get(worker, Record()).quarantined_until:
                log.warning(
                    "Worker %s is in quarantine: %s action=quarantine worker=%s",
                    worker,
                    record.why or "it failed attempts of several campaigns.",
                    worker,
                )


def _restored(text: str | None) -> Ledger:
    if text is None:
        return Ledger()
    try:
        return read_ledger(text)
    except ValueError as exc:
        log.warning("%s All shares begin level. action=account", exc)
        return Ledger()
