"""How the seconds of an attempt were spent, and what they cost. Values alone."""

from dataclasses import dataclass

WASTES = ("padding_s", "load_s", "retries_s", "stopped_s", "lost_s")
"""The seconds of a worker that no picture came of, by reason."""


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
