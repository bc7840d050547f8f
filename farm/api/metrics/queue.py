"""Where the renders of a campaign are, and for how long it has waited. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum, auto

from farm.scheduling.refusal import Rule, read_refusal
from storage.metering import OpenRow
from storage.moments import is_to_come


class Place(StrEnum):
    """Where renders of open campaigns are."""

    QUEUED = auto()
    """A worker may have them at once."""
    RUNNING = auto()
    BACKING_OFF = auto()
    """Something that they need cannot be reached."""
    PAUSED = auto()
    STOPPED = auto()
    AWAITING_REVIEW = auto()
    """Their proofs are painted, and nobody has decided yet."""


_LIMITS = frozenset({Rule.BUDGET, Rule.QUOTA, Rule.MONTH, Rule.MAX_WORKERS})


def places(campaign: OpenRow, now: float) -> Mapping[Place, int]:
    """How many renders of a campaign are in each place."""
    found: Counter[Place] = Counter()
    found[Place.RUNNING] += campaign.running
    found[_place(campaign, now)] += max(0, campaign.left - campaign.running)
    found[Place.AWAITING_REVIEW] += campaign.undecided
    return found


def _place(campaign: OpenRow, now: float) -> Place:
    if campaign.halted is not None:
        return Place.STOPPED
    if campaign.is_paused:
        return Place.PAUSED
    if is_to_come(campaign.waits_until, now):
        return Place.BACKING_OFF
    return Place.QUEUED


def budget_used(campaign: OpenRow) -> float:
    """The part of its budget that a campaign has used, of device time or money; 0 without one."""
    budgets = ((campaign.device_s, campaign.budget_s), (campaign.money, campaign.budget_money))
    return max((used / limit for used, limit in budgets if limit), default=0.0)


def review_wait_s(campaign: OpenRow, now: float) -> float:
    """Seconds since all proofs of a campaign ended; 0 if none of them waits for a decision."""
    if not campaign.undecided or campaign.proofed_at is None:
        return 0.0
    return max(0.0, now - campaign.proofed_at)


class Waits:
    """Since when each campaign could have been painted, and was not."""

    def __init__(self) -> None:
        self._barred: set[int] = set()
        self._since: dict[int, float] = {}

    def look(self, campaigns: Iterable[OpenRow], now: float) -> Mapping[int, float]:
        """The seconds for which each campaign has waited that a worker may have now. The time for
        which it was paused, stopped, or at a limit of its own, does not count.
        """
        barred, since, waited = set(), {}, {}
        for campaign in campaigns:
            if not may_be_claimed(campaign, now):
                barred.add(campaign.id)
                continue
            began = now if campaign.id in self._barred else self._since.get(campaign.id, 0.0)
            since[campaign.id] = began
            last = max(began, campaign.created_at, campaign.last_attempt_at or 0.0)
            waited[campaign.id] = 0.0 if campaign.running else max(0.0, now - last)
        self._barred, self._since = barred, since
        return waited


def may_be_claimed(campaign: OpenRow, now: float) -> bool:
    """Whether renders of it wait that neither an order nor a limit of its own keeps back."""
    refusal = read_refusal(campaign.refusal)
    return (
        campaign.left > campaign.running
        and campaign.cancelled_at is None
        and _place(campaign, now) is Place.QUEUED
        and (refusal is None or refusal.rule not in _LIMITS)
    )
