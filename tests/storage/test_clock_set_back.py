"""The clock of the database's machine is set back by an hour: nothing waits for the hour to pass
again.
"""

from dataclasses import replace

import pytest
from sqlalchemy import text

from farm.scheduling.retry import LONGEST_BACKOFF_S
from farm.scheduling.trust import FORGIVE_S, Record, has_others, usable
from storage.moments import FARTHEST_S, is_to_come
from storage.queue import LEASE_S
from storage.rows import CampaignBackoff, WorkerRow
from tests.storage.conftest import claim_one, settlement

AWAY = CampaignBackoff(seconds=60, why="the disk is away")

HOUR_S = 3600


@pytest.fixture
def set_back(engine):
    """What was written before is as far ahead as the clock was set back."""

    def set_back(**columns):
        with engine.begin() as connection:
            for column, table in columns.items():
                connection.execute(text(f"UPDATE {table} SET {column} = {column} + {HOUR_S}"))

    return set_back


def test_a_leader_that_was_killed_is_succeeded(queue, session, set_back):
    assert queue.lead(owner="two", host="h2", pid=2) is None
    set_back(heartbeat_at="sessions")
    assert queue.lead(owner="two", host="h2", pid=2) is not None


def test_a_leader_that_lives_leads_on(queue, session, set_back):
    set_back(heartbeat_at="sessions")
    queue.renew(session)
    assert queue.lead(owner="two", host="h2", pid=2) is None


def test_a_clock_that_is_a_little_off_unseats_nobody(queue, session, fall_silent):
    fall_silent(session, -LEASE_S / 2)
    assert queue.lead(owner="two", host="h2", pid=2) is None


def test_a_campaign_that_waited_goes_on(queue, settling, campaigns, campaign, session, set_back):
    chunk = claim_one(queue, session, campaign)
    settling.settle(
        session,
        [settlement(chunk, outcome="outputs", backoff=AWAY)],
    )
    assert not queue.snapshot(session).campaigns[0].waiting
    set_back(waits_until="campaigns")
    assert queue.snapshot(session).campaigns[0].waiting
    assert campaigns.by_id(campaign.id).waits_for is None
    chunk = claim_one(queue, session, campaign)
    settling.settle(
        session,
        [settlement(chunk, outcome="outputs", backoff=replace(AWAY, why="away again"))],
    )
    assert campaigns.by_id(campaign.id).waits_for == "away again"


def test_workers_and_dispatchers_of_before_are_not_taken_for_living(watching, session, set_back):
    watching.save_workers(
        session,
        [
            WorkerRow(
                name="w", state="idle", node=None, device=None, numerics_class=None, warm=None
            )
        ],
    )
    assert (len(watching.workers()), watching.dispatcher()) == (1, "h")
    set_back(seen_at="workers", heartbeat_at="sessions")
    assert (watching.workers(), watching.dispatcher()) == ([], None)


def test_quarantine_ends():
    records = {"a": Record(quarantined_until=1000.0 + FORGIVE_S), "b": Record()}
    assert usable(["a", "b"], records, 1000.0) == {"b"}
    assert usable(["a", "b"], records, 1000.0 - HOUR_S) == {"a", "b"}
    classes = {"a": "c", "b": "c"}
    assert not has_others("b", classes, records, fleet_size=2, now=1000.0)
    assert has_others("b", classes, records, fleet_size=2, now=1000.0 - HOUR_S)


def test_the_farm_sets_no_moment_further_ahead_than_is_believed():
    assert max(FORGIVE_S, LONGEST_BACKOFF_S) <= FARTHEST_S
    with pytest.raises(AssertionError, match="set back"):
        CampaignBackoff(seconds=FARTHEST_S + 1, why="away")
    assert is_to_come(10.0, 5.0)
    assert not is_to_come(5.0, 5.0)
    assert not is_to_come(None, 5.0)
    assert not is_to_come(5.0 + FARTHEST_S + 1, 5.0)
