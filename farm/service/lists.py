"""Lists a page at a time: campaigns, and the renders of one campaign.

A page examines a bounded number of rows. If few of them fit, it is shorter than asked for, or
empty; the list ends with the page that names no next one. So no question about a campaign of a
million renders takes longer than one about a thousand.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from farm.campaign.expansion import Expansion
from farm.campaign.selection import Numbers, at_values, with_seed
from farm.campaign.specs import expansion_of
from farm.documents.document import did_you_mean
from farm.results.where import meant, read_conditions
from farm.service.reading import Reading
from storage.campaigns import Campaigns
from storage.errors import RequestError
from storage.listing import CampaignFilter, EndedFilter, Listing
from storage.reviews import Reviews
from storage.rows import CampaignRow, Chunk, RenderOutcome
from storage.states import CampaignState, RenderState, Stage, Verdict
from storage.verdicts import CODES, UNDECIDED, Verdicts, fold

Json = dict[str, Any]
_EXAMINED = 20_000
"""Renders whose rows are looked at for a page, at most."""
_PLACED = 250_000
"""Renders whose place in the grid is looked at for a page, at most: 20 ms."""
_WORKED_OUT = 5_000
"""The same, if each of them has to be worked out to know its seed."""
_BLOCK = 2_000
_ALWAYS_STORED = (RenderState.DONE, RenderState.FAILED, RenderState.HELD)
"""States of renders that have a row; a rejected one has none if only its proof was painted."""


@dataclass(frozen=True)
class Page:
    """A part of a list, and after which place the next part begins; None at the end."""

    items: list[Json]
    next: int | None


@dataclass(frozen=True, kw_only=True)
class RenderFilter:
    """Which renders of a campaign are listed. All of it has to fit."""

    first: int = 0
    stop: int | None = None
    where: tuple[str, ...] = ()
    """Conditions on axes, like `place=beach`."""
    seed: int | None = None
    verdict: Verdict | None = None
    is_undecided: bool = False
    ended: EndedFilter = field(default_factory=EndedFilter)

    @property
    def is_about_pictures(self) -> bool:
        """Whether only renders that have ended can fit."""
        rest = replace(self.ended, state=None)
        return not rest.is_empty or self.ended.state in _ALWAYS_STORED

    @property
    def is_window(self) -> bool:
        """Whether every render of a range of numbers fits."""
        return replace(self, first=0, stop=None) == RenderFilter()


class Lists:
    """Reads lists; changes nothing."""

    def __init__(
        self, *, listing: Listing, campaigns: Campaigns, reviews: Reviews, reading: Reading
    ) -> None:
        self._listing = listing
        self._campaigns = campaigns
        self._reviews = reviews
        self._reading = reading

    def campaigns(
        self, chosen: CampaignFilter, state: CampaignState | None, before: int | None, limit: int
    ) -> Page:
        """The next campaigns, the newest first."""
        rows: list[CampaignRow] = []
        while True:
            found = self._listing.campaigns(chosen, before=before, limit=limit + 1)
            rows += [row for row in found if state is None or row.state is state]
            if len(rows) > limit:
                return Page(self._reading.rows(rows[:limit]), rows[limit - 1].id)
            if len(found) <= limit:
                return Page(self._reading.rows(rows), None)
            before = found[-1].id

    def renders(
        self, project: str, name: str, chosen: RenderFilter, *, after: int, limit: int,
        version: int | None = None, stage: Stage = Stage.FINAL,
    ) -> Page:  # fmt: skip
        """The next renders after a number, in the order of their numbers."""
        campaign = self._reading.at_stage(project, name, version, stage)
        part = _Part(campaign, self._campaigns, self._reviews)
        numbers, last = part.candidates(chosen, max(chosen.first, after + 1))
        found: list[Json] = []
        stored = chosen.ended if chosen.is_about_pictures else EndedFilter()
        for block in _blocks(numbers, limit if chosen.is_window else _BLOCK):
            ended = self._listing.ended(campaign.id, block, stored)
            for number in block:
                item = part.item(number, ended.get(number), chosen)
                if item is None:
                    continue
                if len(found) == limit:
                    return Page(found, found[-1]["number"])
                found.append(item)
        return Page(found, last)


class _Part:
    """A campaign whose renders are listed."""

    def __init__(self, campaign: CampaignRow, campaigns: Campaigns, reviews: Reviews) -> None:
        self.campaign = campaign
        self.expansion = expansion_of(campaign.spec)
        self._campaigns = campaigns
        self._reviews = reviews

    @cached_property
    def verdicts(self) -> Verdicts:
        """On all renders, at its full size: every number can be looked up."""
        campaign = self.campaign
        log = self._reviews.log(campaign.id if campaign.proof_of is None else campaign.proof_of)
        return fold(log, self.expansion.size)

    @cached_property
    def under_way(self) -> list[Chunk]:
        return self._campaigns.under_way(self.campaign.id)

    def candidates(self, chosen: RenderFilter, first: int) -> tuple[Numbers, int | None]:
        """The next numbers that may fit, and the last one that was looked at if there are
        more.
        """
        size = self.expansion.size
        end = size if chosen.stop is None else min(chosen.stop, size)
        stop = min(end, first + self._span(chosen))
        numbers: Numbers = np.arange(first, max(first, stop), dtype=np.int64)
        numbers = at_values(self.expansion, numbers, _asked(self.expansion, chosen), meant)
        if chosen.seed is not None:
            numbers = with_seed(self.expansion, self._real(numbers), chosen.seed)
        if chosen.verdict is not None or chosen.is_undecided:
            code = UNDECIDED if chosen.verdict is None else CODES[chosen.verdict]
            numbers = numbers[self.verdicts.codes[numbers] == code]
        if len(numbers) > _EXAMINED:
            return numbers[:_EXAMINED], int(numbers[_EXAMINED - 1])
        return numbers, stop - 1 if stop < end else None

    def _span(self, chosen: RenderFilter) -> int:
        has_own_seeds = self.expansion.locked_seeds is None or bool(self.expansion.redos)
        if chosen.seed is not None and has_own_seeds:
            return _WORKED_OUT
        is_reviewed = chosen.verdict is not None or chosen.is_undecided
        is_placed = bool(chosen.where) or chosen.seed is not None or is_reviewed
        return _PLACED if is_placed else _EXAMINED

    def _real(self, numbers: Numbers) -> Numbers:
        """Without empty places of the grid, where a seed has to be worked out."""
        if not self.expansion.has_gaps:
            return numbers
        has = self.expansion.has
        return numbers[np.array([has(number) for number in numbers.tolist()], np.bool_)]

    def item(
        self, number: int, outcome: RenderOutcome | None, chosen: RenderFilter
    ) -> Json | None:
        """A render as a list has it; None if it does not fit."""
        if outcome is None:
            if chosen.is_about_pictures or not self.expansion.has(number):
                return None
            state = self._state(number)
        else:
            state = outcome.state
        if chosen.ended.state not in (None, state):
            return None
        _, render = self.expansion.render(number)
        return {
            "number": number,
            "state": state,
            "reason": outcome and outcome.reason,
            "detail": outcome and outcome.detail,
            "shot": render.shot.key,
            "coordinates": dict(render.shot.coordinates),
            "seed": render.seed,
            "version": render.version,
            "review": self.verdicts.of(number),
            "drift": outcome and outcome.drift,
            "rules_failed": list(outcome.rules_failed) if outcome else [],
            "key": outcome and outcome.key,
            "bytes": outcome and outcome.bytes,
            "finished_at": outcome and outcome.finished_at,
        }

    def _state(self, number: int) -> str:
        """The state of a render that has no row of its own."""
        group_no, ordinal = self.expansion.place(number)
        if any(_has(chunk, group_no, ordinal, number) for chunk in self.under_way):
            return RenderState.RUNNING
        if self.campaign.cancelled_at is not None:
            return RenderState.CANCELLED
        if self.campaign.released is None:
            return RenderState.QUEUED
        verdict = self.verdicts.of(number)
        if verdict is Verdict.REJECTED:
            return RenderState.REJECTED
        return RenderState.QUEUED if verdict is Verdict.APPROVED else "undecided"


def _has(chunk: Chunk, group_no: int, ordinal: int, number: int) -> bool:
    if chunk.numbers is not None:
        return number in chunk.numbers
    return chunk.group_no == group_no and chunk.start <= ordinal < chunk.stop


def _asked(expansion: Expansion, chosen: RenderFilter) -> dict[str, list[str]]:
    """The values that axes shall have. Raises RequestError for an axis that is not there."""
    asked = read_conditions(chosen.where)
    names = {name for axis in expansion.axes for name in (axis.name, *axis.variables)}
    for name in asked:
        if name not in names:
            raise RequestError(
                f"where: the campaign has no axis {name!r}: {did_you_mean(name, names)}"
            )
    return asked


def _blocks(numbers: Numbers, size: int) -> Iterator[list[int]]:
    for k in range(0, len(numbers), size):
        yield numbers[k : k + size].tolist()
