"""Drift, decided: the median of a set, the step at which pictures can be stopped, and how often
that is wrong. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from actors.pictures.drift import Layout, drift, layout_from, median_of

ENOUGH = 9
"""Pictures of a set after which its median is fixed: one of them that drifted does not move it."""
FEWEST = 3
"""Of which a median is made once a campaign is over: two have none."""
LEAST_GRIP = 0.25
"""Of a model, below which the pictures of one seed have too little in common for a median."""
FALSE_STOPS = 0.01
"""The share of good pictures that may be stopped by a limit that is calibrated."""
_LIMITS = 100


@dataclass(frozen=True, kw_only=True)
class Anchored:
    """The median of a set, and how far each of its renders is from it, by number."""

    anchor: str
    drifts: Mapping[int, float]


def anchored(layouts: Mapping[int, str], anchor: str | None = None) -> Anchored:
    """Measure a set whose renders' layouts are given by number: from its median if it has one
    already, else from that of its first renders.
    """
    measured = {number: layout_from(text) for number, text in layouts.items()}
    first = [measured[number] for number in sorted(measured)[:ENOUGH]]
    median = median_of(first) if anchor is None else layout_from(anchor)
    return Anchored(
        anchor=median.text,
        drifts={number: drift(layout, median) for number, layout in measured.items()},
    )


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How well the looks at one step tell where pictures end."""

    pictures: int
    correlation: float | None
    """Spearman's rank correlation of the look's drift with the picture's; None if one of the two
    is the same for all."""
    limit: float | None
    """The lowest limit whose rate of false stops is allowed; None if there is none."""
    false_stops: float | None
    """At that limit: of pictures that end within the campaign's limit, the share stopped."""
    stopped: float | None
    """The share of all pictures that it stops."""


def calibrated(
    pairs: Sequence[tuple[float, float]], limit: float, allowed: float = FALSE_STOPS
) -> Calibration:
    """Calibrate a step from pairs of drift, of a look and of its finished picture, for a campaign
    whose pictures may end that far from their anchors.
    """
    looks, ends = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    best = next(
        (
            candidate
            for candidate in (k / _LIMITS for k in range(1, _LIMITS))
            if false_stops(pairs, candidate, limit) <= allowed
        ),
        None,
    )
    return Calibration(
        pictures=len(pairs),
        correlation=_rank_correlation(looks, ends),
        limit=best,
        false_stops=None if best is None else false_stops(pairs, best, limit),
        stopped=None if best is None else float((looks > best).mean()),
    )


def false_stops(pairs: Sequence[tuple[float, float]], stop_beyond: float, limit: float) -> float:
    """Of pictures that end within the limit, the share whose look is beyond the other; 0 if none
    ends within it.
    """
    good = [look for look, end in pairs if end <= limit]
    return sum(look > stop_beyond for look in good) / len(good) if good else 0.0


def wrongly_stopped(stopped: int, done: int, share: float) -> float:
    """About how many of the stopped pictures would have ended within the limit. Of all such, a
    known share is stopped; those that are done are the rest.
    """
    return min(float(stopped), done * share / (1 - share)) if share < 1 else float(stopped)


def grip_of(layouts: Sequence[Sequence[Layout]]) -> float:
    """How much of a composition the seed decides, 0 to 1, of pictures by prompt and then by seed.

    It is the seed's share of the variance, with drift for a distance: squared distances of
    pictures that share neither prompt nor seed are twice the whole variance, those of pictures
    that share the seed lack the seed's part.
    """
    prompts, seeds = range(len(layouts)), range(len(layouts[0]))
    shared: list[float] = []
    neither: list[float] = []
    for p, q in combinations(prompts, 2):
        for s in seeds:
            for t in seeds:
                apart = drift(layouts[p][s], layouts[q][t]) ** 2
                (shared if s == t else neither).append(apart)
    whole = float(np.mean(neither))
    return 0.0 if whole == 0 else float(np.clip(1 - np.mean(shared) / whole, 0, 1))


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    if len(one) < 2:
        return None
    first, second = _ranks(one), _ranks(other)
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place])
