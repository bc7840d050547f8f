"""The most workers that projects may have at a time, as the settings and the job database say."""

import time
from collections.abc import Callable, Iterator, Mapping

REFRESH_S = 2.0


class LiveQuotas(Mapping[str, int]):
    """By project, the lower of what the settings say and what an admin has set since. The database
    is asked again every few seconds.
    """

    def __init__(
        self,
        fixed: Mapping[str, int],
        read: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fixed = fixed
        self._read = read
        self._clock = clock
        self._known: dict[str, int] = {}
        self._next: float | None = None

    def __getitem__(self, project: str) -> int:
        return self._now()[project]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[str, int]:
        now = self._clock()
        if self._next is None or now >= self._next:
            self._known = lower_of(self._fixed, self._read())
            self._next = now + REFRESH_S
        return self._known


def lower_of(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Limits of which both must be kept."""
    return {
        name: min(limits[name] for limits in (one, other) if name in limits)
        for name in {**one, **other}
    }
