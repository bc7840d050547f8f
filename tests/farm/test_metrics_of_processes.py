"""What processes tell of themselves: the API of its answers, statements and files, and a
dispatcher of its rounds and its fleet.
"""

import httpx
import pytest
from sqlalchemy import text

from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from farm.api.metrics.exposition import Metrics
from farm.api.metrics.near import NOTHING_NEAR
from farm.api.metrics.now_and_then import NowAndThen
from farm.app import open_app, serve
from farm.client.client import Client
from farm.config import read_settings
from farm.home import Home
from farm.scheduling.spending import Prices
from farm.scheduling.values import Pool
from farm.service.live_quotas import live_quotas
from farm.service.margins import Margins, Near
from farm.service.pacing import Pacing
from storage.attempts import Attempts
from storage.database import closing_engine
from storage.errors import DatabaseError
from storage.event_kinds import EventKind
from storage.figures import Devices, Figures
from storage.ledgers import Ledgers
from storage.log_state import LogState
from storage.metering import Metering
from storage.outbox import Backlog
from storage.outputs import FolderOutputs
from storage.projects import Projects, Quota
from storage.rows import WorkerRow
from storage.states import WorkerState
from storage.timed_database import connections_in_use, time_statements
from storage.timings import Timed
from storage.webhooks import Webhooks
from tests.campaigns import campaign as campaign_file
from tests.farm.fakes import NOW, FakeFleet
from tests.farm.resting import paint_queued
from tests.pages import Page
from tests.storage.conftest import claim_one, new_campaign, new_chunks


@pytest.fixture
def one_leads(queue):
    return queue.lead(owner="one", host="h", pid=1)


def page_of(engine, owner="one", **parts):
    return Page(Metrics(Metering(engine, owner), **parts).page()[0].decode())


def at_once(near):
    return NowAndThen(lambda: near, NOTHING_NEAR, start=lambda work: work())


# --- the API ---


