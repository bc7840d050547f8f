"""Reads maps of campaigns from the job database as arrays, and keeps them for as long as they are
true.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.campaign.expansion import Expansion
from farm.campaign.map_code import PLAIN, REVIEWS, STATES, packed
from farm.campaign.selection import all_numbers, proof_numbers
from farm.campaign.specs import expansion_of
from farm.service.render_map import Bytes, Flags, RenderMap
from storage.campaigns import Campaigns
from storage.render_codes import ENDED, Codes, RenderCodes
from storage.reviews import Reviews
from storage.rows import CampaignRow, RenderOutcome
from storage.states import Stage
from storage.verdicts import Decision, Verdicts, fold

Json = dict[str, Any]
Numbers = NDArray[np.int64]

MOST_MAPS = 8
"""Campaigns whose maps are kept: 7 MB each, if they have a million renders."""
MOST_PATCHED = 10_000
"""Renders that are read one by one after decisions about them; for more the map is read anew."""
_FRESH = 10.0
"""A map of a campaign that is painted is kept for that many times the seconds that reading takes:
so reading takes a tenth of the time at most.
"""
_DIGITS = 12
_LONG_S = 0.2  # of reading: a map that takes less is read whenever something has changed
_OF_ENDED = np.array([0, *(STATES.index(state) for state in ENDED)], np.uint8)


@dataclass(frozen=True)
class _Ended:
    """What the database has of each render that has ended, as in Codes; 0 for all others."""

    states: Bytes
    reasons: Bytes
    deciles: Bytes
    rules: Bytes

    def with_codes(self, numbers: Numbers, codes: Codes) -> "_Ended":
        """The same after some were read again, of which `codes` has those that have ended."""
        parts = {name: part.copy() for name, part in vars(self).items()}
        for name, part in parts.items():
            part[numbers] = 0
            part[codes.numbers] = getattr(codes, name)
        return _Ended(**parts)


@dataclass
class _Kept:
    """A map, until something changes."""

    stamp: object = None
    """Orders that people give: the map is never older than they are."""
    decision: int = 0
    """The last decision that it has: it is never older than these either."""
    counts: object = None
    """Changes that workers make: a large map may be a little older."""
    finished_at: float | None = None
    read_at: float = 0.0
    took_s: float = 0.0
    ended: _Ended | None = None
    map: RenderMap | None = None
    lock: Lock = field(default_factory=Lock)

    def may_stay(self, campaign: CampaignRow, stamp: object, now: float) -> bool:
        """Whether the rows that were read may be used: only decisions have changed any since, or
        they were read a short time ago.
        """
        is_over = campaign.finished_at is not None and campaign.finished_at == self.finished_at
        may_wait = now - self.read_at < _FRESH * self.took_s and self.took_s > _LONG_S
        is_same = self.counts == _counts_of(campaign)
        return self.stamp == stamp and (is_over or may_wait or is_same)


class RenderMaps:
    """Makes maps of campaigns."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        reviews: Reviews,
        codes: RenderCodes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._campaigns = campaigns
        self._reviews = reviews
        self._codes = codes
        self._clock = clock
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._expansions: OrderedDict[object, tuple[Expansion, Flags]] = OrderedDict()
        self._lock = Lock()

    def campaign(
        self, project: str, name: str, version: int | None = None, stage: Stage = Stage.FINAL
    ) -> CampaignRow:
        """Raises NotFound."""
        found = (
            self._campaigns.get(project, name)
            if version is None
            else self._campaigns.version(project, name, version)
        )
        return found if stage is Stage.FINAL else self._campaigns.proofs_of(found)

    def of(self, campaign: CampaignRow) -> RenderMap:
        """The map of a campaign, or of its proofs. While it is painted, a large one may be some
        seconds old; after a decision never.
        """
        kept = self._place(campaign.id)
        with kept.lock:
            now, decision = self._clock(), self._codes.last_decision(_decided(campaign))
            stamp = (campaign.fingerprint, campaign.cancelled_at, len(_redos(campaign)))
            if kept.map is None or not kept.may_stay(campaign, stamp, now):
                self._read(kept, campaign)
                kept.stamp, kept.counts = stamp, _counts_of(campaign)
                kept.finished_at, kept.decision = campaign.finished_at, decision
                kept.read_at = self._clock()
                kept.took_s = kept.read_at - now
            elif kept.decision != decision:
                self._read(kept, campaign, since=kept.decision)
                kept.decision = decision
            assert kept.map is not None
            return kept.map

    def some(self, campaign: CampaignRow, numbers: Sequence[int]) -> Json:
        """Some renders as they are at this moment. Numbers that there are none of are left out."""
        expansion, exists = self.expansion(campaign)
        wanted = np.array([n for n in numbers if n < len(exists)], np.int64)
        verdicts = self._reviews.verdicts(campaign)
        states = self._open(campaign, expansion, exists, verdicts)[wanted]
        places = {number: place for place, number in enumerate(wanted.tolist())}
        codes = self._codes.of(campaign.id, list(places))
        at = np.array([places[number] for number in codes.numbers.tolist()], np.int64)
        states[at] = _OF_ENDED[codes.states]
        deciles = np.zeros(len(wanted), np.uint8)
        deciles[at] = codes.deciles
        files: list[str | None] = [None] * len(wanted)
        thumbnails = files.copy()
        for outcome in self._campaigns.outcomes_of(campaign.id, list(places)):
            if outcome.key is not None:
                place = places[outcome.number]
                files[place] = file_digits(outcome)
                thumbnails[place] = outcome.thumbnail
        reviews = _reviews(verdicts, len(exists))[wanted]
        found: list[int] = packed(states, reviews, deciles).tolist()
        columns = {"codes": found, "files": files, "thumbnails": thumbnails}
        return {"numbers": wanted.tolist(), **columns}

    def layout(self, campaign: CampaignRow) -> Json:
        """The meaning of a campaign's numbers."""
        expansion, exists = self.expansion(campaign)
        width, height = expansion.group(0).width, expansion.group(0).height
        return {
            "campaign": campaign.title,
            "version": campaign.version,
            "stage": campaign.stage,
            "size": len(exists),
            "total": int(np.count_nonzero(exists)),
            "axes": [
                {"name": axis.name, "labels": [axis.label(k) for k in range(len(axis.values))]}
                for axis in expansion.axes
            ],
            "seeds_per_shot": expansion.seeds_per_shot,
            "seeds": list(expansion.locked_seeds or ()),
            "first_redo": len(exists) - len(expansion.redos),
            "redos": [expansion.redos[number].of for number in sorted(expansion.redos)],
            "aspect": width / height,
        }

    def expansion(self, campaign: CampaignRow) -> tuple[Expansion, Flags]:
        """A campaign's expansion, and which of its numbers have a render; kept while it has the
        same redos.
        """
        key = (campaign.id, campaign.fingerprint, len(_redos(campaign)))
        with self._lock:
            if key in self._expansions:
                self._expansions.move_to_end(key)
                return self._expansions[key]
        expansion = expansion_of(campaign.spec)
        exists = np.zeros(expansion.size, np.bool_)
        is_final = campaign.stage is Stage.FINAL
        exists[all_numbers(expansion) if is_final else self._proofs(campaign)] = True
        with self._lock:
            self._expansions[key] = (expansion, exists)
            while len(self._expansions) > MOST_MAPS:
                self._expansions.popitem(last=False)
        return expansion, exists

    def _proofs(self, campaign: CampaignRow) -> NDArray[np.int64]:
        assert campaign.proof_of is not None
        whole = self._campaigns.by_id(campaign.proof_of, also_replaced=True)
        expansion = expansion_of(whole.spec)
        assert expansion.campaign.proof is not None
        redone = [redo.number for redo in expansion.redos.values() if redo.has_proof]
        chosen = proof_numbers(expansion, expansion.campaign.proof)
        return np.concatenate([chosen, np.array(sorted(redone), np.int64)])

    def _place(self, campaign_id: int) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(campaign_id, _Kept())
            self._kept.move_to_end(campaign_id)
            while len(self._kept) > MOST_MAPS:
                self._kept.popitem(last=False)
            return kept

    def _read(self, kept: _Kept, campaign: CampaignRow, since: int | None = None) -> None:
        """Read a map: all of it, or what decisions may have changed `since` the one of that id."""
        expansion, exists = self.expansion(campaign)
        log = self._reviews.log(_decided(campaign))
        numbers = None if since is None else _decided_since(log, since, len(exists))
        if kept.ended is None or numbers is None or len(numbers) > MOST_PATCHED:
            blank = _Ended(*(np.zeros(len(exists), np.uint8) for _ in range(4)))
            codes = self._codes.read(campaign.id, 0, len(exists))
            kept.ended = blank.with_codes(codes.numbers, codes)
        else:
            codes = self._codes.of(campaign.id, numbers.tolist())
            kept.ended = kept.ended.with_codes(numbers, codes)
        verdicts, ended = fold(log), kept.ended
        states = self._open(campaign, expansion, exists, verdicts)
        kept.map = RenderMap(
            expansion=expansion,
            exists=exists,
            states=np.where(ended.states > 0, _OF_ENDED[ended.states], states),
            reviews=_reviews(verdicts, len(exists)),
            deciles=ended.deciles,
            reasons=ended.reasons,
            rules=ended.rules,
        )

    def _open(
        self, campaign: CampaignRow, expansion: Expansion, exists: Flags, verdicts: Verdicts
    ) -> Bytes:
        """The states of all renders, as if none had ended."""
        waiting = "waiting" if campaign.cancelled_at is None else "cancelled"
        states = np.where(exists, PLAIN.index(waiting), 0).astype(np.uint8)
        if campaign.released is not None and campaign.cancelled_at is None:
            reviews = _reviews(verdicts, len(exists))
            states[exists & (reviews == 0)] = PLAIN.index("undecided")
            states[exists & (reviews == REVIEWS.index("rejected"))] = STATES.index("rejected")
        for chunk in self._campaigns.under_way(campaign.id):
            numbers = (
                chunk.numbers
                if chunk.numbers is not None
                else [r.number for r in expansion.renders(chunk.group_no, chunk.start, chunk.stop)]
            )
            states[list(numbers)] = PLAIN.index("running")
        return states


def file_digits(outcome: RenderOutcome | None) -> str | None:
    """The first digits of the digest of a render's file; None without a picture."""
    if outcome is None or outcome.key is None:
        return None
    return (outcome.sha256 or outcome.digest)[:_DIGITS]


def _decided(campaign: CampaignRow) -> int:
    """The campaign whose log has the decisions."""
    return campaign.id if campaign.proof_of is None else campaign.proof_of


def _decided_since(log: Sequence[Decision], since: int, size: int) -> Numbers:
    """The renders that decisions after the one of that id are about."""
    found = [decision.numbers for decision in log if decision.id > since]
    numbers = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
    return numbers[numbers < size]


def _counts_of(campaign: CampaignRow) -> tuple[object, ...]:
    return (
        campaign.done, campaign.failed, campaign.held, campaign.cancelled, campaign.rejected,
        campaign.running, campaign.released,
    )  # fmt: skip


def _redos(campaign: CampaignRow) -> Sequence[Json]:
    found: Sequence[Json] = campaign.spec.get("redos", ())
    return found


def _reviews(verdicts: Verdicts, size: int) -> Bytes:
    found = np.zeros(size, np.uint8)
    some = verdicts.codes[:size]
    found[: len(some)] = some
    return found
