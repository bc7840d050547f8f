"""How fast campaigns are painted, and when they will be done, with a range. Pure.

The pace of a campaign is taken from its last attempts, the newest with the greatest weight; one
that has none has the pace of its model. How many workers it has, now and once others are done,
says `farm.scheduling.fluid`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.scheduling.history import History
from farm.scheduling.share import Shares
from storage.spent import PastPace

NEWEST = 0.1
"""The weight of the newest attempt in the mean of a campaign's paces: about the last twenty tell
it."""
RATE_OF = 32
"""Attempts that tell how fast a campaign is painted now."""
MOST_CAMPAIGNS = 200
"""Campaigns that are looked at; those behind them have no estimate."""
SPREAD, SPREAD_BESIDE_OTHERS = 0.12, 0.35
"""How far, as a part of the time that is left, estimates are off even if all attempts take the
same: alone on the farm by workers that come and go, beside others also by whose turn it is
(`farm bench eta`)."""
_RANGE = 1.3  # standard deviations: nine in ten campaigns end within the range (`farm bench eta`)


@dataclass(frozen=True, kw_only=True)
class Open:
    """A campaign that may be painted now."""

    id: int
    project: str
    model: str
    priority: int
    max_workers: int | None
    left: int
    ended: int
    megapixel_steps: float
    numerics_class: str | None = None
    budget_left: float = math.inf
    """How many more of its renders its budget pays for."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What an estimate is made of: open campaigns, the last attempts of all, the oldest first,
    the renders that workers have of campaigns, and the numerics classes of the workers. `coming`
    says of those that are not there yet in how many seconds they will be.
    """

    now: float
    campaigns: Sequence[Open]
    attempts: Sequence[PastPace]
    under_way: Mapping[tuple[int, str], int]
    workers: Mapping[str, str | None]
    coming: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    shares: Shares = field(default_factory=Shares)
    history: History = field(default_factory=History)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How fast a campaign is painted, and when it will be done; None if nothing tells it. Times
    are those of the moment's clock.
    """

    renders_per_s: float | None = None
    megapixel_steps_per_s: float | None = None
    eta: float | None = None
    eta_low: float | None = None
    eta_high: float | None = None


NO_OUTLOOK = Outlook()


@dataclass(frozen=True)
class Pace:
    """Seconds of a worker for a render, and how far they vary, as a part of that."""

    seconds: float
    spread: float


def paces_of(moment: Moment) -> dict[int, Pace]:
    """The pace of each campaign that has one, of the first in line."""
    looked_at = sorted(moment.campaigns, key=lambda one: -one.priority)[:MOST_CAMPAIGNS]
    mine = _by_campaign(moment.attempts)
    paces = {one.id: _pace(one, mine[one.id], moment.attempts) for one in looked_at}
    return {number: pace for number, pace in paces.items() if pace is not None}


def outlooks(
    moment: Moment, paces: Mapping[int, Pace], ends: Mapping[int, float]
) -> dict[int, Outlook]:
    """The outlook of each campaign. `ends` says in how many seconds each will be done, as far as
    that can be foreseen.
    """
    mine, found = _by_campaign(moment.attempts), {}
    for one in moment.campaigns:
        outlook = _rate(mine[one.id], moment, one)
        if one.id in ends and one.left <= one.budget_left:
            outlook = _with_end(outlook, moment, one, paces[one.id], ends[one.id])
        found[one.id] = outlook
    return found


def _by_campaign(attempts: Iterable[PastPace]) -> dict[int, list[PastPace]]:
    mine: dict[int, list[PastPace]] = defaultdict(list)
    for attempt in attempts:
        mine[attempt.campaign_id].append(attempt)
    return mine


def _pace(one: Open, mine: Sequence[PastPace], others: Iterable[PastPace]) -> Pace | None:
    """The pace of a campaign: its own, or else the one of its model."""
    seconds = [(past.given_s / past.renders, past.renders) for past in mine if past.renders]
    if not seconds and one.megapixel_steps:
        size = one.megapixel_steps / (one.left + one.ended)
        seconds = [
            (past.given_s / past.megapixel_steps * size, past.renders)
            for past in others
            if past.model == one.model and past.megapixel_steps and past.renders
        ]
    if not seconds:
        return None
    weights = [
        renders * (1 - NEWEST) ** age
        for age, (_, renders) in zip(range(len(seconds) - 1, -1, -1), seconds, strict=True)
    ]
    total = sum(weights)
    mean = sum(pace * weight for (pace, _), weight in zip(seconds, weights, strict=True)) / total
    variance = (
        sum(
            weight * (pace - mean) ** 2 for (pace, _), weight in zip(seconds, weights, strict=True)
        )
        / total
    )
    return Pace(mean, math.sqrt(variance) / mean if mean else 0.0)


def begun_by(moment: Moment, worker: str) -> float:
    """The seconds since a worker's last attempt ended, in which it has painted at the next."""
    ended = {past.worker: past.ended_at for past in moment.attempts}
    return max(0.0, moment.now - ended[worker]) if worker in ended else 0.0


def _rate(mine: Sequence[PastPace], moment: Moment, one: Open) -> Outlook:
    """How fast a campaign is painted, from its last attempts; nothing if none is under way."""
    if not any(campaign == one.id for campaign, _ in moment.under_way) or not mine:
        return NO_OUTLOOK
    recent = mine[-RATE_OF:]
    began = min(past.ended_at - past.given_s for past in recent)
    seconds = max(recent[-1].ended_at - began, 1e-6)
    return Outlook(
        renders_per_s=sum(past.renders for past in recent) / seconds,
        megapixel_steps_per_s=sum(past.megapixel_steps for past in recent) / seconds,
    )


def _with_end(outlook: Outlook, moment: Moment, one: Open, pace: Pace, left_s: float) -> Outlook:
    chunks_left = max(1.0, one.left / max(1, _renders_of_chunk(moment, one)))
    usual = SPREAD if len(moment.campaigns) == 1 else SPREAD_BESIDE_OTHERS
    off = left_s * math.hypot(usual, pace.spread / math.sqrt(chunks_left)) * _RANGE
    return replace(
        outlook,
        eta=moment.now + left_s,
        eta_low=moment.now + max(0.0, left_s - off),
        eta_high=moment.now + left_s + off,
    )


def _renders_of_chunk(moment: Moment, one: Open) -> int:
    return next(
        (past.renders for past in reversed(moment.attempts) if past.campaign_id == one.id), 1
    )
