"""Chunks that a worker has been asked to stop."""

import threading

from actors.recipes.errors import Stopped

_KEPT = 1000

Key = tuple[int, int]
"""A chunk's id and lease."""


class Stops:
    """The chunks to stop, each before its next batch or already after the step under way."""

    def __init__(self) -> None:
        self._at_step: dict[Key, bool] = {}
        self._lock = threading.Lock()

    def add(self, key: Key, *, at_step: bool) -> None:
        with self._lock:
            self._at_step[key] = at_step or self._at_step.get(key, False)
            while len(self._at_step) > _KEPT:
                del self._at_step[next(iter(self._at_step))]

    def check_before_batch(self, key: Key) -> None:
        """Raise Stopped if the chunk must not begin another batch."""
        if key in self._at_step:
            raise Stopped

    def check_after_step(self, key: Key) -> None:
        """Raise Stopped if the chunk must not even finish its batch."""
        if self._at_step.get(key):
            raise Stopped
