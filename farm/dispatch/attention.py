"""Tells people what to look at: campaigns that wait for a review, deadlines at risk, and projects
whose device hours of the month are nearly spent. It runs beside the dispatcher's loop.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from farm.scheduling.attention import PASSING, concerns_of, month_concern
from farm.scheduling.eta import NO_OUTLOOK, Outlook
from storage.concerns import Concern, Concerns
from storage.errors import SeedbedError
from storage.event_kinds import EventKind
from storage.months import NO_MONTHS, MonthUse
from storage.rows import CampaignRow

LOOK_S = 10.0

log = logging.getLogger(__name__)


class AttentionLoop:
    """Looks at open campaigns and at the months of projects. Each look is one `tick`."""

    def __init__(
        self,
        concerns: Concerns,
        open_campaigns: Callable[[], Sequence[CampaignRow]],
        outlooks: Callable[[], Mapping[int, Outlook]],
        months: Mapping[str, MonthUse] = NO_MONTHS,
    ) -> None:
        self._concerns = concerns
        self._open_campaigns = open_campaigns
        self._outlooks = outlooks
        self._months = months
        self._told_of_months: dict[str, Concern] = {}
        self._seen: set[tuple[int, str]] = set()

    def tick(self) -> int:
        """One look; returns how many events were written. What may pass by itself is told only if
        the look before saw it, too: proofs may be approved by rules, moments after their end.
        """
        rows = self._open_campaigns()
        told = self._concerns.told()
        risk = EventKind.CAMPAIGN_DEADLINE_AT_RISK
        has_deadline = any(
            row.deadline is not None and told.get((row.id, risk)) != f"{row.deadline}"
            for row in rows
        )
        outlooks = self._outlooks() if has_deadline else {}
        found = {
            (row.id, concern.kind.value): concern
            for row in rows
            for concern in concerns_of(row, outlooks.get(row.id, NO_OUTLOOK).eta)
        }
        for key in told.keys() - found.keys():
            if key[1] in PASSING:
                self._concerns.forget(*key)
        new = 0
        for key, concern in found.items():
            is_lasting = key in self._seen or concern.kind not in PASSING
            if is_lasting and told.get(key) != concern.about:
                new += self._concerns.tell(key[0], concern)
        self._seen = set(found)
        return new + self._look_at_months()

    def _look_at_months(self) -> int:
        """The database is asked only about what this loop has not told: others may have."""
        new = 0
        for project, use in self._months.items():
            concern = month_concern(use)
            known = self._told_of_months.get(project)
            if concern is not None and (known is None or known.cause != concern.cause):
                new += self._concerns.tell_of_month(project, concern)
                self._told_of_months[project] = concern
        return new


def watch_campaigns(loop: AttentionLoop, stop: threading.Event) -> None:
    """Look every LOOK_S seconds until `stop` is set."""
    while not stop.wait(LOOK_S):
        try:
            loop.tick()
        except SeedbedError as exc:
            log.warning("Nobody is told what to look at for now: %s action=attention", exc)
