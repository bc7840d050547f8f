"""Verdicts in counts: why renders were rejected, and on which values of axes rejects gather.
Pure.
"""

from typing import Any

import numpy as np

from farm.campaign.expansion import Expansion
from farm.campaign.selection import Numbers, all_numbers, axis_indices
from storage.states import RejectReason, Verdict
from storage.verdicts import Verdicts

Json = dict[str, Any]
_SHOWN = 50
"""Values of an axis that are counted, those with the most rejects first."""
_TELLING = 0.5
_LIFT = 1.5


def tally(expansion: Expansion, verdicts: Verdicts) -> Json:
    """Rejects by reason, verdicts by axis value, and sentences about values on which rejects
    gather.
    """
    rejected = verdicts.numbers(Verdict.REJECTED)
    approved = verdicts.numbers(Verdict.APPROVED)
    reasons = np.bincount(verdicts.reasons[rejected], minlength=len(RejectReason) + 1)
    by_axis = {
        axis.name: _by_value(expansion, place, rejected, approved)
        for place, axis in enumerate(expansion.axes)
        if len(axis.values) > 1
    }
    return {
        "rejects_by_reason": {
            reason.value: int(reasons[place])
            for place, reason in enumerate(RejectReason, start=1)
            if reasons[place]
        },
        "by_axis": by_axis,
        "notable": _notable(expansion, rejected),
    }


def _by_value(
    expansion: Expansion, place: int, rejected: Numbers, approved: Numbers
) -> list[Json]:
    axis = expansion.axes[place]
    counts = [
        np.bincount(axis_indices(expansion, numbers, place), minlength=len(axis.values))
        for numbers in (rejected, approved)
    ]
    order = np.argsort(-counts[0], kind="stable")[:_SHOWN]
    return [
        {"value": axis.label(int(k)), "rejected": int(counts[0][k]), "approved": int(counts[1][k])}
        for k in order
        if counts[0][k] or counts[1][k]
    ]


def _notable(expansion: Expansion, rejected: Numbers) -> list[str]:
    """Values that have at least half of the rejects, and clearly more than their share of all
    renders.
    """
    if len(rejected) < 2:
        return []
    said, every = [], all_numbers(expansion)
    for place, axis in enumerate(expansion.axes):
        counts, totals = (
            np.bincount(axis_indices(expansion, numbers, place), minlength=len(axis.values))
            for numbers in (rejected, every)
        )
        top = int(np.argmax(counts))
        share, usual = counts[top] / len(rejected), totals[top] / len(every)
        if len(axis.values) > 1 and share >= _TELLING and share >= _LIFT * usual:
            said.append(f"{share:.0%} of the rejects are {axis.name}={axis.label(top)}.")
    return said
