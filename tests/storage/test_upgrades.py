"""A database of the version before proofs, brands and drift, with campaigns in every state, comes
through the upgrade whole: it is read, decided about, painted on and forgotten.
"""

import json

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of, make_spec
from farm.service.reading import Reading
from farm.service.review_reading import ReviewReading
from storage.campaigns import Campaigns
from storage.database import migrate, open_database, upgrade
from storage.layouts import Layouts
from storage.ledgers import Ledgers
from storage.outputs import FolderOutputs
from storage.queue import Queue
from storage.removal import Removal
from storage.reviews import NewDecision, Outcome, Reviews
from storage.settling import Settling
from storage.states import CampaignState, RenderState, Verdict
from storage.tables import metadata
from storage.verdicts import fold
from storage.watching import Watching
from tests.campaigns import MODEL, campaign
from tests.storage.conftest import claim_one, outcomes, settlement

OLD = {
    "spring": {"total": 18, "done": 3, "held": 1, "failed": 1, "started_at": 2.0},
    "over": {"total": 2, "done": 2, "started_at": 2.0, "finished_at": 3.0},
    "stopped": {"total": 18, "started_at": 2.0, "cancelled": 18, "cancelled_at": 3.0},
    "asleep": {"total": 18, "paused_at": 3.0},
    "ill": {"total": 18, "halted": "The model cannot be read."},
}
STATES = {
    "spring": CampaignState.RUNNING,
    "over": CampaignState.DONE,
    "stopped": CampaignState.CANCELLED,
    "asleep": CampaignState.PAUSED,
    "ill": CampaignState.HALTED,
}
RENDERS = [
    (0, "done", "painted", "k0"),
    (1, "done", "painted", "k1"),
    (2, "done", "painted", "k2"),
    (3, "held", "bad_output", "k3"),
    (4, "failed", "unknown", None),
]


def spec_of(name):
    """A campaign's spec as it was written before this version: without the keys of today."""
    spec = make_spec(campaign(name=name), MODEL, Expansion(campaign(), MODEL).sources)
    new = {"brand", "redos", "passed", "proof", "proofs"}
    return json.dumps({key: value for key, value in spec.items() if key not in new})


def old_rows(connection):
    for place, (name, changes) in enumerate(OLD.items(), start=1):
        values = {
            "id": place, "project": "p", "name": name, "spec": spec_of(name), "fingerprint": "f",
            "model": "seedling", "model_digest": MODEL.digest, "priority": 50,
            "created_at": float(place), "done": 0, **changes,
        }  # fmt: skip
        names, marks = ", ".join(values), ", ".join(f":{key}" for key in values)
        connection.execute(text(f"INSERT INTO campaigns ({names}) VALUES ({marks})"), values)
    for number, state, reason, key in RENDERS:
        connection.execute(
            text(
                "INSERT INTO renders (campaign_id, number, digest, state, reason, key, attempts,"
                " finished_at) VALUES (1, :n, 'd', :s, :r, :k, 1, 3.0)"
            ),
            {"n": number, "s": state, "r": reason, "k": key},
        )
    connection.execute(
        text(
            "INSERT INTO chunks (campaign_id, group_no, start, stop, total, state, lease)"
            " VALUES (1, 0, 0, 5, 5, 'settled', 1), (1, 0, 5, 10, 5, 'queued', 0),"
            " (1, 0, 10, 18, 8, 'queued', 2)"
        )
    )


@pytest.fixture
def new_url(tmp_path, database_url, request):
    return (
        request.getfixturevalue("postgres").new_database()
        if database_url.startswith("postgresql")
        else f"sqlite:///{tmp_path / 'old.db'}"
    )


@pytest.fixture
def upgraded(new_url):
    engine = open_database(new_url)
    with engine.begin() as connection:
        migrate(connection, "0007")
        old_rows(connection)
        if engine.dialect.name == "postgresql":
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence('campaigns', 'id'), 100)")
            )
    upgrade(engine)
    yield engine
    engine.dispose()


def test_the_tables_are_those_of_today(upgraded):
    with upgraded.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_campaign_is_in_the_state_that_it_was_in(upgraded):
    rows = {row.name: row for row in Campaigns(upgraded).all()}
    assert {name: row.state for name, row in rows.items()} == STATES
    for name, row in rows.items():
        kept = {key: getattr(row, key) for key in OLD[name]}
        assert kept == OLD[name]
        assert (row.released, row.proofs, row.rejected, row.undecided) == (None, None, 0, 0)
        assert (row.refusal, row.previews_pruned_at, row.version) == (None, None, 1)


