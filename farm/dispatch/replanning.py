"""Campaigns whose pictures do not fit a device get smaller batches, if they say `batch: auto`."""

import logging
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor

from farm.service.updating import Updates
from storage.errors import SeedbedError
from storage.rows import Settlement, SmallerBatch

log = logging.getLogger(__name__)


class Replanning:
    """Plans beside the loop: that of a million renders takes minutes. Meanwhile the campaign
    waits. A dispatcher that ends before it is done loses nothing: the campaign is tried again
    after its wait, does not fit again, and is planned anew by the next one.
    """

    def __init__(self, updates: Updates, planner: Executor | None = None) -> None:
        """`planner` runs the plans: a thread of its own, if none is given."""
        self._updates = updates
        self._planner = planner or ThreadPoolExecutor(1, thread_name_prefix="planner")
        self._begun: set[int] = set()

    def after(self, settlements: Iterable[Settlement]) -> None:
        for settlement in settlements:
            number, smaller = settlement.campaign_id, settlement.smaller
            if smaller is not None and number not in self._begun:
                self._begun.add(number)
                self._planner.submit(self._plan, number, smaller)

    def close(self) -> None:
        """Wait until the plans that were begun are stored."""
        self._planner.shutdown()

    def _plan(self, campaign_id: int, smaller: SmallerBatch) -> None:
        try:
            row = self._updates.with_smaller_batch(campaign_id, smaller)
            if row is not None:
                log.warning(
                    "The pictures of %s that are %dx%d do not fit: they are painted %d at once."
                    " action=replan campaign=%d",
                    row.title,
                    *smaller.size,
                    smaller.batch,
                    row.id,
                )
        except SeedbedError as exc:  # replaced or removed meanwhile, or the database is away
            log.warning("No smaller batch was planned: %s campaign=%d", exc, campaign_id)
        finally:
            self._begun.discard(campaign_id)
