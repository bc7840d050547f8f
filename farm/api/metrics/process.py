"""The series that show one process of the API itself. Every process serves its own."""

import platform
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from farm.api.connections import Connections
from farm.api.live import Listeners


class ProcessSeries(Collector):
    """What the process knows without the database."""

    def __init__(self, connections: Connections, listeners: Listeners) -> None:
        self._connections = connections
        self._listeners = listeners
        self.leads = False
        self.is_database_up = False

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "farm_leads", "Whether this process's dispatcher leads: 1 or 0.", int(self.leads)
        )
        yield GaugeMetricFamily(
            "farm_database_up",
            "Whether the job database answered when this page was asked for: 1 or 0.",
            int(self.is_database_up),
        )
        build = GaugeMetricFamily(
            "farm_build_info", "The farm's version, and Python's.", labels=["version", "python"]
        )
        build.add_metric([version("seedbed"), platform.python_version()], 1)
        yield build
        yield from self._connection_families()

    def _connection_families(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "farm_connections", "Open connections of clients.", self._connections.open
        )
        yield GaugeMetricFamily(
            "farm_connections_allowed",
            "The most connections that the API may have.",
            self._connections.limit,
        )
        yield GaugeMetricFamily(
            "farm_event_listeners", "Streams of events that are open.", self._listeners.count
        )
        closed = CounterMetricFamily(
            "farm_connections_closed",
            "Connections that the farm ended, by why.",
            labels=["reason"],
        )
        for reason, count in self._connections.closed.items():
            closed.add_metric([reason], count)
        yield closed
