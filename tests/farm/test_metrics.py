"""The page of metrics: each process counts what its own dispatcher settled, one shows the farm."""

import threading

import httpx
import pytest
from sqlalchemy import text

from farm.api.metrics.exposition import Metrics
from farm.api.metrics.queue import Place
from farm.app import open_app, serve
from farm.client.client import Client
from farm.config import read_settings
from storage.errors import DatabaseAway
from storage.event_kinds import EventKind
from storage.metering import Metering
from storage.rows import WorkerRow
from storage.spent import Spent
from storage.states import AttemptOutcome, RenderState, WorkerState
from tests.campaigns import campaign as campaign_file
from tests.farm.test_api import paint_all
from tests.pages import Page
from tests.queries import documented
from tests.storage.conftest import claim_one, new_campaign, new_chunks, outcomes, settlement

FACTS = {
    "batch_s": [0.4, 0.6], "megapixel_steps": 2.0, "load_s": 3.0, "loads": 1, "swaps": 0,
    "slots": 4, "pictures": 2, "uploads": 2, "upload_bytes": 9, "encode_s": 0.1,
}  # fmt: skip
M = "m@d"


@pytest.fixture
def metrics(engine):
    """Makes the metrics of a process, as its owner's name says."""
    return lambda owner="one": Metrics(Metering(engine, owner))


def page_of(metrics):
    return Page(metrics.page()[0].decode())


@pytest.fixture
def settle(queue, settling):
    """Settles the next chunk of a campaign."""

    def settle(session, campaign, state=RenderState.DONE, **changes):
        chunk = claim_one(queue, session, campaign)
        fields = {"facts": FACTS, "spent": Spent(pool="main"), **changes}
        one = settlement(chunk, outcomes(chunk, state), **fields)
        settling.settle(session, [one])
        return one

    return settle


@pytest.fixture
def one_leads(queue):
    return queue.lead(owner="one", host="h", pid=1)


@pytest.fixture
def spring(campaigns):
    return campaigns.add(new_campaign(), new_chunks())


# --- who serves what ---


def test_with_a_standby_nothing_is_counted_or_shown_twice(metrics, one_leads, spring, settle):
    pair = metrics("one"), metrics("two")
    for process in pair:
        process.page()
    settle(one_leads, spring)
    leader, standby = (page_of(process) for process in pair)
    assert (leader.one("farm_leads"), standby.one("farm_leads")) == (1, 0)
    for name in ("farm_renders_total", "farm_attempts_total", "farm_paint_seconds_count"):
        assert leader.sum(name) > 0, name
        assert standby.sum(name) == 0, name
    assert leader.sum("farm_queue_renders") == 4
    assert "farm_queue_renders" not in standby
    assert "farm_workers" not in standby
    for page in (leader, standby):
        assert page.one("farm_database_up") == 1


def test_when_another_takes_over_nothing_is_counted_twice_or_lost(
    metrics, queue, one_leads, spring, settle, engine
):
    one, two = metrics("one"), metrics("two")
    one.page(), two.page()
    settle(one_leads, spring)
    two.page()  # and `one` is not asked before it is not the leader any more
    with engine.begin() as connection:
        connection.execute(text("UPDATE sessions SET heartbeat_at = heartbeat_at - 100"))
    two_leads = queue.lead(owner="two", host="h", pid=2)
    settle(two_leads, spring)
    pages = [page_of(one), page_of(two)]
    assert [page.sum("farm_renders_total", outcome="done") for page in pages] == [2, 2]
    assert [page.one("farm_leads") for page in pages] == [0, 1]
    assert ["farm_queue_renders" in page for page in pages] == [False, True]


def test_without_any_dispatcher_the_process_of_the_last_one_goes_on_to_show_the_farm(
    metrics, engine, one_leads, spring
):
    one, two = metrics("one"), metrics("two")
    with engine.begin() as connection:
        connection.execute(text("UPDATE sessions SET heartbeat_at = heartbeat_at - 100"))
    first, second = page_of(one), page_of(two)
    assert first.one("farm_leads") == second.one("farm_leads") == 0
    assert first.one("farm_dispatcher_heartbeat_age_seconds") >= 100
    assert "farm_queue_renders" in first
    assert "farm_queue_renders" not in second


# --- what attempts count ---


