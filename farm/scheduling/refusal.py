"""Why a campaign that waits was given no worker: the first rule that refused it, with its figures.

The dispatcher stores a refusal with the campaign, and `farm.scheduling.reasons` puts it into
words. A new reason is a member of `Rule` and a sentence there.
"""

import json
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Any

MONEY = "money"
"""Stands in `other` for a budget of money."""
LONGEST = 300  # characters of a refusal as it is stored


class Rule(StrEnum):
    """What can keep a campaign from a worker.

    Beside each rule is what a refusal by it has: `other`, `has` and `limit`.
    """

    # No worker may have a chunk of it (`farm.scheduling.eligibility`).
    NO_WORKER = auto()
    """No worker is ready."""
    NO_CHUNK = auto()
    """The queue has no chunk of it for the workers that have a free place."""
    CANNOT_LOAD = auto()
    """The workers that have a free place could not load its model."""
    NUMERICS = auto()
    """`other`: the numerics class that its pixels are of."""
    BUDGET = auto()
    """`has`: device seconds given and under way; `limit`: those of its budget. Both are money if
    `other` says so.
    """
    QUOTA = auto()
    """`other`: its project; `has`: the workers of that; `limit`: the most it may have."""
    MONTH = auto()
    """`other`: its project; `has`: device seconds that this has used in this month; `limit`: the
    most it may use.
    """
    MAX_WORKERS = auto()
    """`has`: its workers; `limit`: the most it may have."""
    SLOWER = auto()
    """`has`: seconds until the free worker would be done with a chunk; `limit`: seconds until its
    other workers are done with all of it.
    """

    # Another campaign comes first (`farm.scheduling.ranking`).
    LATE = auto()
    """`other`: a campaign that would miss its deadline."""
    PRIORITY = auto()
    """`other`: a campaign; `has`: its own priority; `limit`: that of the other."""
    PROJECT_SHARE = auto()
    """`other`: a project; `has`: seconds that its own project is ahead of that; `limit`: its head
    start.
    """
    SHARE = auto()
    """`other`: a campaign; `has`: seconds that it is ahead of that; `limit`: its head start."""
    NEW = auto()
    """`other`: a campaign that has not begun."""
    COLD = auto()
    """It has not begun and its model is loaded on no worker that it may have. `other`: a campaign
    whose model is loaded; `has`: seconds that the furthest is ahead of it; `limit`: seconds at
    which it comes first.
    """
    WARM = auto()
    """`other`: a campaign whose model is loaded on the worker; `has`: seconds that it is ahead;
    `limit`: its head start.
    """
    UNLOADED = auto()
    """`other`: a campaign whose model no worker has loaded."""
    SPEED = auto()
    """`other`: a campaign that the worker is better at."""
    TURN = auto()
    """`other`: a campaign that is next, by who has been given least and by age."""

    # It is the next one.
    BUSY = auto()
    """`has`: the workers that it may have; each has as many chunks as it may hold."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The first rule that refuses a campaign, and its figures: see `Rule`. Figures are rounded to
    two digits, so that a refusal is equal to that of a moment ago.
    """

    rule: Rule
    other: str | None = None
    has: float | None = None
    limit: float | None = None


def rounded(figure: float) -> float:
    """A figure with two digits."""
    return float(f"{figure:.2g}")


def refusal_text(refusal: Refusal) -> str:
    """A refusal as it is stored: JSON, at most LONGEST characters."""
    figures = [refusal.rule.value, refusal.other, refusal.has, refusal.limit]
    while figures[-1] is None:
        figures.pop()
    return json.dumps(figures, ensure_ascii=False, separators=(",", ":"))


def read_refusal(text: str | None) -> Refusal | None:
    """A refusal as it was stored. None if there is none, or if a later version wrote one that this
    one does not know.
    """
    if text is None:
        return None
    try:
        rule, other, has, limit = _padded(json.loads(text))
        return Refusal(rule=Rule(rule), other=other, has=has, limit=limit)
    except (TypeError, ValueError):
        return None


def _padded(figures: list[Any]) -> list[Any]:
    return [*figures, *[None] * (4 - len(figures))]
