"""Looks at something now and then in a thread of its own, so that no page waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from storage.errors import SeedbedError

T = TypeVar("T")
REFRESH_S = 60.0

log = logging.getLogger(__name__)


def start_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


class NowAndThen(Generic[T]):
    """The last answer of a slow question."""

    def __init__(
        self,
        ask: Callable[[], T],
        first: T,
        *,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = start_thread,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._start = start
        self._next = 0.0
        self._lock = threading.Lock()
        self.last = first

    def look(self) -> T:
        """The last answer. If that is a minute old, it is asked again meanwhile."""
        with self._lock:
            is_due = self._clock() >= self._next
            if is_due:
                self._next = float("inf")  # until this one has ended
        if is_due:
            self._start(self._find)
        return self.last

    def _find(self) -> None:
        try:
            self.last = self._ask()
        except SeedbedError as exc:
            log.warning("Deadlines and quotas are those of before in metrics: %s", exc)
        finally:
            self._next = self._clock() + REFRESH_S