@pytest.fixture
def farm(tmp_path, database_url, engine):
    settings = read_settings(home=tmp_path / "home", database_url=database_url)
    with open_app(settings) as app, serve(app, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def painted(farm, queue, campaigns, settling, tmp_path):
    """A campaign that a real painter has painted, for the farm's own dispatcher."""
    farm.submit(campaign_file())
    outputs = FolderOutputs(tmp_path / "home" / "outputs")
    painter = Painter("w", RestingEngine(0.0), outputs)
    owner = Home(tmp_path / "home").owner()
    row = campaigns.get("default", "spring")
    return paint_queued(queue, settling, row, painter, owner=owner)


def scraped(farm):
    return Page(httpx.get(f"{farm.url}/metrics").text)


def test_answers_are_counted_by_the_template_of_their_route(farm):
    for name in ("a", "b"):
        httpx.get(f"{farm.url}/api/v1/campaigns/{name}")
    httpx.request("BREW", f"{farm.url}/api/v1/workers")
    httpx.get(f"{farm.url}/no/such/path/{'x' * 500}")
    page = scraped(farm)
    route = "/api/v1/campaigns/{name}"
    assert page.one("farm_api_answers_total", route=route, method="GET", status="404") == 2
    assert page.one("farm_api_answers_total", route=route, method="GET", status="503") == 0
    assert page.one("farm_api_seconds_count", route=route) == 2
    assert page.sum("farm_api_answers_total", route="other", method="GET") == 1
    assert page.sum("farm_api_answers_total", method="other") == 1
    assert not any("xxx" in route for route in page.labels("farm_api_seconds_count", "route"))


def test_statements_and_files_are_timed_by_who_asked_for_them(farm, request):
    before = scraped(farm)
    assert before.sum("farm_outputs_seconds_count", process="worker") == 0
    request.getfixturevalue("painted")
    scraped(farm)  # what a model's first page shows counts on the next
    page = scraped(farm)
    assert page.one("farm_database_seconds_count", process="api", kind="select") > 0
    assert page.one("farm_database_seconds_count", process="api", kind="insert") > 0
    assert page.one("farm_outputs_seconds_count", process="worker", operation="write") >= 18
    assert page.sum("farm_outputs_errors_total") == page.sum("farm_database_errors_total") == 0
    assert page.one("farm_database_connections", process="api") >= 0


def test_statements_that_are_refused_are_errors_and_rows_that_are_there_are_none(database_url):
    with closing_engine(database_url) as engine:
        timings = time_statements(engine)
        with pytest.raises(DatabaseError), engine.begin() as connection:
            connection.execute(text("SELECT * FROM nowhere"))
        twice = text("INSERT INTO drains (target, asked_at) VALUES ('a', 1), ('a', 1)")
        with pytest.raises(Exception, match=r"(?i)unique"), engine.begin() as connection:
            connection.execute(twice)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            assert connections_in_use(engine) == 1
        assert connections_in_use(engine) == 0
        told = timings.all()
        assert (told["select"].errors, told["insert"].errors) == (1, 0)
        assert sum(told["select"].counts) >= 2
        assert sum(told["insert"].counts) == 1


# --- the dispatcher ---


def test_a_dispatcher_tells_of_its_rounds_and_of_its_fleet(start, campaign, engine):
    start(FakeFleet()).tick(NOW)
    page = page_of(engine)
    for step in ("look", "scale", "assign", "collect", "settle"):
        assert page.one("farm_dispatch_step_seconds_count", step=step) == 1, step
    assert page.one("farm_workers_wanted", pool="worker") == 2
    assert page.one("farm_scaling_decisions_total", pool="worker", decision="start") == 2
    assert page.one("farm_failed_starts_total") == 0
    standby = page_of(engine, "two")
    assert "farm_workers_wanted" not in standby
    assert standby.sum("farm_dispatch_step_seconds_count") == 0


def test_what_a_dispatcher_counted_stays_and_what_it_wants_does_not(
    engine, watching, queue, one_leads
):
    metrics = Metrics(Metering(engine, "one"))
    figures = Figures(
        wanted={"a": 3}, decisions={"a": {"drain": 2}}, steps={"look": Timed(seconds=1.0)}
    )
    watching.save_figures(one_leads, figures)
    assert Page(metrics.page()[0].decode()).one("farm_workers_wanted", pool="a") == 3
    queue.end_session(one_leads)
    queue.lead(owner="two", host="h", pid=2)
    page = Page(metrics.page()[0].decode())
    assert page.one("farm_scaling_decisions_total", pool="a", decision="drain") == 2
    assert "farm_workers_wanted" not in page


def test_pools_without_end_are_told_together_and_each_series_once(engine, watching, one_leads):
    pools = [f"pool-{k:03}" for k in range(40)]
    gpus = Devices(count=1, utilisation=0.5, used_bytes=1, total_bytes=2, watts=3.0)
    watching.save_figures(
        one_leads,
        Figures(
            wanted=dict.fromkeys(pools, 2),
            decisions={pool: {"start": 1} for pool in pools},
            devices=dict.fromkeys(pools, gpus),
        ),
    )
    page = page_of(engine)
    assert page.one("farm_workers_wanted", pool="other") == 40
    assert page.sum("farm_scaling_decisions_total", decision="start") == 40
    assert page.one("farm_gpu_utilisation_ratio", pool="pool-000") == 0.5
    assert len(page.all("farm_gpus")) == 20
    names = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in page.samples]
    assert len(names) == len(set(names))


def test_failed_starts_are_counted(start, campaign, engine):
    class Broken(FakeFleet):
        def start(self, now, pool, labels):
            self.failed_starts.append("no torch")
            return "none"

    dispatcher = start(Broken(1), pools=[Pool()])
    for k in range(8):
        dispatcher.tick(NOW + k)
    assert page_of(engine).one("farm_failed_starts_total") >= 1


