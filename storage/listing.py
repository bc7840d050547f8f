"""Campaigns and renders a page at a time: reading a page takes as long at a million rows as at a
thousand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, func, literal_column, select

from storage.campaigns import HAS_LEFT, campaign_of, outcome_of, stored
from storage.failed_rules import fails_rule
from storage.rows import CampaignRow, RenderOutcome
from storage.states import Reason, RenderState
from storage.tables import campaigns, renders

_NAMED_AT_ONCE = 1_000
"""Numbers in one query: databases bound how many values a query may have."""


@dataclass(frozen=True, kw_only=True)
class CampaignFilter:
    """Which campaigns are listed."""

    project: str | None = None
    projects: frozenset[str] | None = None
    """Those of these projects alone; None for all."""
    text: str | None = None
    """What stands somewhere in the name."""
    since: float | None = None
    """Those submitted since then, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class EndedFilter:
    """Which renders that have ended are listed."""

    state: RenderState | None = None
    reason: Reason | None = None
    drift_above: float | None = None
    drift_below: float | None = None
    failed_rule: str | None = None
    """The name of a rule, with its version like sharpness@1 or without."""

    @property
    def is_empty(self) -> bool:
        return self == EndedFilter()


class Listing:
    """The rows of one job database, a page at a time."""

    def __init__(self, engine: Engine) -> None:
        self._reader = engine.execution_options(readonly=True)

    def campaigns(
        self, chosen: CampaignFilter, *, before: int | None, limit: int
    ) -> list[CampaignRow]:
        """The next campaigns, the newest first, of those with an id below `before`, without their
        specs. One that is submitted meanwhile moves none of them to another page.
        """
        query = stored(with_spec=False).where(~HAS_LEFT, campaigns.c.proof_of.is_(None))
        if chosen.project is not None:
            query = query.where(campaigns.c.project == chosen.project)
        if chosen.projects is not None:
            query = query.where(campaigns.c.project.in_(sorted(chosen.projects)))
        if chosen.text is not None:
            query = query.where(
                func.lower(campaigns.c.name).contains(chosen.text.lower(), autoescape=True)
            )
        if chosen.since is not None:
            query = query.where(campaigns.c.created_at >= chosen.since)
        if before is not None:
            query = query.where(campaigns.c.id < before)
        with self._reader.connect() as connection:
            found = connection.execute(query.order_by(campaigns.c.id.desc()).limit(limit))
            return [campaign_of(row) for row in found]

    def ended(
        self, campaign_id: int, numbers: Sequence[int], chosen: EndedFilter
    ) -> dict[int, RenderOutcome]:
        """Those of these renders, given in ascending order, that have ended and fit."""
        if not numbers:
            return {}
        conditions = [renders.c.campaign_id == campaign_id, *_conditions(chosen)]
        if numbers[-1] - numbers[0] < 4 * len(numbers):
            wanted = set(numbers)
            found = self._found(*conditions, renders.c.number.between(numbers[0], numbers[-1]))
            return {one.number: one for one in found if one.number in wanted}
        parts = range(0, len(numbers), _NAMED_AT_ONCE)
        return {
            one.number: one
            for k in parts
            for one in self._found(
                *conditions, renders.c.number.in_(numbers[k : k + _NAMED_AT_ONCE])
            )
        }

    def _found(self, *conditions: ColumnElement[bool]) -> list[RenderOutcome]:
        with self._reader.connect() as connection:
            rows = connection.execute(select(renders).where(*conditions))
            return [outcome_of(row) for row in rows]


def _conditions(chosen: EndedFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.state is not None:
        if chosen.state is not RenderState.DONE:
            # The words that the index on renders that are not done is made with.
            found.append(literal_column("state <> 'done'"))
        found.append(renders.c.state == chosen.state)
    if chosen.reason is not None:
        found.append(renders.c.reason == chosen.reason)
    if chosen.drift_above is not None:
        found.append(renders.c.drift > chosen.drift_above)
    if chosen.drift_below is not None:
        found.append(renders.c.drift < chosen.drift_below)
    if chosen.failed_rule is not None:
        found.append(fails_rule(chosen.failed_rule))
    return found
