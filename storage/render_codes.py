"""How very many renders ended, as bytes: the database writes a letter for each fact of a row, so
that a million rows become arrays without a Python value for each.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Engine, String, case, cast, func, literal, or_, select

from storage.states import Reason, RenderState
from storage.tables import renders, reviews

ENDED = (
    RenderState.DONE,
    RenderState.HELD,
    RenderState.FAILED,
    RenderState.REJECTED,
    RenderState.CANCELLED,
)
"""The states that a row can have. The code of each is its place, from 1."""
REASONS = tuple(Reason)
"""The code of a reason is its place, from 1; 0 is one that this version does not know."""
RULES = ("copy_space", "safe_area", "border", "clipped", "sharpness", "palette")
"""The bit of each rule of a brand that a picture can fail."""
DECILES = 10
_ALPHABET = "".join(chr(48 + k) for k in range(2 ** len(RULES)))
_FIRST = ord(_ALPHABET[0])
_AT_ONCE = 1 << 16  # numbers in one query: no reader keeps a transaction open for long
_BLOCK = 1 << 12  # numbers in one text

Numbers = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Codes:
    """Renders that have ended, ascending by number, and for each the codes of its state and its
    reason, its decile of drift from 1 (0 if it was not measured), and the rules that it fails.
    """

    numbers: Numbers
    states: Bytes
    reasons: Bytes
    deciles: Bytes
    rules: Bytes


class RenderCodes:
    """Reads the renders of one job database as arrays."""

    def __init__(self, engine: Engine) -> None:
        self._reader = engine.execution_options(readonly=True)

    def read(self, campaign_id: int, start: int, stop: int) -> Codes:
        """The renders with numbers from `start` up to but not including `stop`."""
        found = []
        for first in range(start, stop, _AT_ONCE):
            last = min(first + _AT_ONCE, stop)
            between = renders.c.number.between(first, last - 1)
            found.append(self._codes(campaign_id, between))
        return _joined(found)

    def of(self, campaign_id: int, numbers: Collection[int]) -> Codes:
        """Those of these renders that have ended."""
        return self._codes(campaign_id, renders.c.number.in_(numbers))

    def last_decision(self, campaign_id: int) -> int:
        """The number of the last entry in the log of decisions about a campaign; 0 without one."""
        query = select(func.coalesce(func.max(reviews.c.id), 0))
        with self._reader.connect() as connection:
            found = connection.execute(query.where(reviews.c.campaign_id == campaign_id))
            return int(found.scalar_one())

    def _codes(self, campaign_id: int, which: ColumnElement[bool]) -> Codes:
        query = (
            select(
                func.aggregate_strings(cast(renders.c.number, String), ","),
                func.aggregate_strings(_LETTERS, ""),
            )
            .where(renders.c.campaign_id == campaign_id, which)
            .group_by(renders.c.number // _BLOCK)
        )
        with self._reader.connect() as connection:
            return _joined([_read(*row) for row in connection.execute(query)])


def _letter(code: ColumnElement[Any]) -> ColumnElement[str]:
    return func.substr(literal(_ALPHABET), code + 1, 1, type_=String)


def _place(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[Any]:
    return case(
        {value: place for place, value in enumerate(values, start=1)}, value=column, else_=0
    )


def _decile() -> ColumnElement[Any]:
    steps = [(renders.c.drift < k / DECILES, k) for k in range(1, DECILES)]
    return case((renders.c.drift.is_(None), 0), *steps, else_=DECILES)


def _failed() -> ColumnElement[Any]:
    named = literal(",") + renders.c.rules_failed
    bits: ColumnElement[Any] = literal(0)
    for place, rule in enumerate(RULES):
        is_failed = or_(named.like(f"%,{rule}@%"), named.like(f"%,{rule}"))
        bits = bits + case((is_failed, 1 << place), else_=0)
    return case((renders.c.rules_failed.is_(None), 0), else_=bits)


_LETTERS = (
    _letter(_place(renders.c.state, ENDED))
    + _letter(_place(renders.c.reason, REASONS))
    + _letter(_decile())
    + _letter(_failed())
)
_FACTS = 4


def _read(numbers: str, letters: str) -> Codes:
    read = np.fromstring(numbers, np.int64, sep=",")
    codes = np.frombuffer(letters.encode("ascii"), np.uint8).reshape(-1, _FACTS) - _FIRST
    return _sorted(Codes(read, *codes.T))


def _sorted(codes: Codes) -> Codes:
    """The database promises no order within a text, only that both texts of a row have the same
    one.
    """
    order = np.argsort(codes.numbers, kind="stable")
    return Codes(*(part[order] for part in vars(codes).values()))


def _joined(parts: list[Codes]) -> Codes:
    if not parts:
        nothing = np.empty(0, np.uint8)
        return Codes(np.empty(0, np.int64), nothing, nothing, nothing, nothing)
    facts = zip(*(vars(part).values() for part in parts), strict=True)
    return Codes(*map(np.concatenate, facts))
