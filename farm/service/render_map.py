"""The map of a campaign: of each render a byte, filters as bitmaps, and counts; read from the job
database as arrays, and kept for as long as they are true.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.campaign.expansion import Expansion
from farm.campaign.map_code import PLAIN, REVIEWS, STATES, packed
from farm.campaign.selection import all_numbers, axis_indices, proof_numbers
from farm.campaign.specs import expansion_of
from storage.campaigns import Campaigns
from storage.errors import RequestError
from storage.render_codes import DECILES, ENDED, REASONS, RULES, Codes, RenderCodes
from storage.reviews import Reviews
from storage.rows import CampaignRow, RenderOutcome
from storage.states import Stage
from storage.verdicts import Verdicts

Json = dict[str, Any]
Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

MOST_MAPS = 8
"""Campaigns whose maps are kept: 5 MB each, if they have a million renders."""
MOST_VALUES = 500
"""Values of an axis that are counted for an answer."""
_FRESH = 10.0
"""A map of a campaign that is painted is kept for that many times the seconds that reading takes:
so reading takes a tenth of the time at most.
"""
_DIGITS = 12
_LONG_S = 0.2  # of reading: a map that takes less is read whenever something has changed
_OF_ENDED = np.array([0, *(STATES.index(state) for state in ENDED)], np.uint8)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """The renders that a person wants to see. Values of one kind are alternatives; all kinds that
    are given must fit.
    """

    states: frozenset[str] = frozenset()
    reviews: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    deciles: frozenset[int] = frozenset()
    rules: frozenset[str] = frozenset()
    at: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """By the place of an axis, the indices of its values; the seed stands after the last axis."""


@dataclass(frozen=True, kw_only=True)
class RenderMap:
    """Every render of a campaign, by number."""

    expansion: Expansion
    exists: Flags
    states: Bytes
    """Places among `STATES`."""
    reviews: Bytes
    deciles: Bytes
    reasons: Bytes
    rules: Bytes

    @property
    def codes(self) -> Bytes:
        return packed(self.states, self.reviews, self.deciles)

    def places(self, axis: int) -> NDArray[np.int64]:
        """The index of each render's value on the axis at a place; the seed is after the last."""
        numbers = np.arange(len(self.exists))
        if axis == len(self.expansion.axes):
            origins = np.array(
                [self.expansion.origin(number) for number in sorted(self.expansion.redos)],
                np.int64,
            )
            numbers[len(numbers) - len(origins) :] = origins
            return numbers % self.expansion.seeds_per_shot
        return axis_indices(self.expansion, numbers, axis)

    def matches(self, wanted: Filter, without: str | None = None) -> Flags:
        """Which renders fit; `without` is a kind that does not count."""
        found = self.exists.copy()
        for kind, flags in self._conditions(wanted):
            if kind != without:
                found &= flags()
        return found

    def _conditions(self, wanted: Filter) -> Iterator[tuple[str, Callable[[], Flags]]]:
        if wanted.states:
            yield "states", lambda: _among(self.states, STATES, wanted.states)
        if wanted.reviews:
            yield "reviews", lambda: _among(self.reviews, REVIEWS, wanted.reviews)
        if wanted.reasons:
            yield "reasons", lambda: _among(self.reasons, ("", *REASONS), wanted.reasons)
        if wanted.deciles:
            yield "deciles", lambda: np.isin(self.deciles, sorted(wanted.deciles))
        if wanted.rules:
            bits = sum(1 << RULES.index(rule) for rule in wanted.rules)
            yield "rules", lambda: (self.rules & bits) != 0
        for axis, indices in wanted.at.items():
            if axis > len(self.expansion.axes):
                raise RequestError(
                    f"at: the campaign has no axis {axis}: the seed is {len(self.expansion.axes)}."
                )
            yield f"at{axis}", partial(self._has_value, axis, indices)

    def _has_value(self, axis: int, indices: Sequence[int]) -> Flags:
        return np.isin(self.places(axis), indices)

    def counts(self, wanted: Filter) -> Json:
        """How many renders fit, and how many would with each value of each kind in place of those
        that are chosen.
        """
        reasons = self.reasons[self.matches(wanted, "reasons")]
        return {
            "total": int(np.count_nonzero(self.exists)),
            "matches": int(np.count_nonzero(self.matches(wanted))),
            "states": _counted(self.states[self.matches(wanted, "states")], STATES),
            "reviews": _counted(self.reviews[self.matches(wanted, "reviews")], REVIEWS),
            "reasons": _counted(reasons, ("", *REASONS), but=("", "painted", "copied")),
            "drift": np.bincount(
                self.deciles[self.matches(wanted, "deciles")], minlength=DECILES + 1
            )[1:].tolist(),
            "rules": self._failed(self.rules[self.matches(wanted, "rules")]),
            "axes": [self._values(wanted, axis) for axis in range(len(self.expansion.axes) + 1)],
        }

    def _failed(self, rules: Bytes) -> dict[str, int]:
        found = {rule: int(np.count_nonzero(rules & (1 << k))) for k, rule in enumerate(RULES)}
        return {rule: count for rule, count in found.items() if count}

    def _values(self, wanted: Filter, axis: int) -> list[int]:
        """How many fit of each of the first values of an axis."""
        places = self.places(axis)[self.matches(wanted, f"at{axis}")]
        found: list[int] = np.bincount(places, minlength=1)[:MOST_VALUES].tolist()
        return found


