"""How often the autoscaler has decided what about workers, by pool."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from farm.scheduling.values import Change

DECISIONS = ("start", "withdraw", "end", "drain", "cool")
"""Ask for one; take a request back; end one that has been idle; empty one that leaves; leave a
pool alone that gave none in time.
"""


class ScalingCounts:
    """The decisions of one session."""

    def __init__(self) -> None:
        self.wanted: Mapping[str, int] = {}
        self.failed_starts = 0
        self.decisions: dict[str, Counter[str]] = defaultdict(Counter)

    def count(self, change: Change, pools: Mapping[str, str]) -> None:
        """Count a change of a fleet; `pools` has each worker's, by name."""
        self.wanted = change.desired
        for pool in change.start:
            self.note(pool, "start")
        for pool in change.cool:
            self.note(pool, "cool")
        for name in change.withdraw:
            self.note(pools[name], "withdraw")
        for name in change.end:
            self.note(pools[name], "end")

    def note(self, pool: str, decision: str) -> None:
        self.decisions[pool][decision] += 1
