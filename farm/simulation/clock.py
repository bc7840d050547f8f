"""The virtual clock: what happens later, in the order of its time."""

import heapq
from collections.abc import Callable, Iterator
from typing import NamedTuple

TICK_S = 0.25
"""How often the dispatcher looks."""


class _Event(NamedTuple):
    time: float
    number: int
    """Events of the same time happen in the order in which they were set."""
    happen: Callable[[], None]


class Clock:
    """A time that moves only when it is told to, and the events that are still to come."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[_Event] = []
        self._set = 0

    @property
    def is_empty(self) -> bool:
        return not self._events

    def at(self, time: float, happen: Callable[[], None]) -> None:
        self._set += 1
        heapq.heappush(self._events, _Event(time, self._set, happen))

    def due(self) -> Iterator[Callable[[], None]]:
        """Take the events whose time has come, the earliest first."""
        while self._events and self._events[0].time <= self.now:
            yield heapq.heappop(self._events).happen

    def advance(self, latest: float) -> None:
        """Go on to the first tick at or after the next event, or after `latest` if that is
        earlier.
        """
        soonest = min([latest, *(event.time for event in self._events[:1])])
        self.now += TICK_S * max(1, -(-(soonest - self.now) // TICK_S))
