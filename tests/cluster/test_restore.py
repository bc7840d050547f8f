"""A job database that is restored from a dump, or lost, beside the outputs: nothing that they have
is painted again.
"""

import os
import signal
import sqlite3
from contextlib import closing

import pytest

pytestmark = pytest.mark.cluster


def _written(farm):
    return {
        path: path.stat().st_mtime_ns for path in (farm.home / "outputs").rglob("*/final/*/*.png")
    }


def test_nothing_is_painted_twice_if_the_database_is_restored_or_lost(farm, tmp_path):
    file = farm.file(seeds={"count": 2})
    process = farm.start("run", file, FARM_CHUNK="4")
    farm.wait_until(lambda: farm.row().done >= 4, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    farm.wait_until(lambda: not farm.processes("farm.dispatch.process"))
    database, dump = farm.home / "farm.db", tmp_path / "dump.db"
    with closing(sqlite3.connect(database)) as now, closing(sqlite3.connect(dump)) as kept:
        now.backup(kept)
    before = farm.row().done
    farm.json("run", file, FARM_CHUNK="4")
    painted, pixels = _written(farm), {o.number: o.pixels for o in farm.outcomes()}
    assert len(painted) == 24

    with closing(sqlite3.connect(dump)) as kept, closing(sqlite3.connect(database)) as now:
        kept.backup(now)
    assert farm.row().done == before < 24
    assert farm.json("run", file, FARM_CHUNK="4")["renders"]["done"] == 24
    assert (_written(farm), {o.number: o.pixels for o in farm.outcomes()}) == (painted, pixels)

    for path in farm.home.glob("farm.db*"):
        path.unlink()
    assert farm.json("run", file)["renders"]["done"] == 24
    assert (_written(farm), {o.number: o.pixels for o in farm.outcomes()}) == (painted, pixels)
    assert sum(facts["adopted"] for facts in farm.facts()) == 24
