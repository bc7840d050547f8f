"""The log of changes, on both engines: written with the change, in the order of commits."""

import threading

import pytest
from sqlalchemy import insert, select, text

from storage.author import Author, author
from storage.errors import DatabaseError
from storage.event_kinds import EventKind
from storage.events import Events, Wanted, record
from storage.tables import events as table


@pytest.fixture
def events(engine):
    return Events(engine)


def note(engine, *kinds, **more):
    with engine.begin() as connection:
        for kind in kinds:
            record(connection, kind, **more)


def drain_with_event(engine):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO drains (target, asked_at) VALUES ('w', 1.0)"))
        record(connection, EventKind.FLEET_DRAIN_ORDERED)


PAUSED, RESUMED = EventKind.CAMPAIGN_PAUSED, EventKind.CAMPAIGN_RESUMED


def test_an_event_says_what_changed_and_by_whom(engine, events):
    token = author.set(Author(name="ann", token_id="t1", address="192.0.2.7"))
    try:
        note(engine, PAUSED, project="p", campaign="spring", data={"a": "é\0\ud800"}, before=1)
    finally:
        author.reset(token)
    (event,) = events.after(0)
    assert (event.kind, event.project, event.campaign) == ("campaign.paused", "p", "spring")
    assert (event.author, event.token, event.address) == ("ann", "t1", "192.0.2.7")
    assert (event.data, event.before, event.after) == ({"a": "é\0\ud800"}, 1, None)
    assert event.at > 1e9


def test_what_is_rolled_back_was_no_event(engine, events):
    with engine.begin() as connection:
        record(connection, PAUSED)
        connection.rollback()
    with engine.begin() as connection:  # the same connection of the pool
        connection.execute(text("SELECT 1"))
    note(engine, RESUMED)
    assert [event.kind for event in events.after(0)] == [RESUMED]


def test_a_change_whose_event_cannot_be_written_is_not_made(engine, events):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO hidden"))
    with pytest.raises(DatabaseError):
        drain_with_event(engine)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM drains")).scalar() == 0
        connection.execute(text("ALTER TABLE hidden RENAME TO events"))
    assert events.newest() == 0


def test_a_reader_that_has_seen_an_id_has_missed_none_before_it(engine, events):
    """The transaction that noted its event first commits last: its event comes last."""
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    noted, go = threading.Event(), threading.Event()

    def slow():
        with engine.begin() as connection:
            record(connection, PAUSED)
            connection.execute(insert(table).values(at=0.0, kind="spent an id", data="{}"))
            noted.set()
            assert go.wait(30)

    thread = threading.Thread(target=slow)
    thread.start()
    assert noted.wait(30)
    note(engine, RESUMED)
    seen = events.after(0)[-1].id
    go.set()
    thread.join()
    assert [event.kind for event in events.after(seen)] == [PAUSED]


def test_readers_choose(engine, events):
    note(engine, PAUSED, project="p", campaign="spring")
    note(engine, RESUMED, project="p", campaign="autumn")
    token = author.set(Author(name="ann"))
    note(engine, PAUSED, project="q", campaign="spring")
    author.reset(token)
    note(engine, EventKind.WORKER_JOINED)

    def ids(**wanted):
        return [event.id for event in events.after(0, Wanted(**wanted))]

    assert ids() == [1, 2, 3, 4]
    assert ids(projects=["p"]) == [1, 2]
    assert ids(projects=[]) == []
    assert ids(campaign="spring") == [1, 3]
    assert ids(projects=["q"], campaign="spring") == [3]
    assert ids(kinds=[RESUMED, EventKind.WORKER_JOINED]) == [2, 4]
    assert ids(only_audited=True) == ids(author="ann") == [3]
    assert ids(since=events.after(0)[0].at + 1e6) == []
    assert [event.id for event in events.after(1, limit=2)] == [2, 3]
    assert [event.id for event in events.all(after=1)] == [2, 3, 4]
    assert events.newest() == 4


def test_old_events_go_but_for_the_audit_log(engine, events):
    note(engine, PAUSED)
    token = author.set(Author(name="ann"))
    note(engine, PAUSED)
    author.reset(token)
    note(engine, RESUMED)
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET at = at - 100 WHERE id < 3"))
    assert (events.prune(50), events.prune(50)) == (1, 0)
    assert [event.id for event in events.all()] == [2, 3]
    assert events.prune(-100) == 1
    note(engine, PAUSED)
    with engine.connect() as connection:  # no id is given twice
        assert connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all() == [
            2,
            4,
        ]
