"""What a dispatcher may expect of any fleet: the one on Ray, and the one that stands for it in the
tests of the dispatcher.
"""

import time

import pytest

from actors.fleet.fleet import Fleet, connect, disconnect
from actors.fleet.settings import FleetSettings
from storage.states import WorkerState
from tests.actors.test_painter import job
from tests.farm.fakes import FakeFleet

PATIENCE_S = 150


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Ray cluster of this module's own, on loopback and on ports that Ray finds free."""
    folder = tmp_path_factory.mktemp("r")
    settings = FleetSettings(
        address="local",
        namespace="conformance",
        outputs=str(tmp_path_factory.mktemp("outputs")),
        device=None,
        threads=1,
        gpus=0.0,
        fleet_size=2,
        rest_s=0.05,
    )
    connect(settings, folder)
    yield settings
    disconnect(folder)


@pytest.fixture(params=["fake", pytest.param("ray", marks=pytest.mark.cluster)])
def fleet(request):
    if request.param == "fake":
        yield FakeFleet()
        return
    fleet = Fleet(request.getfixturevalue("cluster"))
    yield fleet
    fleet.end()


def collect_until(fleet, is_enough):
    """The results that come until a condition holds."""
    results, ends = [], time.monotonic() + PATIENCE_S
    while not is_enough(results):
        assert time.monotonic() < ends, (results, fleet.rows(), fleet.failed_starts)
        if isinstance(fleet, FakeFleet):
            fleet.paint()
        fleet.ask_health(time.monotonic())
        results += fleet.collect(0.1)
    return results


def ready(fleet, **options):
    """The name of a new worker that is ready."""
    name = fleet.start(time.monotonic(), **options)
    collect_until(fleet, lambda _: fleet.workers[name].is_ready)
    return name


def states(fleet):
    return {row.name: row.state for row in fleet.rows()}


def test_a_worker_is_starting_until_it_has_answered(fleet):
    name = fleet.start(time.monotonic(), pool="spot")
    assert states(fleet) == {name: WorkerState.STARTING}
    with pytest.raises(AssertionError, match="has not answered"):
        fleet.submit(name, job(1))
    collect_until(fleet, lambda _: fleet.workers[name].is_ready)
    (row,) = fleet.rows()
    assert (row.name, row.pool, row.state) == (name, "spot", WorkerState.IDLE)
    assert row.numerics_class == fleet.workers[name].health.numerics_class
    assert row.numerics_class
    assert fleet.failed_starts == []


def test_chunks_come_back_once_and_in_order(fleet):
    name = ready(fleet)
    for chunk_id in (1, 2):
        fleet.submit(name, job(1, chunk_id=chunk_id))
    assert [chunk.key for chunk in fleet.workers[name].assigned] == [(1, 3), (2, 3)]
    assert states(fleet) == {name: WorkerState.PAINTING}
    with pytest.raises(AssertionError, match="from PAINTING to RETIRED"):
        fleet.retire(name)
    results = collect_until(fleet, lambda results: len(results) > 1)
    assert [(r.key, r.worker, r.failure) for r in results] == [
        ((1, 3), name, None),
        ((2, 3), name, None),
    ]
    assert all(len(result.outcomes) == 1 for result in results)
    assert fleet.workers[name].assigned == []
    assert states(fleet) == {name: WorkerState.IDLE}
    fleet.acknowledge(results)
    assert fleet.collect(0.1) == []


def test_a_chunk_that_is_stopped_comes_back_too(fleet):
    name = ready(fleet)
    fleet.submit(name, job(6))
    fleet.stop(name, (1, 3))
    fleet.stop(name, (1, 3), at_step=True)
    (result,) = collect_until(fleet, lambda results: results)
    assert result.key == (1, 3)
    assert states(fleet) == {name: WorkerState.IDLE}


def test_a_retired_worker_is_in_no_list(fleet):
    idle = ready(fleet)
    starting = fleet.start(time.monotonic())
    fleet.retire(idle)
    assert states(fleet) == {starting: WorkerState.STARTING}
    fleet.retire(starting)
    assert (fleet.workers, fleet.rows()) == ({}, [])
    fleet.collect(0.1)
    assert fleet.failed_starts == [], "an end that was ordered is not a failed start"


def test_the_workers_of_a_drained_node_leave_without_haste(fleet):
    name = ready(fleet)
    assert fleet.leaving(time.monotonic()) == {}
    fleet.drain(fleet.workers[name].health.node_id)
    assert fleet.leaving(time.monotonic()) == {name: None}


def test_a_fleet_that_has_ended_has_no_workers(fleet):
    fleet.start(time.monotonic())
    fleet.end()
    assert (fleet.workers, fleet.rows()) == ({}, [])
    assert fleet.collect(0.1) == []
