"""Costs by use, waste among them, from the sums of attempts. Pure.

However the seconds were used, they add up: painted, waste by reason and idle make all that workers
gave.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.spent import USES, WASTES, CostRow

Json = dict[str, Any]
REASONS = {
    "padding_s": "padding",
    "load_s": "loads",
    "retries_s": "retries",
    "stopped_s": "stopped",
    "lost_s": "lost",
}
REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures that costs are shared out to; `approved` is None if nobody has reviewed any.
    `rejected_s` is the device time of pictures that were rejected, of finals and of proofs
    (`proofs_rejected` of the `proofs` that were painted).
    """

    done: int = 0
    approved: int | None = None
    rejected_s: float = 0.0
    proofs: int = 0
    proofs_rejected: int = 0


def costs_of(rows: Sequence[CostRow], pictures: Pictures) -> Json:
    """The costs of a campaign with its proofs."""
    total = _total(rows, pictures)
    return {
        **total,
        "pictures": pictures.done,
        "approved": pictures.approved,
        "per_picture": _shared(total, pictures.done),
        "per_approved": _shared(total, pictures.approved or 0),
        "pools": {
            pool: _total([row for row in rows if (row.pool or "") == pool], Pictures())
            for pool in sorted({row.pool or "" for row in rows})
        },
    }


def total_of(rows: Sequence[CostRow]) -> Json:
    """The costs of one or more campaigns. Rejected pictures count as painted."""
    return _total(rows, Pictures())


def _total(rows: Sequence[CostRow], pictures: Pictures) -> Json:
    finals = [row for row in rows if not row.is_proof]
    proofs = [row for row in rows if row.is_proof]
    seconds = {use: sum(row.seconds[use] for row in rows) for use in USES}
    priced = [row.money for row in rows if row.money is not None]
    money = {use: sum(of[use] for of in priced) for use in USES} if priced else None
    total: Json = {
        "given_s": sum(seconds.values()),
        "money": None if money is None else sum(money.values()),
        "painted": _part(seconds, money, "painted_s"),
        "waste": {REASONS[use]: _part(seconds, money, use) for use in WASTES}
        | {REJECTED: {"seconds": 0.0, "money": None if money is None else 0.0}},
        "idle": _part(seconds, money, "idle_s"),
        "attempts": sum(row.attempts for row in rows),
    }
    _reject_share(total, finals, _rejected_share(finals, pictures.rejected_s))
    if pictures.proofs:
        _reject_share(total, proofs, min(1.0, pictures.proofs_rejected / pictures.proofs))
    return {name: _rounded(value) for name, value in total.items()}


def _rejected_share(rows: Sequence[CostRow], rejected_s: float) -> float:
    """The part of the painted time that rejected pictures took. The time of a picture has its part
    of the empty places beside it, which are counted as padding already.
    """
    painted_s = sum(row.seconds["painted_s"] for row in rows)
    whole_s = painted_s + sum(row.seconds["padding_s"] for row in rows)
    return min(1.0, rejected_s / whole_s) if whole_s else 0.0


def _reject_share(total: Json, rows: Sequence[CostRow], share: float) -> None:
    """Count a part of what was painted as waste."""
    seconds = share * sum(row.seconds["painted_s"] for row in rows)
    money = share * sum(row.money["painted_s"] for row in rows if row.money is not None)
    _reject(total, seconds, money)


def _reject(total: Json, seconds: float, money: float | None) -> None:
    waste, painted = total["waste"][REJECTED], total["painted"]
    waste["seconds"] += seconds
    painted["seconds"] -= seconds
    if waste["money"] is not None:
        waste["money"] += money or 0.0
        painted["money"] -= money or 0.0


def _part(seconds: Mapping[str, float], money: Mapping[str, float] | None, use: str) -> Json:
    return {"seconds": seconds[use], "money": None if money is None else money[use]}


def _shared(total: Json, count: int) -> Json | None:
    """All costs shared out to pictures, waste too."""
    if not count:
        return None
    money = total["money"]
    return {
        "seconds": round(total["given_s"] / count, 6),
        "money": None if money is None else round(money / count, 9),
    }


def _rounded(value: Any) -> Any:
    """To a millionth: sums of floats end in digits that say nothing."""
    if isinstance(value, dict):
        return {name: _rounded(of) for name, of in value.items()}
    return round(value, 9) if isinstance(value, float) else value
