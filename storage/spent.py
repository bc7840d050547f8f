"""Attempts as values: how their seconds were spent and what they cost, and the rows in which they
are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.states import AttemptOutcome, Stage

Json = dict[str, Any]

WASTES = ("padding_s", "load_s", "retries_s", "stopped_s", "lost_s")
"""The seconds of a worker that no picture came of, by reason."""
USES = ("painted_s", *WASTES, "idle_s")
"""All the seconds for which a worker has a chunk, by use."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """The seconds for which a worker of a pool had one chunk, by use. `price` is that of an hour;
    None if the fleet file has no prices.
    """

    pool: str | None = None
    price: float | None = None
    painted_s: float = 0.0
    """Its device painted pictures that were kept."""
    padding_s: float = 0.0
    """Its device painted the empty places of batches that were not full."""
    load_s: float = 0.0
    """It loaded models."""
    retries_s: float = 0.0
    """Its device painted pictures that were not kept: they failed, or are painted again."""
    stopped_s: float = 0.0
    """Its device painted pictures that were stopped on the way, as they drifted."""
    lost_s: float = 0.0
    """It was lost with the chunk, and nothing that it measured is known."""
    idle_s: float = 0.0
    """Its device waited: for files to be read, or the last pictures to be written."""
    megapixel_steps: float = 0.0

    @property
    def given_s(self) -> float:
        wasted_s = sum(float(getattr(self, name)) for name in WASTES)
        return self.painted_s + wasted_s + self.idle_s

    @property
    def money(self) -> float | None:
        """What all these seconds cost; None without a price."""
        return None if self.price is None else self.given_s * self.price / 3600


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """The attempts at a campaign, or at its proofs, in one pool: their seconds by use (`USES`),
    and what these cost; None if none of them had a price. `kept` counts pictures.
    """

    campaign: str
    is_proof: bool = False
    pool: str | None
    attempts: int
    kept: int
    seconds: Mapping[str, float]
    money: Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True)
class PastPace:
    """One attempt, as it tells how long others will take. `given_s` is how long the worker had the
    chunk, `painted_s` for how long of that its device painted.
    """

    campaign_id: int
    model: str
    worker: str
    ended_at: float
    given_s: float
    painted_s: float
    renders: int
    megapixel_steps: float


@dataclass(frozen=True, kw_only=True)
class PastChunk:
    """One attempt at a chunk: its pace, and the pool, the shape and the numerics class of that."""

    pace: PastPace
    pool: str
    shape: str
    numerics_class: str
    loads: int = 0
    load_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AttemptRow:
    """One attempt at a chunk, as metrics read it."""

    id: int
    project: str
    campaign: str
    chunk_id: int
    model: str
    model_digest: str
    stage: Stage
    outcome: AttemptOutcome
    done: int
    failed: int
    held: int
    first_picture_s: float | None
    """Of the attempt that painted the campaign's first picture: the time since its submission."""
    spent: Spent
    facts: Json


@dataclass(frozen=True, kw_only=True)
class PastAttempt:
    """One attempt at a chunk, as the next dispatcher accounts for it. `has_ended`: whether some of
    its renders have ended.
    """

    campaign_id: int
    project: str
    model_digest: str
    worker: str
    outcome: str
    detail: str | None
    has_ended: bool
    facts: Json
    ended_at: float
