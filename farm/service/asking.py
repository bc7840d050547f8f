"""Questions to what may not answer: a database or a store behind a network that swallows packets
can keep whoever asks for a minute.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Asking(Generic[T]):
    """Asks one question, in one thread at a time. Whoever asks meanwhile gets the same answer, and
    nobody waits for longer than `patience_s`.
    """

    def __init__(self, ask: Callable[[], T], patience_s: float) -> None:
        self._ask = ask
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._under_way: Future[T] | None = None

    def answer(self) -> T:
        """The answer, or what asking raised. Raises TimeoutError if there is none in time."""
        with self._lock:
            if self._under_way is None or self._under_way.done():
                self._under_way = Future()
                args = (self._under_way,)
                threading.Thread(target=self._find, args=args, daemon=True).start()
            waited_for = self._under_way
        return waited_for.result(self._patience_s)

    def _find(self, answer: Future[T]) -> None:
        try:
            answer.set_result(self._ask())
        except Exception as exc:  # noqa: BLE001  # it is raised again for whoever asked
            answer.set_exception(exc)
