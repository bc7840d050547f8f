"""Shares of projects, in a farm whose dispatcher is killed."""

import json
import os
import signal

import pytest
from sqlalchemy import select

from storage.database import closing_engine
from storage.tables import sessions

pytestmark = pytest.mark.cluster

SHARES = {"p": 1, "q": 3}


def levels(farm):
    """What the ledger that was saved last says each project was given."""
    query = select(sessions.c.ledger).where(sessions.c.ledger.is_not(None))
    address = f"sqlite:///{farm.home / 'farm.db'}"
    with closing_engine(address) as engine, engine.connect() as connection:
        return json.loads(connection.execute(query).scalar_one())["projects"]


def given(farm, project):
    return farm.row("c", project).device_s / SHARES[project]


def test_shares_go_on_where_they_were_if_the_dispatcher_is_killed(farm):
    farm.environment |= {"FARM_WORKERS": "1", "FARM_REST": "0.2", "FARM_CHUNK": "4"}
    farm.environment["FARM_SHARES"] = json.dumps(SHARES)
    process = farm.start("up", "--port", "0")
    farm.wait_until((farm.home / "farm.json").is_file, process)
    file = farm.file(seeds={"count": 40})
    for project in SHARES:
        farm.run("submit", "--project", project, file)
    farm.wait_until(lambda: levels(farm)["p"] > 1 and levels(farm)["q"] > 1, process)
    (dispatcher,) = farm.processes("farm.dispatch.process")
    os.kill(dispatcher, signal.SIGKILL)
    before = {project: given(farm, project) for project in SHARES}
    farm.wait_until(lambda: given(farm, "q") > before["q"] + 1, process)
    for project in SHARES:
        farm.run("pause", "--project", project, "c")
    farm.wait_until(lambda: not farm.row("c", "p").running + farm.row("c", "q").running, process)
    farm.wait_until(
        lambda: levels(farm) == pytest.approx({name: given(farm, name) for name in SHARES}),
        process,
    )
