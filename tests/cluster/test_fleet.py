"""A farm on a cluster that grows and shrinks by itself, whose nodes are refused, drained, killed and frozen while it paints."""

import os
import signal
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from actors.fake_cloud import FakeCloud
from tests.cluster.conftest import Farm

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

IDLE_S = 4.0
POOLS = [
    {"name": "spot", "labels": {"farm-market": "spot"}, "limit": 3, "price": 0.3, "start": 1, "grace": 12},
    {"name": "demand", "labels": {"farm-market": "on-demand"}, "limit": 3, "price": 1.0, "start": 1},
]


@pytest.fixture(scope="module")
def cloud():
    with TemporaryDirectory(prefix="fc", dir="/tmp") as folder:  # a short path: sockets are in it
        cloud = FakeCloud(Path(folder), {"spot-node": "spot", "demand-node": "on-demand"}, most=4, idle_s=IDLE_S)
        yield cloud
        cloud.close()


@pytest.fixture
def address(cloud, request):
    """How the farm reaches the cluster: as one of its machines, or from afar."""
    is_afar = getattr(request, "param", None) == "from afar"
    return {"FARM_RAY": cloud.client_address, "FARM_GCS": cloud.address} if is_afar else {"FARM_RAY": cloud.address}


@pytest.fixture
def farm(address, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(yaml.safe_dump({"pools": POOLS}))
    farm = Farm(
        tmp_path / "home",
        {
            **address, "FARM_FLEET": str(fleet), "FARM_WORKERS": "2", "FARM_GPU": "1", "FARM_REST": "0.2",
            "FARM_CHUNK": "40", "FARM_IDLE": str(IDLE_S), "FARM_PORT": "0", "RAY_AUTH_MODE": "disabled",
        },
    )  # fmt: skip
    up = farm.start("up")
    farm.wait_until((farm.home / "farm.json").exists, up)
    yield farm
    farm.end()


def paint(farm, name, seeds):
    farm.run("submit", farm.file(name, seeds={"count": seeds}))


def is_done(farm, name):
    return lambda: farm.row(name).state == "done"


def check(farm, name):
    """Every render once, none at the cost of an attempt: a chunk that was handed back or lost is free."""
    outcomes = farm.outcomes(name)
    assert len({outcome.number for outcome in outcomes}) == len(outcomes) == farm.row(name).total
    assert {(outcome.state, outcome.reason in ("painted", "copied")) for outcome in outcomes} == {("done", True)}
    farm.wait_until(lambda: farm.manifest(name))
    keys = {line["key"] for line in farm.manifest(name)}
    files = {path.relative_to(farm.home / "outputs").as_posix() for path in (farm.home / "outputs").rglob(f"{name}/**/*.png")}
    assert keys == files


@pytest.mark.parametrize("address", ["from afar"], indirect=True)
def test_from_nothing_to_workers_where_there_are_any_and_back(farm, cloud):
    assert cloud.nodes() == []
    cloud.lack("spot-node")
    try:
        paint(farm, "first", 20)
        farm.wait_until(is_done(farm, "first"))
        assert {worker.pool for worker in farm.workers()} == {"demand"}, "no spot machine was to be had"
    finally:
        cloud.lack()
    # With nothing to do, workers go, and their nodes after them.
    farm.wait_until(lambda: farm.workers() == [])
    farm.wait_until(lambda: cloud.nodes() == [])
    check(farm, "first")


def test_nodes_that_are_drained_killed_and_frozen_cost_nothing_but_time(farm, cloud):
    paint(farm, "stormy", 100)
    ready = lambda: [worker for worker in farm.workers() if worker.state == "painting"]  # noqa: E731
    farm.wait_until(lambda: len(ready()) == 2)

    # A notice: the worker hands back what it has, and is gone before its time is over.
    first = ready()[0]
    noticed = time.monotonic()
    cloud.drain(first.node_id, 60.0)
    farm.wait_until(lambda: first.name not in {worker.name for worker in farm.workers()})
    assert time.monotonic() - noticed < 60
    farm.wait_until(lambda: len(ready()) == 2)

    # A machine that is gone.
    second = ready()[0]
    cloud.kill_node(second.node_id)
    farm.wait_until(lambda: second.name not in {worker.name for worker in farm.workers()})
    farm.wait_until(lambda: len(ready()) == 2)

    # A worker that is frozen is given up, and what it says when it wakes changes nothing.
    frozen = cloud.processes("ray::RenderActor")[0]
    names = {worker.name for worker in ready()}
    os.kill(frozen.pid, signal.SIGSTOP)
    farm.wait_until(lambda: names - {worker.name for worker in farm.workers()})
    if frozen.is_running():
        os.kill(frozen.pid, signal.SIGCONT)

    farm.wait_until(is_done(farm, "stormy"))
    check(farm, "stormy")
    outcomes = Counter(attempt for attempt in farm.attempts("stormy"))
    assert outcomes["stopped"] >= 1, outcomes
    assert outcomes["worker_lost"] >= 1, outcomes
    assert not {"unknown", "stuck", "outputs", "bad_request"} & set(outcomes), outcomes
