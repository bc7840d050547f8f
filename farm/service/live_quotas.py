"""What projects may have, as the settings and the job database say now."""

import time
from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import TypeVar

from storage.months import MonthUse

REFRESH_S = 2.0
MONTHS_REFRESH_S = 30.0  # adding up a month takes longer

T = TypeVar("T")
Clock = Callable[[], float]


class Live(Mapping[str, T]):
    """What a function returns by project, asked again every few seconds. Whoever wants all of one
    moment takes `items()`: between the keys and their values there may be another look.
    """

    def __init__(self, read: Callable[[], Mapping[str, T]], every_s: float, clock: Clock) -> None:
        self._read = read
        self._every_s = every_s
        self._clock = clock
        self._known: Mapping[str, T] = {}
        self._next: float | None = None

    def __getitem__(self, project: str) -> T:
        return self._now()[project]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def items(self) -> ItemsView[str, T]:
        return self._now().items()

    def _now(self) -> Mapping[str, T]:
        now = self._clock()
        if self._next is None or now >= self._next:
            self._known = self._read()
            self._next = now + self._every_s
        return self._known


def live_quotas(
    fixed: Mapping[str, int],
    read: Callable[[], Mapping[str, int]],
    clock: Clock = time.monotonic,
) -> Live[int]:
    """The most workers that projects may have at a time: the lower of what the settings say and
    what an admin has set since.
    """
    return Live(lambda: lower_of(fixed, read()), REFRESH_S, clock)


def live_months(
    read: Callable[[], Mapping[str, MonthUse]], clock: Clock = time.monotonic
) -> Live[MonthUse]:
    """The device time of this month, of the projects that have a limit of it."""
    return Live(read, MONTHS_REFRESH_S, clock)


def spent_months(
    read: Callable[[], Mapping[str, MonthUse]], clock: Clock = time.monotonic
) -> Live[MonthUse]:
    """The projects that have used all device time that they may use in this month."""
    return Live(
        lambda: {name: use for name, use in read().items() if use.is_spent},
        MONTHS_REFRESH_S,
        clock,
    )


def lower_of(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Limits of which both must be kept."""
    return {
        name: min(limits[name] for limits in (one, other) if name in limits)
        for name in {**one, **other}
    }
