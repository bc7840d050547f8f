import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from storage.database import open_database, upgrade
from storage.errors import DatabaseError
from storage.queue import CLAIM, LEASES, OPEN_CAMPAIGNS, RETURN
from storage.tables import metadata


def test_the_sum_of_migrations_is_the_tables(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrading_twice_does_it_once(engine):
    assert upgrade(engine) == upgrade(engine)


def test_a_database_of_a_newer_version_is_left_alone(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer Seedbed"):
        upgrade(engine)


@pytest.mark.parametrize("url", ["not a url", "postgresql://localhost/farm"])
def test_an_address_that_cannot_be_is_refused(url):
    with pytest.raises(DatabaseError):
        open_database(url)


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    (tmp_path / "farm.db").write_text("this is not a database, but long enough to be taken for one" * 10)
    with pytest.raises(DatabaseError, match="cannot be used"):
        upgrade(open_database(f"sqlite:///{tmp_path / 'farm.db'}"))


def test_readers_do_not_wait_for_a_writer(engine):
    with engine.begin(), engine.execution_options(readonly=True).connect() as reader:
        assert reader.execute(text("SELECT count(*) FROM campaigns")).scalar_one() == 0


def test_a_write_waits_its_turn_from_the_start(engine):
    with engine.begin(), pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(engine.url.database, timeout=0).execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (CLAIM, {"campaign": 1, "session": 1, "holder": "w"}),
        (LEASES, {"session": 1}),
        (OPEN_CAMPAIGNS, {}),
        (RETURN, {"chunk": 1, "token": 1, "next": "queued", "failed_times": 0, "lost_times": 0}),
    ],
    ids=["claim", "leases", "open", "return"],
)
def test_hot_queries_stay_on_an_index(engine, query, values):
    compiled = query.compile(engine, compile_kwargs={"render_postcompile": True})
    with engine.begin() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}",
            compiled.construct_params(values) and tuple(compiled.construct_params(values)[name] for name in compiled.positiontup),
        ).all()
    steps = [row[-1] for row in plan]
    assert steps
    assert not [step for step in steps if step.startswith("SCAN") and "USING" not in step], steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps
