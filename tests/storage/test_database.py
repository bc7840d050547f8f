import os
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from storage.bench.postgres import free_port, temporary_postgres
from storage.campaigns import Campaigns
from storage.claiming import CLAIM, PIN
from storage.database import migrate, open_database, prepare, shown_address, upgrade
from storage.errors import DatabaseAway, DatabaseError
from storage.queue import LEASES, OPEN_CAMPAIGNS, RENEW, Queue
from storage.reuse import DIGESTS, FOUND, SIBLINGS
from storage.settling import CANCEL_QUEUED, RETURN
from storage.tables import metadata


@pytest.fixture
def sqlite_engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'farm.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_of_ones_own(postgres):
    """A server that a test may kill; that there is one at all, the other fixture has found out."""
    with temporary_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def two_empty(request, tmp_path):
    """Two databases without tables; once on each engine."""
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("one", "two")]
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        urls = [server.new_database(), server.new_database()]
    engines = [open_database(url) for url in urls]
    yield engines
    for engine in engines:
        engine.dispose()


def described(engine):
    """All that a database has, but for the order of columns and constraints."""
    look = inspect(engine)
    found = {}
    for table in look.get_table_names():
        found[table] = {
            "columns": {one["name"]: str(one) for one in look.get_columns(table)},
            "key": look.get_pk_constraint(table),
            "foreign": by_name(look.get_foreign_keys(table)),
            "unique": by_name(look.get_unique_constraints(table)),
            "indexes": by_name(look.get_indexes(table)),
        }
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            found |= {
                f"{table} as SQL": {"AUTOINCREMENT" in sql, "WITHOUT ROWID" in sql}
                for table, sql in connection.execute(
                    text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
                )
            }
    return found


def by_name(constraints):
    found = []
    for one in constraints:
        options = {name: str(value) for name, value in one.get("dialect_options", {}).items()}
        found.append({**one, "dialect_options": options})
    return sorted(found, key=lambda one: one["name"])


def test_the_migrations_come_to_the_tables_that_a_new_database_gets(two_empty):
    migrated, new = two_empty
    with migrated.begin() as connection:
        migrate(connection, "head")
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert upgrade(migrated) == upgrade(new)
    assert described(migrated) == described(new)


def test_upgrading_twice_does_it_once(engine):
    assert upgrade(engine) == upgrade(engine)