def test_every_outcome_is_there_at_zero_before_the_first_failure_counts(
    metrics, one_leads, spring, settle
):
    process = metrics()
    settle(one_leads, spring, RenderState.FAILED, outcome=AttemptOutcome.OUT_OF_MEMORY)
    first, second = page_of(process), page_of(process)
    failed = {"project": "p", "model": M, "stage": "final", "outcome": "failed"}
    assert first.one("farm_renders_total", **failed) == 0
    assert second.one("farm_renders_total", **failed) == 2
    assert first.labels("farm_attempts_total", "outcome") == {*AttemptOutcome}
    assert first.sum("farm_attempts_total") == 0
    assert second.one("farm_attempts_total", model=M, outcome="out_of_memory") == 1
    assert page_of(process).sum("farm_attempts_total") == 1


def test_what_is_known_before_its_first_attempt_counts_at_once(metrics, one_leads, spring, settle):
    process = metrics()
    assert page_of(process).one("farm_renders_total", model=M, outcome="failed") == 0
    settle(one_leads, spring, RenderState.FAILED)
    assert page_of(process).one("farm_renders_total", model=M, outcome="failed") == 2


def test_what_a_worker_measured_is_counted_by_model_and_pool(metrics, one_leads, spring, settle):
    process = metrics()
    process.page()
    spent = Spent(
        pool="spot", price=3.6, painted_s=1.0, padding_s=0.5, load_s=3.0, megapixel_steps=2.0
    )
    settle(one_leads, spring, spent=spent)
    settle(one_leads, spring, spent=spent, facts={**FACTS, "loads": 0})
    page = page_of(process)
    assert page.one("farm_paint_seconds_count", model=M) == 4
    assert page.one("farm_paint_seconds_sum", model=M) == pytest.approx(2.0)
    assert page.one("farm_megapixel_step_seconds_bucket", le="0.5", model=M) == 2
    assert page.one("farm_load_seconds_count", model=M) == 1
    assert page.one("farm_warm_hits_total", model=M) == 1
    assert page.one("farm_megapixel_steps_total", model=M) == 4
    of = {"project": "p", "model": M, "pool": "spot"}
    assert page.one("farm_device_seconds_total", **of, use="padding") == 1
    assert page.one("farm_cost_total", **of, use="load") == pytest.approx(0.006)
    assert page.one("farm_first_picture_seconds_count", project="p") == 1
    assert not any("_created" in sample.name for sample in page.samples)


def test_a_late_result_counts_as_stale_and_as_nothing_else(
    metrics, one_leads, spring, settle, settling
):
    process = metrics()
    process.page()
    settling.settle(one_leads, [settle(one_leads, spring)])
    page = page_of(process)
    assert page.one("farm_attempts_total", outcome="stale") == 1
    assert page.one("farm_renders_total", outcome="done") == 2
    assert page.one("farm_uploads_total") == 2


def test_exemplars_lead_from_a_series_to_a_chunk(metrics, one_leads, campaigns, settle):
    process = metrics()
    autumn = campaigns.add(new_campaign(name="a" * 100), new_chunks())
    process.page()
    last = settle(one_leads, autumn, RenderState.FAILED, outcome=AttemptOutcome.UNKNOWN)
    data, kind = process.page("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1")
    assert kind.startswith("application/openmetrics-text")
    page = Page(data.decode(), is_openmetrics=True)
    having = {sample.name: sample.exemplar for sample in page.samples if sample.exemplar}
    assert having.keys() == {
        "farm_renders_total", "farm_attempts_total", "farm_paint_seconds_bucket",
        "farm_megapixel_step_seconds_bucket",
    }  # fmt: skip
    for exemplar in having.values():
        assert exemplar.labels == {"campaign": "a" * 80, "chunk": str(last.chunk_id)}


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "application/openmetrics", ";;q=,"])
def test_whoever_does_not_name_openmetrics_gets_plain_text(metrics, accept):
    assert metrics().page(accept)[1].startswith("text/plain")


def test_events_are_counted_by_the_process_whose_dispatcher_led_then(
    metrics, engine, queue, one_leads, spring, control
):
    one, two = metrics("one"), metrics("two")
    control.pause(spring.id)
    one.page()
    with engine.begin() as connection:
        connection.execute(text("UPDATE sessions SET heartbeat_at = heartbeat_at - 100"))
    queue.lead(owner="two", host="h", pid=2)
    control.resume(spring.id)
    pages = [page_of(one), page_of(two)]
    for kind, counts in (("campaign.paused", [1, 0]), ("campaign.resumed", [0, 1])):
        assert [page.one("farm_events_total", kind=kind) for page in pages] == counts
    assert pages[1].labels("farm_events_total", "kind") == {*EventKind}


def test_every_series_has_the_labels_that_the_docs_promise(metrics, one_leads, spring, settle):
    process = metrics()
    process.page()
    settle(one_leads, spring, spent=Spent(pool="spot", price=1.0))
    promised = documented()
    for sample in page_of(process).samples:
        assert set(sample.labels) == promised[sample.name], sample.name


# --- the farm as it is ---


def test_campaigns_that_must_wait_are_not_queued(metrics, campaigns, control, one_leads, engine):
    rows = {
        name: campaigns.add(new_campaign(name, total), new_chunks(total // 2))
        for name, total in [("queued", 2), ("paused", 4), ("stopped", 6), ("backing", 8)]
    }
    control.pause(rows["paused"].id)
    campaigns.halt(rows["stopped"].id, "No worker could be started.")
    with engine.begin() as connection:
        wait = "UPDATE campaigns SET waits = 1, waits_until = :at WHERE name = 'backing'"
        connection.execute(text(wait), {"at": rows["queued"].now + 500})
    page = page_of(metrics())
    found = {place: page.one("farm_queue_renders", state=place) for place in Place}
    assert found == {
        "queued": 2, "paused": 4, "stopped": 6, "backing_off": 8, "running": 0,
        "awaiting_review": 0,
    }  # fmt: skip


def test_proofs_that_nobody_decides_about_grow_old(metrics, campaigns, one_leads, engine):
    proofs = new_campaign("spring", total=2), new_chunks(1)
    campaigns.add(new_campaign("spring", total=4, released=0), (), proofs)
    assert page_of(metrics()).one("farm_review_wait_seconds") == 0
    ended = "UPDATE campaigns SET done = 2, finished_at = :at WHERE proof_of IS NOT NULL"
    with engine.begin() as connection:
        connection.execute(text(ended), {"at": campaigns.get("p", "spring").now - 600})
    page = page_of(metrics())
    assert page.one("farm_review_wait_seconds", project="p") == pytest.approx(600, abs=60)
    assert page.one("farm_queue_renders", state="awaiting_review") == 2


def test_a_model_whose_queue_is_empty_shows_zeros(metrics, one_leads, spring, control):
    process = metrics()
    assert page_of(process).sum("farm_queue_renders") == 6
    control.cancel(spring.id)
    assert set(page_of(process).all("farm_queue_renders").values()) == {0}


def test_workers_are_counted_by_pool_and_state(metrics, watching, one_leads):
    def worker(name, pool, state, numerics):
        return WorkerRow(
            name=name, state=state, pool=pool, node=None, device="cpu", numerics_class=numerics,
            warm=None,
        )  # fmt: skip

    process = metrics()
    painting, idle = WorkerState.PAINTING, WorkerState.IDLE
    seen = [worker("a-1", "a", painting, "x"), worker("a-2", "a", painting, "y"),
            worker("b-1", "b", idle, "x")]  # fmt: skip
    watching.save_workers(one_leads, seen)
    page = page_of(process)
    assert page.one("farm_workers", pool="a", state="painting") == 2
    assert page.one("farm_workers", pool="b", state="idle") == 1
    assert page.one("farm_numerics_classes", pool="a") == 2
    watching.save_workers(one_leads, [])
    assert set(page_of(process).all("farm_workers").values()) == {0}


def test_what_is_held_for_a_person_is_shown_even_if_the_campaign_is_over(
    metrics, one_leads, spring, settle
):
    for _ in range(3):
        settle(one_leads, spring, RenderState.HELD)
    page = page_of(metrics())
    assert page.one("farm_held_renders", project="p") == 6


def test_names_without_end_end_as_other(metrics, campaigns, one_leads):
    for k in range(130):
        campaigns.add(
            new_campaign(
                f"c{k}", 2, project=f"p{k}", model=f"/home/me/m{k}", model_digest=f"d{k}"
            ),
            new_chunks(1),
        )
    page = page_of(metrics())
    assert len(page.labels("farm_queue_renders", "project")) == 101
    assert "other" in page.labels("farm_queue_renders", "project")
    assert page.sum("farm_queue_renders", state="queued") == 260
    assert not any("/" in model for model in page.labels("farm_renders_total", "model"))


def test_a_project_shows_its_workers_and_the_budget_that_is_nearest_its_end(
    metrics, campaigns, queue, one_leads, engine
):
    for name, budget in [("a", 100.0), ("b", 200.0), ("c", None)]:
        row = campaigns.add(new_campaign(name, 2, budget_s=budget), new_chunks(1))
        claim_one(queue, one_leads, row, worker=f"w-{name}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaigns SET device_s = 50"))
    page = page_of(metrics())
    assert page.one("farm_project_workers", project="p") == 3
    assert page.one("farm_budget_used_ratio", project="p") == 0.5


# --- without a database ---


def test_without_the_database_the_page_shows_what_the_process_knows(
    metrics, one_leads, spring, settle, engine
):
    process = metrics()
    process.page()
    settle(one_leads, spring)
    process.page()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE sessions RENAME TO elsewhere"))
    page = page_of(process)
    assert page.one("farm_database_up") == page.one("farm_leads") == 0
    assert page.one("farm_renders_total", outcome="done") == 2
    assert "farm_queue_renders" not in page
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO sessions"))
    assert page_of(process).one("farm_queue_renders", state="queued") == 4


def test_a_database_that_swallows_questions_does_not_keep_the_page(engine, monkeypatch):
    metering, released = Metering(engine, "one"), threading.Event()
    process = Metrics(metering, patience_s=0.01)

    def swallowed():
        released.wait()
        raise DatabaseAway("The database does not answer.")

    monkeypatch.setattr(metering, "leadership", swallowed)
    page = page_of(process)
    released.set()
    assert page.one("farm_database_up") == 0


# --- over HTTP ---


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def farm(settings):
    with open_app(settings) as app, serve(app, 0) as url, Client(url) as client:
        yield client


def test_a_farm_serves_what_was_painted_and_nobodys_folders(farm, engine, settings):
    farm.submit(campaign_file())
    first = Page(httpx.get(f"{farm.url}/metrics").text)
    assert first.one("farm_queue_renders", state="queued") == 18
    paint_all(engine, settings)
    page = Page(httpx.get(f"{farm.url}/metrics").text)
    assert page.one("farm_renders_total", outcome="done", project="default") == 18
    (model,) = page.labels("farm_renders_total", "model")
    assert model.startswith("seedling@")
    assert len(model) == len("seedling@") + 8
    assert page.one("farm_uploads_total") == 18


def test_whoever_read_metrics_before_may_read_them_while_the_database_is_away(farm, monkeypatch):
    ask = lambda **headers: httpx.get(f"{farm.url}/metrics", headers=headers)  # noqa: E731
    assert ask().status_code == 200

    def away(*_):
        raise DatabaseAway("The database does not answer.")

    monkeypatch.setattr("storage.tokens.Tokens.has_any", away)
    monkeypatch.setattr("storage.metering.Metering.leadership", away)
    page = Page(ask().text)
    assert page.one("farm_database_up") == 0
    assert httpx.get(f"{farm.url}/api/v1/workers").status_code == 503
    assert ask(authorization="Bearer seed_1234567812345678_x").status_code >= 400


def test_the_farm_is_ready_without_a_leader_but_not_without_its_outputs_or_database(
    farm, engine, settings, monkeypatch
):
    def ready():
        answer = httpx.get(f"{farm.url}/api/v1/ready")
        return answer.status_code, answer.json()

    told = {"ready": True, "database": True, "outputs": True, "leader": False}
    assert ready() == (200, told)
    farm.submit(campaign_file())
    paint_all(engine, settings, chunks=1)
    assert ready() == (200, {**told, "leader": True})

    def away(*_):
        raise DatabaseAway("The database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr("storage.watching.Watching.dispatcher", away)
        assert ready() == (503, {**told, "ready": False, "database": False})
    with monkeypatch.context() as patch:
        patch.setattr("storage.outputs.FolderOutputs.open", away)
        assert ready() == (503, {**told, "ready": False, "outputs": False, "leader": True})
