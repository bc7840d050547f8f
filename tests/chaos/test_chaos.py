"""Whatever goes wrong, each render is painted once, and what is written is true. `make chaos` does
more of it, for longer.
"""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import open_database, sqlite_address
from tests.chaos.audit import audit
from tests.chaos.campaigns import BRIEF, REVIEWED
from tests.chaos.cluster import Painted
from tests.chaos.schedule import ON_FLEET, ON_POSTGRESQL, ON_SQLITE, Kind, plan

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ON_POSTGRESQL_HERE = (
    Kind.DISPATCHER_KILLED, Kind.DATABASE_KILLED, Kind.ACTOR_STOPPED, Kind.CONNECTION_CUT,
    Kind.CONNECTION_STALLED, Kind.ANSWERS_LOST,
)  # fmt: skip
ON_SQLITE_HERE = (Kind.PARENT_KILLED, Kind.ACTOR_KILLED, Kind.DISPATCHER_STOPPED)


def check(report, kinds):
    assert not report.problems, f"{report}\n{report.problems}\n{report.said}"
    assert set(report.story.struck) == set(kinds), f"{report.story.struck}\n{report.said}"


def test_two_farms_on_postgresql(ground):
    check(
        ground.run("p1", BRIEF, plan(1, ON_POSTGRESQL_HERE, len(ON_POSTGRESQL_HERE))),
        ON_POSTGRESQL_HERE,
    )


def test_one_farm_on_sqlite(ground):
    check(
        ground.run("s1", BRIEF, plan(1, ON_SQLITE_HERE, len(ON_SQLITE_HERE)), on_sqlite=True),
        ON_SQLITE_HERE,
    )


def test_two_farms_while_a_person_decides_about_proofs(ground):
    kinds = (Kind.PARENT_KILLED, Kind.DISPATCHER_KILLED, Kind.ANSWERS_LOST, Kind.ACTOR_KILLED)
    check(ground.run("r1", REVIEWED, plan(3, kinds, len(kinds))), kinds)


def test_every_kind_is_tried_here_and_a_plan_follows_from_its_seed():
    assert sorted([*ON_POSTGRESQL_HERE, *ON_SQLITE_HERE]) == sorted(ON_POSTGRESQL)
    assert set(ON_SQLITE_HERE) < set(ON_SQLITE) < set(ON_POSTGRESQL)
    assert {*ON_POSTGRESQL, *ON_FLEET} == set(Kind)
    assert plan(7) == plan(7) != plan(8)
    assert {fault.kind for fault in plan(1, count=len(ON_POSTGRESQL))} == set(ON_POSTGRESQL)


# --- the audit itself: one that finds nothing where something is wrong proves nothing ---

ATTEMPT = "campaign_id, chunk_id, lease, worker, outcome, done, failed, held, facts, ended_at"
FIRST = "WHERE number = 0 AND campaign_id = 1"
WRONG = {
    f"DELETE FROM renders {FIRST}": ("are lost", "have no row", "counts of ember differ"),
    f"UPDATE renders SET state = 'failed' {FIRST}": ("are not done", "counts of ember differ"),
    f"UPDATE renders SET pixels = 'x' {FIRST}": (
        "other pixels than their row",
        "other pixels than in a run",
        "lines of manifest",
    ),
    f"UPDATE renders SET key = 'x.png' {FIRST}": ("files have no row", "rows have no file"),
    f"UPDATE renders SET attempts = 9 {FIRST}": ("have no good attempt",),
    "UPDATE attempts SET outcome = 'stale' WHERE id = 1": ("have no good attempt",),
    f"INSERT INTO attempts ({ATTEMPT}) SELECT {ATTEMPT} FROM attempts WHERE id = 1": (
        "settled twice",
        "counted twice",
        "counts of ember differ",
    ),
    "UPDATE chunks SET failures = 1 WHERE id = 1": ("charged with a failure",),
    "UPDATE attempts SET outcome = 'stuck' WHERE id = 1": ("ended as none should",),
    "UPDATE attempts SET outcome = 'worker_lost' WHERE id = 1": (
        "lost their worker",
        "workers that had notice",
    ),
    "UPDATE campaigns SET done = done + 1 WHERE id = 1": ("counts of ember differ",),
    "UPDATE chunks SET state = 'leased' WHERE id = 1": ("are not settled", "chunks are leased"),
    "UPDATE sessions SET live = 1 WHERE id = 1": ("sessions lead", "have no end"),
}


@pytest.fixture
def calm(ground, tmp_path):
    """A copy of a farm where nothing went wrong."""
    shutil.copytree(ground.calm(BRIEF), tmp_path / "calm", ignore=shutil.ignore_patterns("*.lock"))
    return tmp_path / "calm"


def look(folder: Path, ground, painted: Painted | None = None) -> list[str]:
    reference = ground.pixels(BRIEF)
    once = Painted((1 if name == "ember" else 2, number) for name, number in reference)
    engine = open_database(sqlite_address(folder / "a" / "farm.db"))
    with engine.connect() as connection:
        workers = set(connection.execute(text("SELECT worker FROM attempts")).scalars())
    found = audit(engine, folder / "outputs", painted or once, reference=reference, warned=workers)
    engine.dispose()
    return found.problems


@pytest.mark.parametrize("change", WRONG)
def test_the_audit_finds_what_is_wrong_in_the_database(ground, calm, change):
    assert look(calm, ground) == []
    engine = open_database(sqlite_address(calm / "a" / "farm.db"))
    with engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()
    problems = "\n".join(look(calm, ground))
    for sentence in WRONG[change]:
        assert sentence in problems


def test_the_audit_finds_what_is_wrong_with_files_and_work(ground, calm):
    one, other, *_ = sorted((calm / "outputs").rglob("*.png"))
    one.rename(one.with_name("1.png"))
    shutil.copyfile(one.with_name("1.png"), other)
    (calm / "outputs" / "default" / "frost" / "manifest.jsonl").unlink()
    problems = "\n".join(look(calm, ground, Painted({(1, 0): 2, (1, 1): 1})))
    for sentence in (
        "files have no row",
        "rows have no file",
        "other pixels than their row",
        "manifests are missing",
        "1 pictures were painted again",
        "pictures were painted by nobody",
    ):
        assert sentence in problems
