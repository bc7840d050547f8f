"""A load of requests at a steady rate, in a process of its own: so many a second, whatever the
answers take. A time counts from when its request was due, so that none is missed while the server
is slow.

Its order is a line of JSON on standard input: `url`, `per_s`, the `paths` that are asked for in
turn, and `scrape_s` between two looks at the metrics. It goes on until standard input closes, and
then prints its times in milliseconds.
"""

import json
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count, cycle
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from farm.bench.figures import Json

METRICS = "/metrics"
_THREADS = 16
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Due:
    """A request, and when it is due by `time.perf_counter`."""

    path: str
    at: float


def schedule(paths: Sequence[str], per_s: float, scrape_s: float, start: float) -> Iterator[Due]:
    """All requests, in the order in which they are due."""
    turn, next_scrape = cycle(paths), start + scrape_s
    for number in count():
        at = start + number / per_s
        if at >= next_scrape:
            yield Due(METRICS, next_scrape)
            next_scrape += scrape_s
        yield Due(next(turn), at)


def percentile(times: Sequence[float], share: float) -> float:
    """The time within which that share of all has ended."""
    return sorted(times)[max(0, math.ceil(share * len(times)) - 1)]


class Load:
    """Threads that ask, each over a connection that it keeps."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc
        self._due: SimpleQueue[Due | None] = SimpleQueue()
        self.times: dict[str, list[float]] = {}
        self.wrong: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask_all) for _ in range(_THREADS)]

    def run(self, dues: Iterator[Due], wait: Callable[[float], bool]) -> None:
        """Ask until `wait`, which is given seconds, says that it is over."""
        for thread in self._threads:
            thread.start()
        for due in dues:
            if wait(due.at - time.perf_counter()):
                break
            self._due.put(due)
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join()

    def _ask_all(self) -> None:
        connection = HTTPConnection(self._place, timeout=_PATIENCE_S)
        while (due := self._due.get()) is not None:
            try:
                connection.request("GET", due.path)
                answer = connection.getresponse()
                answer.read()
                problem = None if answer.status == 200 else f"{due.path} answered {answer.status}"
            except (OSError, HTTPException) as exc:
                connection.close()
                problem = f"{due.path} did not answer ({exc!r})"
            took_ms = (time.perf_counter() - due.at) * 1000
            with self._lock:
                self.times.setdefault(due.path, []).append(took_ms)
                if problem is not None:
                    self.wrong.append(problem)
        connection.close()


def main() -> None:
    order: Json = json.loads(sys.stdin.readline())
    over: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=lambda: over.put(sys.stdin.read()), daemon=True).start()
    load = Load(order["url"])
    dues = schedule(order["paths"], order["per_s"], order["scrape_s"], time.perf_counter())

    def wait(seconds: float) -> bool:
        try:
            over.get(timeout=max(0.0, seconds)) if seconds > 0 else over.get_nowait()
        except Empty:
            return False
        return True

    load.run(dues, wait)
    sys.stdout.write(json.dumps({"times": load.times, "wrong": load.wrong}) + "\n")


if __name__ == "__main__":
    main()
