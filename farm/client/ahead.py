"""Work on many items in threads, with few of them in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def worked_ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], at_most: int
) -> Iterator[tuple[T, Future[R]]]:
    """Each item with the future of its work, in order. At most `at_most` items are submitted
    before the oldest of them is given out.
    """
    submitted: deque[tuple[T, Future[R]]] = deque()
    for item in items:
        submitted.append((item, pool.submit(work, item)))
        if len(submitted) == at_most:
            yield submitted.popleft()
    yield from submitted