# --- limits ---


def test_deadlines_quotas_and_webhooks_are_shown_as_they_were_looked_at(
    engine, campaigns, queue, one_leads
):
    row = campaigns.add(new_campaign("a", 2, project="acme"), new_chunks(1))
    claim_one(queue, one_leads, row)
    near = Near(
        deadline_s={"acme": -60.0},
        quota_used={("acme", "queued"): 0.5},
        worker_limits={"acme": 4, "stopped": 0},
        deliveries={"webhook": Backlog(waiting=3, failing=2, given_up=1)},
        log=LogState(size_bytes=7, lag_s=1.5),
    )
    page = page_of(engine, near=at_once(near))
    assert page.one("farm_deadline_margin_seconds", project="acme") == -60
    assert page.one("farm_database_wal_bytes") == 7
    assert page.one("farm_database_replication_lag_seconds") == 1.5
    assert page.one("farm_quota_used_ratio", project="acme", limit="queued") == 0.5
    assert page.one("farm_quota_used_ratio", project="stopped", limit="workers") == 1
    assert page.one("farm_quota_used_ratio", project="acme", limit="workers") == 0.25
    states = {"waiting": 3, "failing": 2, "given_up": 1}
    assert {s: page.one("farm_deliveries", to="webhook", state=s) for s in states} == states


def test_workers_cost_what_their_pool_does_whatever_they_do(engine, watching, one_leads):
    def worker(name, state):
        return WorkerRow(
            name=name, state=state, pool="spot", node=None, device="cpu", numerics_class="c",
            warm=None,
        )  # fmt: skip

    seen = [worker("a", WorkerState.IDLE), worker("b", WorkerState.PAINTING)]
    watching.save_workers(one_leads, seen)
    prices = Prices(of_pools={"spot": 0.3})
    page = page_of(engine, prices=prices)
    assert page.one("farm_workers_cost_per_hour", pool="spot") == pytest.approx(0.6)
    assert "farm_workers_cost_per_hour" not in page_of(engine)


def test_a_farm_looks_at_its_deadlines_quotas_and_webhooks(engine, campaigns, watching, control):
    projects, hooks = Projects(engine), Webhooks(engine)
    projects.create("acme", Quota(queued=8, workers=9, device_hours=2.0), {})
    projects.create("calm", Quota(workers=0), {})
    late = new_campaign("late", 6, project="acme", deadline=watching.now() - 60)
    campaigns.add(late, new_chunks())
    paused = campaigns.add(new_campaign("calm", 2, project="calm"), new_chunks(1))
    control.pause(paused.id)
    hook = hooks.add("calm", "https://hooks.example/", "s", [EventKind.CAMPAIGN_PAUSED])
    for number in (1, 2, 3):
        hooks.outbox.queue(hook, number, "{}")
    first, second, _ = hooks.outbox.due(3)
    hooks.outbox.failed(first, "refused", 60.0)
    hooks.outbox.failed(second, "refused", None)
    near = Margins(
        campaigns=campaigns, projects=projects, watching=watching,
        outboxes={"webhook": hooks.outbox},
        quotas=live_quotas({"acme": 4, "calm": 2}, projects.worker_limits),
        pacing=Pacing(
            campaigns=campaigns, attempts=Attempts(engine), ledgers=Ledgers(engine),
            watching=watching, weights={}, quotas={},
        ),
    ).look()  # fmt: skip
    assert near.deadline_s["acme"] == pytest.approx(-60, abs=30)
    assert near.deadline_s.keys() == {"acme"}
    assert near.quota_used == {("acme", "queued"): 0.75, ("acme", "device_hours"): 0.0}
    assert near.worker_limits == {"acme": 4, "calm": 0}
    assert near.deliveries == {"webhook": Backlog(waiting=2, failing=1, given_up=1)}