def _among(codes: Bytes, names: Sequence[str], wanted: frozenset[str]) -> Flags:
    return np.isin(codes, [place for place, name in enumerate(names) if name in wanted])


def _counted(codes: Bytes, names: Sequence[str], but: Sequence[str] = ("none",)) -> dict[str, int]:
    found = np.bincount(codes, minlength=len(names)).tolist()
    return {
        str(name): count
        for name, count in zip(names, found, strict=True)
        if count and name not in but
    }


@dataclass
class _Kept:
    """A map, until something changes."""

    stamp: object = None
    """Changes that people make: the map is never older than they are."""
    counts: object = None
    """Changes that workers make: a large map may be a little older."""
    read_at: float = 0.0
    took_s: float = 0.0
    map: RenderMap | None = None
    lock: Lock = field(default_factory=Lock)


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
            stamp = (decision, campaign.fingerprint, campaign.cancelled_at, len(_redos(campaign)))
            is_true = kept.map is not None and kept.stamp == stamp
            may_wait = now - kept.read_at < _FRESH * kept.took_s and kept.took_s > _LONG_S
            if kept.map is None or not (
                is_true and (kept.counts == _counts_of(campaign) or may_wait)
            ):
                kept.map = self._read(campaign)
                kept.stamp, kept.counts = stamp, _counts_of(campaign)
                kept.read_at = self._clock()
                kept.took_s = kept.read_at - now
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

    def _read(self, campaign: CampaignRow) -> RenderMap:
        expansion, exists = self.expansion(campaign)
        verdicts = self._reviews.verdicts(campaign)
        codes = self._codes.read(campaign.id, 0, len(exists))
        states = self._open(campaign, expansion, exists, verdicts)
        states[codes.numbers] = _OF_ENDED[codes.states]
        deciles, reasons, rules = (
            _spread(part, codes, len(exists))
            for part in (codes.deciles, codes.reasons, codes.rules)
        )
        return RenderMap(
            expansion=expansion,
            exists=exists,
            states=states,
            reviews=_reviews(verdicts, len(exists)),
            deciles=deciles,
            reasons=reasons,
            rules=rules,
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


def _spread(part: Bytes, codes: Codes, size: int) -> Bytes:
    whole = np.zeros(size, np.uint8)
    whole[codes.numbers] = part
    return whole
