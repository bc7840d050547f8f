"""Renders that are done already elsewhere in a project, found by their recipes' digests.

There is no index on digests. They are random, so that each of a chunk's rows would go to a page of
its own: measured with 256,000 renders claimed and settled, such an index cost SQLite 55 % of its
rate and PostgreSQL 40 %. Nothing is looked up for a project's only campaign of a model; where
there are others, their digests are read once, in the order in which they stand, and kept: 16 bytes
each.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, bindparam, func, select

from storage.campaigns import HAS_LEFT, outcome_of
from storage.rows import CampaignRow, RenderOutcome
from storage.states import RenderState
from storage.tables import campaigns, renders

# hex digits: 64 bits, of which two in a billion renders have the same about once in forty such
# farms
_PREFIX = 16
_READ_AT_ONCE = 20_000
_MERGE_AT = 50_000
MOST_KEPT = 20_000_000
"""Renders whose digests are kept at a time: 320 MB. The campaigns looked at least recently give
way.
"""

SIBLINGS = (
    select(campaigns.c.id)
    .where(
        campaigns.c.project == bindparam("project"),
        campaigns.c.model_digest == bindparam("model_digest"),
        campaigns.c.encoding == bindparam("encoding"),
        campaigns.c.id != bindparam("campaign"),
        campaigns.c.done > 0,
        campaigns.c.pruned_at.is_(None) | (HAS_LEFT & bindparam("with_retired")),
    )
    .order_by(campaigns.c.project, campaigns.c.name)
)
DIGESTS = (
    select(
        renders.c.number,
        func.substr(renders.c.digest, 1, _PREFIX).label("prefix"),
        renders.c.state,
    )
    .where(renders.c.campaign_id == bindparam("campaign"), renders.c.number > bindparam("last"))
    .order_by(renders.c.number)
    .limit(_READ_AT_ONCE)
)
# One campaign at a time: for pairs of campaign and number, SQLite reads the whole table.
FOUND = select(renders).where(
    renders.c.campaign_id == bindparam("campaign"),
    renders.c.number.in_(bindparam("numbers", expanding=True)),
    renders.c.state == "done",
)


@dataclass
class _Known:
    """The digests of one campaign's renders that are done: sorted, and those that came since."""

    prefixes: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    since: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers) + len(self.since)

    def learn(self, prefix: int, number: int) -> None:
        self.since[prefix] = number
        if len(self.since) >= _MERGE_AT:
            self.merge()

    def merge(self) -> None:
        prefixes = np.concatenate(
            [self.prefixes, np.fromiter(self.since, np.uint64, len(self.since))]
        )
        numbers = np.concatenate(
            [self.numbers, np.fromiter(self.since.values(), np.int64, len(self.since))]
        )
        order = np.argsort(prefixes, kind="stable")
        self.prefixes, self.numbers, self.since = prefixes[order], numbers[order], {}

    def find(self, prefixes: Collection[int]) -> dict[int, int]:
        """The numbers of renders with these prefixes."""
        found = {prefix: self.since[prefix] for prefix in prefixes if prefix in self.since}
        if len(self.prefixes):
            wanted = np.fromiter(prefixes, np.uint64, len(prefixes))
            places = np.minimum(np.searchsorted(self.prefixes, wanted), len(self.prefixes) - 1)
            for k in np.flatnonzero(self.prefixes[places] == wanted):
                found[int(wanted[k])] = int(self.numbers[places[k]])
        return found


class Reuse:
    """The renders of one job database by their digests, as one dispatcher has read and settled
    them.
    """

    def __init__(self, engine: Engine) -> None:
        self._reader = engine.execution_options(readonly=True)
        self._known: dict[int, _Known] = {}

    def siblings(self, campaign: CampaignRow, *, with_retired: bool) -> list[int]:
        """The other campaigns of its project whose pictures could be its own: of its model and its
        encoding, `with_retired` also versions that were replaced.
        """
        project, model, encoding = campaign.project, campaign.model_digest, campaign.encoding
        return self.siblings_of(
            project, model, encoding, campaign=campaign.id, with_retired=with_retired
        )

    def siblings_of(
        self,
        project: str,
        model_digest: str,
        encoding: str,
        *,
        campaign: int = 0,
        with_retired: bool,
    ) -> list[int]:
        """The same for a campaign that is not there yet: all of its project."""
        values = {
            "project": project,
            "model_digest": model_digest,
            "encoding": encoding,
            "campaign": campaign,
            "with_retired": with_retired,
        }
        with self._reader.connect() as connection:
            return list(connection.execute(SIBLINGS, values).scalars())

    def find(
        self,
        siblings: Iterable[int],
        digests: Collection[str],
        numerics_class: str,
        *,
        on_page: Callable[[], object] = lambda: None,
    ) -> dict[str, RenderOutcome]:
        """Of these digests, those that a sibling has a picture of, of that numerics class.
        `on_page` is called again and again while a large campaign is read for the first time.
        """
        wanted = {_prefix(digest): digest for digest in digests}
        found: dict[str, RenderOutcome] = {}
        for campaign_id in siblings:
            numbers = sorted(self._of(campaign_id, on_page).find(wanted.keys()).values())
            if not numbers:
                continue
            with self._reader.connect() as connection:
                rows = connection.execute(
                    FOUND, {"campaign": campaign_id, "numbers": numbers}
                ).all()
            outcomes = [
                outcome_of(row)
                for row in rows
                if row.numerics_class == numerics_class and row.digest in digests
            ]
            found |= {outcome.digest: outcome for outcome in outcomes}
            wanted = {prefix: digest for prefix, digest in wanted.items() if digest not in found}
        return found

    def learn(self, campaign_id: int, outcomes: Iterable[RenderOutcome]) -> None:
        """Take in what was settled, where the campaign's digests are known."""
        known = self._known.get(campaign_id)
        if known is not None:
            for outcome in outcomes:
                if outcome.state is RenderState.DONE:
                    known.learn(_prefix(outcome.digest), outcome.number)

    def _of(self, campaign_id: int, on_page: Callable[[], object]) -> _Known:
        known = self._known.pop(campaign_id, None) or self._read(campaign_id, on_page)
        self._known[campaign_id] = known  # the last one now
        while len(self._known) > 1 and sum(map(len, self._known.values())) > MOST_KEPT:
            del self._known[next(iter(self._known))]
        return known

    def _read(self, campaign_id: int, on_page: Callable[[], object]) -> _Known:
        known, last = _Known(), -1
        while True:
            with self._reader.connect() as connection:
                page = connection.execute(DIGESTS, {"campaign": campaign_id, "last": last}).all()
            for row in page:
                if row.state == RenderState.DONE:
                    known.learn(int(row.prefix, 16), row.number)
            if len(page) < _READ_AT_ONCE:
                known.merge()
                return known
            last = page[-1].number
            on_page()


def _prefix(digest: str) -> int:
    return int(digest[:_PREFIX], 16)
