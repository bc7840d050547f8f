"""What goes wrong in a trace, drawn at random from its seed."""

import random

from farm.scheduling.values import Pool
from farm.simulation.trace import Trace


class Mishaps:
    """The faults and losses of one run. The same calls in the same order give the same answers."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        # Not for secrets: a trace must give the same report every time.
        self._random = random.Random(trace.seed)  # noqa: S311

    def is_faulty(self, pool: Pool) -> bool:
        """Whether every attempt fails on a worker that starts now."""
        share = self._trace.faulty.get(pool.name, 0.0)
        return share > 0 and self._random.random() < share

    def lost_after_s(self, pool: Pool) -> float | None:
        """How long a worker that is ready now stays, or None if it is never lost."""
        rate = self._trace.losses_per_hour.get(pool.name, 0.0) / 3600
        return self._random.expovariate(rate) if rate else None

    def is_failure(self) -> bool:
        """Whether this attempt at a chunk fails on a worker that is not faulty."""
        rate = self._trace.failure_rate
        return rate > 0 and self._random.random() < rate
