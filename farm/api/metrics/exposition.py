"""The page of metrics: brought up to date when somebody asks, and written as they prefer."""

import threading

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from farm.api.connections import Connections
from farm.api.live import Listeners
from farm.api.metrics.attempts import AttemptSeries
from farm.api.metrics.clocks import ApiMeters, Clocks
from farm.api.metrics.dispatching import Dispatching
from farm.api.metrics.farm_wide import FarmWide
from farm.api.metrics.labels import Names
from farm.api.metrics.near import NOTHING_NEAR
from farm.api.metrics.now_and_then import NowAndThen
from farm.api.metrics.process import ProcessSeries
from farm.api.metrics.requests import RequestSeries
from farm.scheduling.spending import NO_PRICES, Prices
from farm.service.asking import Asking
from farm.service.margins import Near
from storage.errors import SeedbedError
from storage.metering import Metering, Moment, OpenRow
from storage.spent import AttemptRow

PATIENCE_S = 5.0  # for the database: Prometheus waits 10 s for the page
_OPENMETRICS = "application/openmetrics-text"

# With each counter and histogram the library would write when it began, which nobody asks for.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one API process, in a registry of their own."""

    def __init__(
        self,
        metering: Metering,
        connections: Connections | None = None,
        listeners: Listeners | None = None,
        patience_s: float = PATIENCE_S,
        meters: ApiMeters | None = None,
        near: NowAndThen[Near] | None = None,
        prices: Prices = NO_PRICES,
    ) -> None:
        self.registry = CollectorRegistry()
        self._metering = metering
        self._seen = metering.last_attempt()
        self._seen_event = metering.last_event()
        self._later: list[AttemptRow] = []
        names = Names()
        self._attempts = AttemptSeries(self.registry, names)
        self._farm = FarmWide(names, prices)
        self._near = near or NowAndThen(Near, NOTHING_NEAR)
        self._process = ProcessSeries(connections or Connections(), listeners or Listeners())
        self._dispatching = Dispatching(names, self._attempts.outputs)
        self.requests = RequestSeries(self.registry)
        self.registry.register(self._farm)
        self.registry.register(self._process)
        self.registry.register(Clocks(meters or ApiMeters(), self._dispatching))
        self.registry.register(self._dispatching)
        self._lock = threading.Lock()
        self._update = Asking(self._look, patience_s)

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """The page, and its content type: OpenMetrics for those who accept it, for only that has
        exemplars.
        """
        self.update()
        with self._lock:
            if _OPENMETRICS in accept:
                text = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
                return text, openmetrics.CONTENT_TYPE_LATEST
            return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def update(self) -> None:
        """Bring all series up to date. Without the database they show what this process knows."""
        try:
            self._update.answer()
            self._process.is_database_up = True
        except (SeedbedError, TimeoutError):
            self._process.is_database_up = False
            self._process.leads = False
            self._farm.hide()

    def _look(self) -> None:
        leadership = self._metering.leadership()
        moment = self._metering.moment()
        newest, events = self._metering.events_after(self._seen_event)
        with self._lock:
            self._process.leads = leadership.leads
            self._seen_event = newest
            self._attempts.count_events(events)
            self._count_attempts(moment)
            self._dispatching.show(leadership.figures)
            if leadership.serves:
                self._farm.show(moment, leadership, self._near.look())
            else:
                self._farm.hide()

    def _count_attempts(self, moment: Moment) -> None:
        """Count the new attempts. Those of a project's model that this page shows first are
        counted for the next one.
        """
        for row in self._later:
            self._attempts.count(row)
        self._later = []
        new = {_key(campaign) for campaign in moment.campaigns if self._is_new(campaign)}
        while rows := self._metering.attempts_after(self._seen):
            for row in rows:
                self._seen = row.id
                if self._is_new(row):
                    new.add(_key(row))
                if _key(row) in new:
                    self._later.append(row)
                else:
                    self._attempts.count(row)

    def _is_new(self, row: OpenRow | AttemptRow) -> bool:
        return self._attempts.announce(row.project, row.model, row.model_digest, row.stage)


def _key(row: OpenRow | AttemptRow) -> tuple[str, str, str]:
    return row.project, row.model_digest, row.stage.value