def test_a_database_of_a_newer_version_is_left_alone(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer Seedbed"):
        upgrade(engine)


@pytest.mark.parametrize(
    "url",
    ["not a url", "mysql://localhost/farm", "postgresql://localhost", "postgresql://h:port/farm"],
)
def test_an_address_that_cannot_be_is_refused(url):
    with pytest.raises(DatabaseError, match="postgresql://user"):
        open_database(url)


def test_a_password_is_never_shown(engine):
    for url in (
        "postgresql://farm:s3cret@db/farm",
        "postgresql://db/farm?user=farm&password=s3cret",
    ):
        assert "s3cret" not in shown_address(url)


def test_a_server_that_does_not_answer_is_a_sentence():
    with pytest.raises(DatabaseAway, match="does not answer"):
        prepare(open_database(f"postgresql://farm@127.0.0.1:{free_port()}/farm"))


def test_a_database_without_tables_says_how_to_make_them(postgres):
    engine = open_database(postgres.new_database())
    with pytest.raises(DatabaseError, match="farm db upgrade"):
        prepare(engine)
    upgrade(engine)
    prepare(engine)
    engine.dispose()


def test_a_database_that_may_not_be_written_says_so(postgres, postgres_template):
    url = postgres.new_database(postgres_template)
    admin = open_database(url)
    with admin.begin() as connection:
        connection.execute(
            text(f'ALTER DATABASE "{admin.url.database}" SET default_transaction_read_only = on')
        )
    admin.dispose()
    engine = open_database(url)
    with pytest.raises(DatabaseError, match="may not be written"):
        prepare(engine)
    engine.dispose()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_says_so(tmp_path):
    upgrade(open_database(f"sqlite:///{tmp_path / 'farm.db'}"))
    (tmp_path / "farm.db").chmod(0o400)
    with pytest.raises(DatabaseError, match="writable"):
        prepare(open_database(f"sqlite:///{tmp_path / 'farm.db'}"))


def test_a_server_that_was_killed_is_away_and_then_back(postgres_of_ones_own):
    url = postgres_of_ones_own.new_database()
    engine = open_database(url)
    upgrade(engine)
    campaigns = Campaigns(engine)
    postgres_of_ones_own.kill()
    with pytest.raises(DatabaseAway):
        campaigns.all()
    postgres_of_ones_own.start()
    assert campaigns.all() == []
    engine.dispose()


def test_homes_of_the_version_before_keep_their_work(tmp_path, database_url, request):
    """A database with the tables of 0001 and a campaign half painted comes through the upgrade
    whole.
    """
    url = (
        request.getfixturevalue("postgres").new_database()
        if database_url.startswith("postgresql")
        else f"sqlite:///{tmp_path / 'old.db'}"
    )
    engine = open_database(url)
    with engine.begin() as connection:
        migrate(connection, "0001")
        for statement in OLD_HOME.split(";"):
            connection.execute(text(statement))
    upgrade(engine)
    row = Campaigns(engine).get("p", "spring")
    assert (row.done, row.running, row.queued, row.state) == (1, 0, 3, "running")
    assert [o.key for o, _, _ in Campaigns(engine).outcomes(row.id)] == ["k0"]
    queue = Queue(engine)
    session = queue.lead(owner="o", host="h", pid=1)
    assert [(c.start, c.lease) for c in queue.claim(session, [(row.id, "w")] * 5)] == [
        (1, 2),
        (2, 1),
    ]
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


OLD_HOME = """
INSERT INTO campaigns (
    project, name, spec, fingerprint, model, model_digest, priority, total, done,
    created_at, started_at
)
    VALUES ('p', 'spring', '{}', 'f', 'm', 'd', 50, 4, 1, 1.0, 2.0);
INSERT INTO sessions (host, pid, started_at, heartbeat_at) VALUES ('h', 1, 1.0, 2.0);
INSERT INTO chunks (campaign_id, group_no, start, stop, total, state, lease, session_id, worker)
    VALUES (1, 0, 0, 1, 1, 'settled', 1, NULL, 'w'),
        (1, 0, 1, 2, 1, 'leased', 1, 1, 'w'),
        (1, 0, 2, 4, 2, 'queued', 0, NULL, NULL);
INSERT INTO renders (campaign_id, number, digest, state, reason, key, attempts, finished_at)
    VALUES (1, 0, 'd', 'done', 'painted', 'k0', 1, 3.0);
INSERT INTO attempts (
    campaign_id, chunk_id, lease, worker, outcome, done, failed, held, facts, ended_at
)
    VALUES (1, 1, 1, 'w', 'painted', 1, 0, 0, '{}', 3.0)
"""


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    (tmp_path / "farm.db").write_text(
        "this is not a database, but long enough to be taken for one" * 10
    )
    with pytest.raises(DatabaseError, match="cannot be used"):
        upgrade(open_database(f"sqlite:///{tmp_path / 'farm.db'}"))


def test_readers_do_not_wait_for_a_writer(engine):
    with engine.begin(), engine.execution_options(readonly=True).connect() as reader:
        assert reader.execute(text("SELECT count(*) FROM campaigns")).scalar_one() == 0


def test_a_write_waits_its_turn_from_the_start(sqlite_engine):
    with sqlite_engine.begin(), pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(sqlite_engine.url.database, timeout=0).execute("BEGIN IMMEDIATE")


HOT = {
    "claim": (CLAIM, {"campaign": 1, "session": 1, "holder": "w", "numerics": "c"}),
    "leases": (LEASES, {"session": 1}),
    "open": (OPEN_CAMPAIGNS, {}),
    "renew": (RENEW, {"session": 1}),
    "return": (
        RETURN,
        {
            "chunk": 1,
            "token": 1,
            "session": 1,
            "next": "queued",
            "failed_times": 0,
            "lost_times": 0,
            "bad_times": 0,
        },
    ),
    "cancel": (CANCEL_QUEUED, {"campaign": 1}),
    "pin": (PIN, {"campaign": 1, "numerics": "c"}),
    "siblings": (
        SIBLINGS,
        {
            "project": "p",
            "model_digest": "d",
            "encoding": "png",
            "campaign": 1,
            "with_retired": True,
        },
    ),
    "digests": (DIGESTS, {"campaign": 1, "last": 0}),
    "found": (FOUND, {"campaign": 1, "numbers": [2, 3]}),
}


@pytest.mark.parametrize("name", HOT)
def test_hot_queries_stay_on_an_index(engine, name):
    """A query that reads a table from end to end gets slower with every picture that was ever
    painted.
    """
    query, values = HOT[name]
    said = query.compile(engine).construct_expanded_state(values)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {said.statement}", said.positional_parameters
            ).all()
            steps = [row[-1] for row in rows]
            bad = [
                step
                for step in steps
                if (step.startswith("SCAN") and "USING" not in step) or "TEMP B-TREE" in step
            ]
        else:
            # What an empty table costs says nothing: the planner may only choose a scan where
            # there is no other way.
            for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
                connection.execute(text(f"SET LOCAL {setting} = off"))
            steps = [
                row[0]
                for row in connection.exec_driver_sql(
                    f"EXPLAIN {said.statement}", said.parameters
                ).all()
            ]
            bad = [step for step in steps if "Seq Scan" in step or "Sort" in step]
    assert steps
    # The roster has a row for each worker, and is looked at only for chunks that one has failed.
    assert not [step for step in bad if "workers" not in step], steps
