"""The map of a campaign: of each render a byte, filters as bitmaps, and counts. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.campaign.expansion import Expansion
from farm.campaign.map_code import REVIEWS, STATES, packed
from farm.campaign.selection import axis_indices
from storage.errors import RequestError
from storage.render_codes import DECILES, REASONS, RULES

Json = dict[str, Any]
Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

MOST_VALUES = 500
"""Values of an axis that are counted for an answer."""


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
