"""The head of the cluster is killed, with everything on its machine, and another is started in its
place.
"""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.cluster import ray_head, ray_node
from tests.cluster.conftest import Farm

pytestmark = pytest.mark.cluster

WORK = {"FARM_WORKERS": "2", "FARM_REST": "0.2", "FARM_CHUNK": "12", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def short(tmp_path):
    """A folder for Ray: a short path, since sockets are in it."""
    with TemporaryDirectory(prefix="h", dir="/tmp") as folder:
        yield Path(folder)


def settled(farm):
    return {outcome.number: outcome for outcome in farm.outcomes()}


def check(farm, before, total):
    after = settled(farm)
    assert (len(after), farm.row().state) == (total, "done")
    assert {number: after[number] for number in before} == before, (
        "what was settled has not been touched"
    )


def test_a_head_that_is_lost_costs_nothing_but_time(tmp_path, short):
    """The one in its place knows of nothing."""
    environment = {
        **WORK,
        "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    }  # in which a driver gives a head up that is away
    first, second = (short / name for name in "12")
    for folder in (first, second):
        folder.mkdir()
    with ray_head(first) as head:
        farm = Farm(tmp_path / "home", {**environment, "FARM_RAY": head.address})
        process = farm.start("run", farm.file(seeds={"count": 10}))
        farm.wait_until(lambda: farm.row().done >= 24, process)
    before = settled(farm)
    assert 24 <= len(before) < 120
    try:
        with ray_head(second, port=head.port):
            _, err = process.communicate(timeout=240)
            assert process.returncode == 0, (err, farm.log())
    finally:
        farm.end()
    check(farm, before, 120)
    assert set(farm.attempts()) <= {"painted", "preempted", "worker_lost"}


def test_a_head_that_comes_back_with_its_store_finds_its_workers_at_work(tmp_path, short):
    with ExitStack() as stack:
        with ray_head(short, cpus=0, keeps=True) as head:
            node = stack.enter_context(ray_node(short, head))
            farm = Farm(tmp_path / "home", {**WORK, "FARM_RAY": head.address})
            stack.callback(farm.end)
            process = farm.start("run", farm.file(seeds={"count": 90}))
            farm.wait_until(lambda: len(node.actors()) == 2, process)
            farm.wait_until(lambda: farm.row().done >= 24, process)
            actors, names = node.actors(), {worker.name for worker in farm.workers()}
        before = settled(farm)
        with ray_head(short, cpus=0, port=head.port, keeps=True):
            between = settled(farm)
            assert node.actors() == actors
            _, err = process.communicate(timeout=240)
            assert process.returncode == 0, (err, farm.log())
    assert 24 <= len(before) <= len(between) < 1080
    check(farm, between, 1080)
    # The workers that there were have painted all of it, each picture once.
    assert len(actors) == 2
    assert {row["worker"] for row in farm.manifest()} == names
    painted = node.painted({})
    assert set(painted.values()) == {1}
    assert set(farm.attempts()) <= {"painted", "preempted"}
