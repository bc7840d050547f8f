"""The API's answers about reviews, as frozen values."""

from typing import Any

from farm.service.views import ProofCounts, View


class AxisVerdicts(View):
    """The verdicts on renders that have one value of an axis."""

    value: str
    rejected: int
    approved: int


class ReviewDecision(View):
    """An entry in the log of decisions. `first` has the first numbers that it is about;
    `decided_at` is in seconds since 1970.
    """

    entry: int
    verdict: str | None
    undoes: int | None
    reason: str | None
    note: str | None
    by: str | None
    chosen_by: dict[str, Any]
    count: int
    first: list[int]
    decided_at: float


class ReviewOverview(View):
    """The verdicts of a campaign, and its last decisions, the oldest of them first."""

    campaign: str
    state: str
    total: int
    approved: int
    rejected: int
    undecided: int
    proofs: ProofCounts | None
    rejects_by_reason: dict[str, int]
    by_axis: dict[str, list[AxisVerdicts]]
    notable: list[str]
    decisions: list[ReviewDecision]


class Decided(View):
    """What a decision did. `queued` counts finals that are painted because of it, `withdrawn`
    those that are not any more, `painted_all_the_same` those that a worker has or had. `redone`
    has the numbers of the renders that take the place of rejected ones. `let_through` counts
    held pictures that are done now, `painted_on` those that were stopped and are queued again.
    """

    changed: int
    why: list[str]
    entry: int | None = None
    verdict: str | None = None
    undoes: int | None = None
    first: list[int] | None = None
    queued: int | None = None
    withdrawn: int | None = None
    painted_all_the_same: int | None = None
    redone: list[int] | None = None
    let_through: int | None = None
    painted_on: int | None = None
    dry_run: bool | None = None
