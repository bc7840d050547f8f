"""What the runs paint, once where nothing goes wrong and then where everything does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_VARY = {"product": ["mug", "bottle", "lamp", "vase"], "color": ["red", "blue", "yellow"]}
_BASE = {
    "model": "seedling",
    "prompt": "a {color} {product} on a beach",
    "vary": _VARY,
    "settings": {"steps": 10},
}


@dataclass(frozen=True, kw_only=True)
class Work:
    """Campaigns, and how workers do them: with the model, or resting so many seconds for each
    batch.
    """

    name: str
    campaigns: Sequence[Mapping[str, Any]]
    rest_s: float | None


def _two(first: int, second: int) -> Sequence[Mapping[str, Any]]:
    """Two campaigns of 12 shots with so many seeds each."""
    return (
        {**_BASE, "name": "ember", "seeds": {"count": first}},
        {**_BASE, "name": "frost", "seeds": {"count": second}, "order": "every-7"},
    )


# 432 and 720 renders in batches of 4: 11 s and 18 s for two workers that rest.
BRIEF = Work(name="brief", campaigns=_two(24, 12), rest_s=0.2)
RESTED = Work(name="rested", campaigns=_two(40, 20), rest_s=0.2)
PAINTED = Work(
    name="painted", campaigns=({**_BASE, "name": "coral", "seeds": {"count": 12}},), rest_s=None
)
# 96 proofs, of which 76 finals are approved while things go wrong, beside 192 other renders.
REVIEWED = Work(
    name="reviewed",
    campaigns=(
        {**_BASE, "name": "ember", "seeds": {"count": 16}},
        {**_BASE, "name": "grove", "seeds": {"count": 8}, "proof": {"steps": 4}},
    ),
    rest_s=0.3,
)
# As many as BRIEF at half its pace, so that machines have time to come and go.
GROWN = Work(name="grown", campaigns=_two(24, 12), rest_s=0.4)
