"""How fast open campaigns are painted, and when they will be done."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from farm.cost import budget_left_s, seconds_per_render
from farm.scheduling.eta import NO_OUTLOOK, Moment, Open, Outlook, outlooks, paces_of
from farm.scheduling.ledger import Ledger
from farm.scheduling.ledger_text import read_ledger
from farm.simulation.foresight import foreseen
from storage.attempts import Attempts
from storage.campaigns import Campaigns
from storage.ledgers import Ledgers
from storage.rows import CampaignRow
from storage.states import CampaignState
from storage.watching import Watching

FRESH_S = 1.0
"""How old outlooks may be that requests to the API share: each look takes 4 ms of a core."""
_PAINTED_IN = (CampaignState.QUEUED, CampaignState.RUNNING)


class Pacing:
    """Reads what the last attempts have shown."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        attempts: Attempts,
        ledgers: Ledgers,
        watching: Watching,
        weights: Mapping[str, float],
        quotas: Mapping[str, int],
        fresh_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Whoever asks for outlooks within `fresh_s` seconds of each other shares one look."""
        self._campaigns = campaigns
        self._attempts = attempts
        self._ledgers = ledgers
        self._watching = watching
        self._weights = weights
        self._quotas = quotas
        self._fresh_s = fresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, Mapping[int, Outlook]] = (-math.inf, {})

    def outlooks(self) -> Mapping[int, Outlook]:
        """The outlook of each open campaign, by its id, `fresh_s` seconds old at most."""
        with self._lock:
            looked_at, known = self._known
            if self._clock() - looked_at >= self._fresh_s:
                known = self._look()
                self._known = (self._clock(), known)
            return known

    def _look(self) -> dict[int, Outlook]:
        rows = [row for row in self._campaigns.all(only_open=True) if may_be_painted(row)]
        moment = self.moment([one for row in rows for one in _open(row)])
        paces = paces_of(moment)
        found = outlooks(moment, paces, foreseen(moment, paces))
        return {row.id: _of(row, found) for row in rows}

    def moment_without(self, campaign: int | None) -> Moment:
        """The moment with all open campaigns but one."""
        rows = [row for row in self._campaigns.all(only_open=True) if may_be_painted(row)]
        others = [row for row in rows if row.id != campaign]
        return self.moment([one for row in others for one in _open(row)])

    def moment(self, campaigns: Sequence[Open]) -> Moment:
        """All that estimates are made of, as of now, with these campaigns open."""
        lately, ledger = self._attempts.lately(), self._ledger()
        return Moment(
            now=lately.now,
            campaigns=campaigns,
            attempts=lately.attempts,
            under_way=lately.under_way,
            workers={
                worker.name: worker.numerics_class
                for worker in self._watching.workers()
                if worker.state.takes_work
            },
            weights=self._weights,
            quotas=dict(self._quotas.items()),
            shares=ledger.shares,
            history=ledger.history,
        )

    def _ledger(self) -> Ledger:
        """What the dispatcher knew of shares and paces a moment ago."""
        text = self._ledgers.text()
        try:
            return Ledger() if text is None else read_ledger(text)
        except ValueError:  # of a later version: all shares begin level
            return Ledger()


def may_be_painted(campaign: CampaignRow) -> bool:
    """Whether something of it or its proofs is left, and nothing stops it."""
    return campaign.state in _PAINTED_IN and campaign.waits_for is None


def _open(row: CampaignRow) -> Iterator[Open]:
    """The rest of a campaign, and of its proofs."""
    whole = Open(
        id=row.id,
        project=row.project,
        model=row.model_digest,
        priority=row.priority,
        max_workers=row.max_workers,
        left=row.left,
        ended=row.ended,
        megapixel_steps=row.megapixel_steps,
        numerics_class=row.numerics_class,
        budget_left=_affordable(row),
    )
    if row.left:
        yield whole
    if row.proofs is not None and row.proofs.left:
        ended = row.proofs.total - row.proofs.left
        yield Open(
            id=row.proofs.id,
            project=row.project,
            model=row.model_digest,
            priority=row.priority,
            max_workers=row.max_workers,
            left=row.proofs.left,
            ended=ended,
            megapixel_steps=row.proofs.megapixel_steps,
        )


def _affordable(row: CampaignRow) -> float:
    """How many more renders the budget pays for, at what the others have cost."""
    if not row.ended or not row.device_s:
        return math.inf
    return row.running + budget_left_s(row) / seconds_per_render(row)


def _of(row: CampaignRow, found: Mapping[int, Outlook]) -> Outlook:
    """The outlook of a campaign: that of its proofs while these are painted."""
    proofs = None if row.proofs is None else found.get(row.proofs.id)
    return proofs or found.get(row.id, NO_OUTLOOK)