def test_what_rules_hold_is_counted_of_old_campaigns(new_url):
    engine = open_database(new_url)
    with engine.begin() as connection:
        migrate(connection, "0026")
        old_rows(connection)
        for number, reason in enumerate(("brand", "drift", "drift_stopped"), start=10):
            connection.execute(
                text(
                    "INSERT INTO renders (campaign_id, number, digest, state, reason, attempts,"
                    " finished_at) VALUES (1, :n, 'd', 'held', :r, 1, 3.0)"
                ),
                {"n": number, "r": reason},
            )
        connection.execute(text("UPDATE campaigns SET held = 4 WHERE id = 1"))
    upgrade(engine)
    counts = {row.name: (row.held, row.held_by_rule) for row in Campaigns(engine).all()}
    assert counts == {name: (4, 3) if name == "spring" else (0, 0) for name in OLD}
    engine.dispose()


def test_its_manifest_and_its_reviews_can_be_read(upgraded, tmp_path):
    campaigns, reviews = Campaigns(upgraded), Reviews(upgraded)
    reading = Reading(
        campaigns=campaigns,
        reviews=reviews,
        watching=Watching(upgraded),
        outputs=FolderOutputs(tmp_path / "outputs"),
    )
    lines = [reading.render("p", "spring", number) for number in range(5)]
    assert [(line["number"], line["state"], line["reason"]) for line in lines] == [
        (number, state, reason) for number, state, reason, _ in RENDERS
    ]
    assert {line["drift"] for line in lines} == {None}
    plan = expansion_of(campaigns.get("p", "spring").spec)
    assert [line["seed"] for line in lines] == [plan.render(n)[1].seed for n in range(5)]
    overview = ReviewReading(campaigns=campaigns, reviews=reviews).overview("p", "spring")
    assert (overview["undecided"], overview["proofs"], overview["decisions"]) == (18, None, [])
    waiting = ReviewReading(campaigns=campaigns, reviews=reviews).waiting("p", "spring", 9)
    assert [line["number"] for line in waiting] == [0, 1, 2, 3]


class Plan:
    def chunks(self, numbers):
        assert not len(numbers)
        return []

    def numbers(self, chunk):
        return list(range(chunk.start, chunk.stop))


def test_its_pictures_can_be_decided_about(upgraded):
    campaigns, reviews = Campaigns(upgraded), Reviews(upgraded)
    row = campaigns.get("p", "spring")
    new = NewDecision(client="c", sequence=1, verdict=Verdict.APPROVED, chosen_by={})
    outcome = Outcome(np.array([0, 2], np.int64), {"changed": 2})
    answer = reviews.decide(row.id, new, 18, lambda _before, _log: outcome, Plan())
    assert answer["changed"] == 2
    assert fold(reviews.log(row.id), 18).numbers(Verdict.APPROVED).tolist() == [0, 2]
    after = campaigns.get("p", "spring")
    assert (after.done, after.held, after.failed, after.left) == (3, 1, 1, row.left)


def test_what_was_queued_is_painted(upgraded):
    campaigns, queue = Campaigns(upgraded), Queue(upgraded)
    session = queue.lead(owner="one", host="h", pid=1)
    row = campaigns.get("p", "spring")
    for _ in range(2):
        chunk = claim_one(queue, session, row)
        painted = outcomes(chunk)
        assert Settling(upgraded).settle(session, [settlement(chunk, painted)])
    row = campaigns.get("p", "spring")
    assert (row.done, row.left, row.state) == (16, 0, CampaignState.FAILED)
    assert queue.claim(session, [(row.id, "w")]) == []


def test_what_came_with_the_upgrade_is_empty(upgraded):
    campaigns = Campaigns(upgraded)
    row = campaigns.get("p", "spring")
    assert Reviews(upgraded).measured(row.id, drift_below=1.0).tolist() == []
    assert Reviews(upgraded).measured(row.id).tolist() == []
    assert Reviews(upgraded).held(row.id).tolist() == []
    assert Reviews(upgraded).ended(row.id, [RenderState.HELD]).tolist() == [3]
    assert Layouts(upgraded).anchors(row.id, [0, 1]) == {}
    assert Ledgers(upgraded).last() == (None, [])


def test_an_old_campaign_can_be_forgotten(upgraded):
    removal = Removal(upgraded)
    assert removal.forget(2)
    removal.sweep()
    assert "over" not in {row.name for row in Campaigns(upgraded).all()}
    assert not removal.forget(1)
