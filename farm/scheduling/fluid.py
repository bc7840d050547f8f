"""When campaigns will be done if workers could be divided among them like a fluid: by priority,
then by the weights of projects, then evenly. Pure.

The dispatcher gives whole chunks to whole workers, by head starts, so that this holds over some
chunks and not for each.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

_LEAST = 1e-9
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Rest:
    """The rest of a campaign: `seconds` of one worker, and how many workers it may have."""

    id: int
    project: str
    priority: int
    seconds: float
    most: float = math.inf


def ends_of(
    rests: Collection[Rest],
    workers: float,
    *,
    weights: Mapping[str, float],
    quotas: Mapping[str, int],
) -> dict[int, float]:
    """In how many seconds each campaign is done; those that get no worker are left out."""
    left = [rest for rest in rests if rest.seconds > _LEAST]
    ends = {rest.id: 0.0 for rest in rests if rest.seconds <= _LEAST}
    passed = 0.0
    while left:
        given = divided(left, workers, weights=weights, quotas=quotas)
        served = [rest for rest in left if given[rest.id] > _LEAST]
        if not served:
            break
        step = min(rest.seconds / given[rest.id] for rest in served)
        passed += step
        after = [replace(rest, seconds=rest.seconds - step * given[rest.id]) for rest in left]
        ends |= {rest.id: passed for rest in after if rest.seconds <= _LEAST * max(1, passed)}
        left = [rest for rest in after if rest.id not in ends]
    return ends


def divided(
    rests: Sequence[Rest],
    workers: float,
    *,
    weights: Mapping[str, float],
    quotas: Mapping[str, int],
) -> dict[int, float]:
    """The part of the workers that each campaign has while all of them have work left."""
    given = {rest.id: 0.0 for rest in rests}
    for priority in sorted({rest.priority for rest in rests}, reverse=True):
        members: dict[str, list[Rest]] = defaultdict(list)
        for rest in rests:
            if rest.priority == priority:
                members[rest.project].append(rest)
        room = workers - sum(given.values())
        used = {
            name: sum(given[rest.id] for rest in rests if rest.project == name) for name in members
        }
        limits = {
            name: min(
                sum(rest.most for rest in of), max(0.0, quotas.get(name, math.inf) - used[name])
            )
            for name, of in members.items()
        }
        shares = _filled(room, limits, {name: weights.get(name, 1.0) for name in members})
        for name, of in members.items():
            mine = {rest.id: rest.most for rest in of}
            given |= _filled(shares[name], mine, dict.fromkeys(mine, 1.0))
    return given


def _filled(room: float, limits: Mapping[K, float], weights: Mapping[K, float]) -> dict[K, float]:
    """`room` divided by weights, to nobody more than its limit, the rest of it to the others."""
    filled: dict[K, float] = {}
    while len(filled) < len(limits):
        open_to = [key for key in limits if key not in filled]
        unit = max(0.0, room - sum(filled.values())) / sum(weights[key] for key in open_to)
        full = [key for key in open_to if limits[key] <= unit * weights[key]]
        for key in full:
            filled[key] = limits[key]
        if not full:
            filled |= {key: unit * weights[key] for key in open_to}
    return filled
