"""A farm on a cluster that grows and shrinks by itself, reached from afar. What goes wrong there
is in `tests/chaos/test_nodes.py`.
"""

import pytest

from tests.chaos.machines import fleet_environment, growing_cluster
from tests.cluster.conftest import Farm

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture
def cloud():
    with growing_cluster() as cloud:
        yield cloud


@pytest.fixture
def farm(cloud, tmp_path):
    farm = Farm(
        tmp_path / "home",
        {
            "FARM_RAY": cloud.client_address, "FARM_GCS": cloud.address,
            **fleet_environment(tmp_path), "FARM_WORKERS": "2",
            "FARM_REST": "0.2", "FARM_CHUNK": "40", "FARM_PORT": "0", "RAY_AUTH_MODE": "disabled",
        },
    )  # fmt: skip
    up = farm.start("up")
    farm.wait_until((farm.home / "farm.json").exists, up)
    yield farm
    farm.end()


def test_from_nothing_to_workers_where_there_are_any_and_back(farm, cloud):
    assert cloud.nodes() == []
    cloud.lack("spot-node")
    try:
        farm.run("submit", farm.file("first", seeds={"count": 20}))
        farm.wait_until(lambda: farm.row("first").state == "done")
        assert {worker.pool for worker in farm.workers()} == {"demand"}, (
            "no spot machine was to be had"
        )
    finally:
        cloud.lack()
    # With nothing to do, workers go, and their nodes after them.
    farm.wait_until(lambda: farm.workers() == [])
    farm.wait_until(lambda: cloud.nodes() == [])
    outcomes = farm.outcomes("first")
    assert (
        len({outcome.number for outcome in outcomes}) == len(outcomes) == farm.row("first").total
    )
    assert {outcome.state for outcome in outcomes} == {"done"}
