"""How fast campaigns are painted, and when they will be done, with a range. Pure.

The pace of a campaign is taken from its last attempts, the newest with the greatest weight; one
that has none has the pace of its model. How many workers it has, now and once others are done,
says `farm.scheduling.fluid`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.scheduling.fluid import Rest, ends_of
from storage.rows import ANY_CLASS
from storage.spent import PastPace

NEWEST = 0.1
"""The weight of the newest attempt in the mean of a campaign's paces: about the last twenty tell
it."""
RATE_OF = 32
"""Attempts that tell how fast a campaign is painted now."""
MOST_CAMPAIGNS = 200
"""Campaigns that are looked at; those behind them have no estimate."""
SPREAD = 0.12
"""How far, as a part of the time that is left, an estimate is off even if all attempts take the
same: by what others will submit, and by workers that come and go."""
_RANGE = 1.3  # standard deviations: four in five campaigns end within the range


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
    the renders that workers have of campaigns, and the numerics classes of the workers.
    """

    now: float
    campaigns: Sequence[Open]
    attempts: Sequence[PastPace]
    under_way: Mapping[tuple[int, str], int]
    workers: Mapping[str, str | None]
    weights: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)


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
class _Pace:
    """Seconds of a worker for a render, and how far they vary, as a part of that."""

    seconds: float
    spread: float


def outlooks(moment: Moment) -> dict[int, Outlook]:
    """The outlook of each campaign that is open."""
    looked_at = sorted(moment.campaigns, key=lambda one: -one.priority)[:MOST_CAMPAIGNS]
    mine: dict[int, list[PastPace]] = defaultdict(list)
    for attempt in moment.attempts:
        mine[attempt.campaign_id].append(attempt)
    paces = {one.id: _pace(one, mine[one.id], moment.attempts) for one in looked_at}
    rests = [_rest(moment, one, pace) for one in looked_at if (pace := paces[one.id]) is not None]
    ends = ends_of(rests, len(moment.workers), weights=moment.weights, quotas=moment.quotas)
    found = {}
    for one in looked_at:
        outlook, pace = _rate(mine[one.id], moment, one), paces[one.id]
        if pace is not None and one.id in ends and one.left <= one.budget_left:
            outlook = _with_end(outlook, moment, one, pace, ends[one.id])
        found[one.id] = outlook
    return found


def _pace(one: Open, mine: Sequence[PastPace], others: Iterable[PastPace]) -> _Pace | None:
    """The pace of a campaign: its own, or else the one of its model."""
    seconds = [(past.given_s / past.renders, past.renders) for past in mine if past.renders]
    if not seconds and one.left + one.ended:
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
    return _Pace(mean, math.sqrt(variance) / mean if mean else 0.0)


def _rest(moment: Moment, one: Open, pace: _Pace) -> Rest:
    """The rest of a campaign, without the parts of chunks under way that are painted."""
    able = [
        name
        for name, known in moment.workers.items()
        if one.numerics_class in (None, ANY_CLASS) or known in (None, one.numerics_class)
    ]
    seconds = max(0.0, one.left * pace.seconds - _begun_s(moment, one, pace))
    most = len(able) if one.max_workers is None else min(len(able), one.max_workers)
    return Rest(
        id=one.id,
        project=one.project,
        priority=one.priority,
        seconds=seconds,
        most=min(most, one.left),
    )


def _begun_s(moment: Moment, one: Open, pace: _Pace) -> float:
    """The seconds that workers have painted at chunks of a campaign that are under way."""
    ended = {past.worker: past.ended_at for past in moment.attempts}
    held: dict[str, int] = defaultdict(int)
    for (_, worker), renders in moment.under_way.items():
        held[worker] += renders
    return sum(
        min(max(0.0, moment.now - ended[worker]) * renders / held[worker],
            renders * pace.seconds / 2)
        for (campaign, worker), renders in moment.under_way.items()
        if campaign == one.id and worker in ended
    )  # fmt: skip


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


def _with_end(outlook: Outlook, moment: Moment, one: Open, pace: _Pace, left_s: float) -> Outlook:
    chunks_left = max(1.0, one.left / max(1, _renders_of_chunk(moment, one)))
    off = left_s * math.hypot(SPREAD, pace.spread / math.sqrt(chunks_left)) * _RANGE
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
