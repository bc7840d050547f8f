"""The metrics of one process of the API, put together."""

from functools import partial

from farm.api.connections import Connections
from farm.api.live import Listeners
from farm.api.metrics.clocks import ApiMeters
from farm.api.metrics.exposition import Metrics
from farm.api.metrics.near import NOTHING_NEAR
from farm.api.metrics.now_and_then import NowAndThen
from farm.config import Settings
from farm.home import Home
from farm.service.live_quotas import live_quotas
from farm.service.margins import Margins
from farm.service.pacing import Pacing
from farm.stores import Stores
from storage.database import JobDatabase
from storage.log_state import log_state
from storage.metering import Metering
from storage.notifications import Notifications
from storage.timed_database import connections_in_use, time_statements
from storage.webhooks import Webhooks


def meters_of(engine: JobDatabase) -> ApiMeters:
    """Times the statements of a job database from now on."""
    return ApiMeters(
        database=time_statements(engine), connections=partial(connections_in_use, engine)
    )


def metrics_of(
    settings: Settings,
    engine: JobDatabase,
    stores: Stores,
    meters: ApiMeters,
    pacing: Pacing,
    connections: Connections,
    listeners: Listeners,
) -> Metrics:
    """The page of metrics of the process whose home the settings name."""
    margins = Margins(
        campaigns=stores.campaigns,
        projects=stores.projects,
        watching=stores.watching,
        outboxes={
            "webhook": Webhooks(engine).outbox,
            "notification": Notifications(engine).outbox,
        },
        pacing=pacing,
        quotas=live_quotas(settings.quotas, stores.projects.worker_limits),
        look_at_log=partial(log_state, engine),
    )
    return Metrics(
        Metering(engine, Home(settings.home).owner()),
        connections,
        listeners,
        meters=meters,
        near=NowAndThen(margins.look, NOTHING_NEAR),
        prices=stores.prices,
    )
