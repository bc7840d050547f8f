"""The write-ahead log of the job database, as far as it may be seen."""

from sqlalchemy import make_url, text

from storage.database import closing_engine
from storage.log_state import LogState, log_state
from tests.storage.conftest import new_campaign


def test_the_log_has_a_size_and_nobody_follows(engine, campaigns):
    campaigns.add(new_campaign("spring"), ())
    found = log_state(engine)
    assert found.size_bytes > 0
    assert found.lag_s is None


def test_a_log_that_has_gone_with_the_last_connection_has_no_bytes(tmp_path):
    with closing_engine(f"sqlite:///{tmp_path}/farm.db") as engine:
        assert log_state(engine) == LogState(size_bytes=0)


def test_a_role_that_may_not_look_sees_nothing(postgres):
    url = postgres.new_database()
    with closing_engine(url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE ROLE plain LOGIN"))
    plain = make_url(url).set(username="plain", password=None)
    try:
        with closing_engine(plain.render_as_string(hide_password=False)) as engine:
            assert log_state(engine) == LogState()
    finally:
        with closing_engine(url) as engine, engine.begin() as connection:
            connection.execute(text("DROP ROLE plain"))
