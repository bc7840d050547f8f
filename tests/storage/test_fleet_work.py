"""What workers do and have done, as the fleet is looked at."""

import pytest
from sqlalchemy import text

from storage.event_kinds import EventKind
from storage.events import Events, Wanted, record
from storage.fleet_work import FleetWork
from storage.projects import Projects, UsageNow
from storage.rows import WorkerRow
from storage.spent import Spent
from storage.states import Stage
from tests.storage.conftest import claim_one, new_campaign, new_chunks, outcomes, settlement


@pytest.fixture
def work(engine):
    return FleetWork(engine)


def finish_one(queue, settling, session, campaign, **spent):
    chunk = claim_one(queue, session, campaign)
    settling.settle(session, [settlement(chunk, outcomes(chunk), spent=Spent(**spent))])


def test_workers_have_the_renders_of_their_chunks(campaign, campaigns, queue, session, work):
    proofs = (new_campaign("summer", total=2), new_chunks(1))
    summer = campaigns.add(new_campaign("summer"), new_chunks(), proofs)
    claim_one(queue, session, campaign, "a")
    claim_one(queue, session, campaign, "a")
    queue.claim(session, [(summer.proofs.id, "b")])
    found = [(one.worker, one.campaign, one.stage, one.renders) for one in work.under_way()]
    assert found == [("a", "spring", Stage.FINAL, 4), ("b", "summer", Stage.PROOF, 2)]


def test_the_use_of_pools_is_that_of_the_last_attempts(
    campaign, queue, settling, session, work, engine
):
    finish_one(queue, settling, session, campaign, pool="old", painted_s=50.0)
    with engine.begin() as connection:
        connection.execute(text("UPDATE attempts SET ended_at = ended_at - 1000"))
    finish_one(queue, settling, session, campaign, pool="gpu", painted_s=5.0, load_s=2.5)
    finish_one(queue, settling, session, campaign, pool="gpu", painted_s=1.0)
    since, use = work.use_of_pools(600.0)
    assert since > 1_000_000_000
    assert list(use) == ["gpu"]
    assert (use["gpu"]["painted_s"], use["gpu"]["load_s"], use["gpu"]["lost_s"]) == (6, 2.5, 0)
    assert work.use_of_pools(5000.0)[1]["old"]["painted_s"] == 50


def test_models_have_the_name_that_the_last_campaign_has_for_them(campaigns, work):
    campaigns.add(new_campaign("a", model="/old/sdxl", model_digest="x"), new_chunks())
    campaigns.add(new_campaign("b", model="/new/sdxl", model_digest="x"), new_chunks())
    assert work.model_names({"x", "unknown"}) == {"x": "/new/sdxl"}


def test_a_worker_keeps_all_models_that_it_has_warm(watching, session):
    row = WorkerRow(name="a", state="idle", node="n", device="cpu", numerics_class="c", warm="x",
                    loaded=("x", "y"))  # fmt: skip
    watching.save_workers(session, [row])
    assert watching.workers()[0].loaded == ("x", "y")


def test_events_are_read_from_the_newest_back(engine):
    for project in ("p", "q", "p", "p"):
        with engine.begin() as connection:
            record(connection, EventKind.CAMPAIGN_PAUSED, project=project)
    events = Events(engine)
    mine = Wanted(projects=("p",))
    assert [row.id for row in events.before(None, mine, limit=2)] == [4, 3]
    assert [row.id for row in events.before(3, mine, limit=2)] == [1]
    assert [row.id for row in events.before(None, limit=9, beyond=2)] == [4, 3]


def test_projects_have_what_their_campaigns_have(
    campaign, campaigns, queue, settling, session, engine
):
    other = new_campaign("other", project="q", total=4)
    campaigns.add(other, new_chunks(2), (new_campaign("other", total=2), new_chunks(1)))
    claim_one(queue, session, campaign, "a")
    finish_one(queue, settling, session, campaign, painted_s=30.0, load_s=6.0)
    found = Projects(engine).usages(None)
    mine = UsageNow(campaigns=1, queued=4, stored_bytes=2, workers=1, device_hours=0.01)
    none = UsageNow(campaigns=1, queued=4, stored_bytes=0, workers=0, device_hours=0.0)
    assert found == {"p": mine, "q": none}
    assert list(Projects(engine).usages(["p"])) == ["p"]
    assert Projects(engine).usages([]) == {}
