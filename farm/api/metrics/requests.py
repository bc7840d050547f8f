"""The series of requests to one process of the API."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
OTHER = "other"
"""Stands for paths that no route has, and for methods that no route takes."""
_FAULTS = ("500", "503")


class RequestSeries:
    """Counts answers by route, method and status; routes are templates, of which there is a known
    number.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "farm_api_answers",
            "Answers of the API.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "farm_api_seconds",
            "Time from a request to the beginning of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._met: set[tuple[str, str]] = set()

    def note(self, route: str | None, method: str, status: int, seconds: float) -> None:
        named = route or OTHER
        way = method if method in _METHODS else OTHER
        if (named, way) not in self._met:  # so that the first fault that follows is an increase
            self._met.add((named, way))
            for fault in _FAULTS:
                self._answers.labels(named, way, fault)
        self._answers.labels(named, way, str(status)).inc()
        self._seconds.labels(named).observe(seconds)
