"""How long operations take, and how many of them fail, kept until somebody asks."""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

BOUNDS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""The upper bounds of the classes in which times are counted, in seconds."""
_NOTHING = (0,) * (len(BOUNDS_S) + 1)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The operations of one kind. `counts` has one number for each bound, and one for those that
    took longer than the last; failed ones count too.
    """

    counts: tuple[int, ...] = _NOTHING
    seconds: float = 0.0
    errors: int = 0

    def __add__(self, other: "Timed") -> "Timed":
        return Timed(
            counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
            seconds=self.seconds + other.seconds,
            errors=self.errors + other.errors,
        )


def read_timed(values: Mapping[str, float | list[int]]) -> Timed | None:
    """Timed operations from JSON; None if they are of a version with other bounds."""
    counts, seconds, errors = (values.get(name) for name in ("counts", "seconds", "errors"))
    if not isinstance(counts, list) or len(counts) != len(_NOTHING):
        return None
    if not isinstance(seconds, int | float) or not isinstance(errors, int):
        return None
    return Timed(counts=tuple(counts), seconds=seconds, errors=errors)


class Timings:
    """Operations of several kinds, noted from any thread."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._timed: dict[str, Timed] = {}
        self._lock = threading.Lock()

    def note(self, operation: str, seconds: float, *, failed: bool = False) -> None:
        counts = list(_NOTHING)
        counts[bisect_left(BOUNDS_S, seconds)] = 1
        self.add(operation, Timed(counts=tuple(counts), seconds=seconds, errors=int(failed)))

    def add(self, operation: str, timed: Timed) -> None:
        """Add operations that another process has timed."""
        with self._lock:
            self._timed[operation] = self._timed.get(operation, Timed()) + timed

    @contextmanager
    def timing(self, operation: str, expected: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Time the block. It has failed if it raises anything but `expected` errors."""
        began, failed = self._clock(), True
        try:
            yield
            failed = False
        except expected:
            failed = False
            raise
        finally:
            self.note(operation, self._clock() - began, failed=failed)

    def all(self) -> dict[str, Timed]:
        """The operations so far, by kind."""
        with self._lock:
            return dict(self._timed)

    def take(self) -> dict[str, Timed]:
        """The operations since the last time that they were taken, by kind."""
        with self._lock:
            timed, self._timed = self._timed, {}
        return timed
