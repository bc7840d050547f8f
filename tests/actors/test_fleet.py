"""What the fleet makes of a worker's answers, with handles that stand for Ray's."""

import time
from dataclasses import replace

import pytest
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import ActorDiedError

from actors.fleet import fleet as fleet_file
from actors.fleet import nodes as nodes_file
from actors.fleet.actor import RenderActor
from actors.fleet.fleet import Fleet
from actors.fleet.settings import FleetSettings
from actors.fleet.worker import Phase
from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from actors.recipes.jobs import ChunkJob, ChunkResult, FailureKind, Health
from tests.actors.test_painter import job


class Method:
    """A method of an actor: its calls are kept, and each gives a reference of its own."""

    def __init__(self):
        self.calls = []

    def remote(self, *arguments):
        self.calls.append(arguments)
        return object()


class Handle:
    def __init__(self):
        self.paint, self.health, self.stop, self.acknowledge, self.expect = (
            Method() for _ in range(5)
        )


@pytest.fixture
def fleet(monkeypatch):
    monkeypatch.setattr(fleet_file.ray, "kill", lambda handle: None)
    settings = FleetSettings(
        address="local",
        namespace="n",
        outputs="o",
        device=None,
        threads=1,
        gpus=0.0,
        fleet_size=2,
        stuck_s=60.0,
    )
    fleet = Fleet(settings)
    fleet._add("w", Handle(), 0.0, Phase.STARTING)
    return fleet


def health(**changes):
    return Health(**{**dict(name="w", node="n", device="cpu", numerics_class="c"), **changes})


def result(chunk_id):
    return ChunkResult(chunk_id=chunk_id, campaign_id=2, lease=3, worker="w")


def hear(fleet, **changes):
    return fleet._hear(fleet.workers["w"], health(**changes))


def adopt(fleet):
    """Make the worker one of an earlier dispatcher's, which gave it a chunk."""
    fleet._add("w", fleet.workers["w"].handle, 0.0, Phase.ADOPTED)
    fleet.inherit("w", 1, 2, 3)


def give(fleet, *chunk_ids):
    if not fleet.workers["w"].is_ready:
        hear(fleet)
    for chunk_id in chunk_ids:
        fleet.submit("w", job(chunk_id=chunk_id))


def test_what_an_earlier_dispatcher_gave_out_comes_through_the_mailbox_once(fleet):
    adopt(fleet)
    assert hear(fleet, painting=True) == []
    # Its own results are not taken from there: they come by their references.
    assert [r.chunk_id for r in hear(fleet, mailbox=(result(1), result(9)))] == [1]
    assert hear(fleet, mailbox=(result(1), result(9))) == []


def test_a_worker_is_told_of_a_chunk_that_waits_there_and_needs_other_files(fleet):
    one, other = job(chunk_id=1), job(chunk_id=4)
    group = replace(other.group, model="other")
    other = replace(other, group=group, model_folder="/models/other", manifest="f" * 64)
    expected = fleet.workers["w"].handle.expect.calls
    hear(fleet)
    fleet.submit("w", one)
    fleet.submit("w", replace(one, chunk_id=2))
    assert expected == [], "nor is it where the chunk is the next to be painted"
    fleet.submit("w", other)
    fleet.submit("w", replace(other, chunk_id=5))
    assert expected == [(other,)]
    beside = replace(other, chunk_id=6, likeness_manifest="a" * 64)
    fleet.submit("w", beside)
    fleet.submit("w", replace(beside, chunk_id=7))
    assert expected == [(other,), (beside,)]


def test_so_is_one_that_paints_for_an_earlier_dispatcher(fleet):
    adopt(fleet)
    hear(fleet, painting=True)
    one = job(chunk_id=2)
    fleet.submit("w", one)
    assert fleet.workers["w"].handle.expect.calls == [(one,)]


def test_what_a_worker_is_told_of_reaches_its_engine(outputs):
    """Nobody waits for the answer to it, so that nothing else would show that it went astray."""

    class Expecting(RestingEngine):
        def expect(self, group, folder):
            expected.append((group, folder))

    expected, actor, group = [], object.__new__(RenderActor), job().group
    actor._painter = Painter("w", Expecting(0.0), outputs)
    actor.expect(job(model_folder="/models/m"))
    assert expected == [(group, "/models/m")]


def test_an_order_that_was_lost_with_its_dispatcher_goes_back_after_a_second_look(fleet):
    adopt(fleet)
    assert hear(fleet) == []
    (lost,) = hear(fleet)
    assert (lost.chunk_id, lost.lease, lost.failure.kind) == (1, 3, FailureKind.PREEMPTED)
    assert fleet.workers["w"].assigned == []


def test_an_order_that_was_lost_is_noticed_on_a_worker_that_is_never_idle(fleet):
    """What it was given later has come back, and the order is neither painted nor in the
    mailbox.
    """
    adopt(fleet)
    hear(fleet, painting=True)
    give(fleet, 9)
    fleet.workers["w"].returned(*fleet.workers["w"].jobs)
    assert hear(fleet, painting=True) == []  # this answer may be older
    fleet.ask_health(1.0)
    (lost,) = hear(fleet, painting=True)
    assert (lost.chunk_id, lost.failure.kind) == (1, FailureKind.PREEMPTED)


def test_an_adopted_worker_that_never_answers_is_given_up_and_is_no_failed_start(fleet):
    adopt(fleet)
    assert fleet.ask_health(10.0) == []
    (lost,) = fleet.ask_health(31.0)
    assert (lost.chunk_id, lost.failure.kind) == (1, FailureKind.WORKER_LOST)
    assert fleet.failed_starts == []


def test_a_worker_that_makes_no_step_is_ended_and_only_what_it_painted_is_suspect(fleet):
    give(fleet, 1, 2)
    assert hear(fleet, painting=True, quiet_s=59.0) == []
    lost = hear(fleet, painting=True, quiet_s=61.0)
    assert [(r.chunk_id, r.failure.kind) for r in lost] == [
        (1, FailureKind.STUCK),
        (2, FailureKind.PREEMPTED),
    ]
    assert fleet.workers == {}


def test_a_worker_that_does_not_answer_is_given_up(fleet):
    give(fleet, 1)
    hear(fleet)
    assert fleet.ask_health(100.0) == []
    assert fleet.ask_health(119.0) == []
    (lost,) = fleet.ask_health(121.0)
    assert lost.failure.kind is FailureKind.WORKER_LOST
    assert "20 seconds" in lost.failure.detail


def test_a_worker_that_never_answered_is_a_failed_start(fleet):
    fleet._lose(fleet.workers["w"], FailureKind.WORKER_LOST, "no torch")
    assert fleet.failed_starts == ["no torch"]


@pytest.mark.parametrize(
    ("sentence", "counts"),
    [("its worker process has died", True), ("its node has died. Node Id: f", False)],
)
def test_a_worker_that_went_with_its_node_before_it_was_ready_is_no_failed_start(
    fleet, monkeypatch, sentence, counts
):
    cause = ActorDiedErrorContext(
        actor_id=b"\0" * 16, error_message=f"The actor died because {sentence}"
    )

    def get(_ref):
        raise ActorDiedError(cause)

    monkeypatch.setattr(fleet_file.ray, "get", get)
    assert fleet._receive(fleet.workers["w"], object()) == []
    assert (fleet.workers, fleet.failed_starts) == ({}, ["its process ended"] if counts else [])


def test_orders_and_receipts_reach_the_worker(fleet):
    assert [row.state for row in fleet.rows()] == ["starting"]
    hear(fleet)
    assert [row.state for row in fleet.rows()] == ["idle"]
    give(fleet, 1)
    handle = fleet.workers["w"].handle
    fleet.stop("w", (1, 3))
    fleet.acknowledge([result(1)])
    assert (handle.stop.calls, handle.acknowledge.calls) == ([(1, 3, False)], [(1, 3)])
    assert isinstance(handle.paint.calls[0][0], ChunkJob)
    assert [row.state for row in fleet.rows()] == ["painting"]


def test_workers_that_are_another_dispatchers_are_left_alone(fleet):
    fleet.forget()
    assert fleet.workers == {}


def test_a_hang_is_seen_beside_the_steps_before_it(fleet):
    give(fleet, 1)
    assert hear(fleet, painting=True, quiet_s=11.0, hung_after_s=12.0) == []
    (lost,) = hear(fleet, painting=True, quiet_s=13.0, hung_after_s=12.0)
    assert lost.failure.kind is FailureKind.STUCK


class Gcs:
    def __init__(self, **deadlines):
        self.deadlines, self.drained = deadlines, []

    def get_draining_nodes(self, timeout):
        return self.deadlines

    def drain_node(self, node_id, *_):
        self.drained.append(node_id)
        return True, ""


def test_a_node_that_is_to_go_takes_its_workers_along_by_its_first_deadline(fleet, monkeypatch):
    monkeypatch.setattr(nodes_file.time, "time", lambda: 5000.0)
    hear(fleet, node_id="a")
    fleet._nodes._gcs = Gcs()
    assert fleet.leaving(100.0) == {}
    fleet._nodes._gcs.deadlines = {"b": 5_030_000}
    assert fleet.leaving(100.0) == {}
    fleet._nodes._gcs.deadlines = {"a": 5_030_000}
    assert fleet.leaving(100.0) == {"w": 30.0}
    # Its autoscaler may drain it as idle, and takes the deadline back with that.
    fleet._nodes._gcs.deadlines = {"a": 0}
    assert fleet.leaving(110.0) == {"w": 20.0}


def test_what_an_operator_drains_has_time(fleet):
    hear(fleet, node_id="a")
    fleet._nodes._gcs = Gcs()
    fleet.drain("a")
    assert fleet._nodes._gcs.drained == ["a"]
    fleet._nodes._gcs.deadlines = {"a": int((time.time() + 10 * nodes_file._FAR_OFF_S) * 1000)}
    assert fleet.leaving(100.0) == {"w": None}


def test_a_cloud_tells_the_worker(fleet):
    fleet._nodes._gcs = Gcs()
    fleet.workers["w"].asked_at = 95.0
    hear(fleet, node_id="a", leaves_in_s=120.0)
    assert fleet.leaving(100.0) == {"w": 115.0}


def test_a_head_that_does_not_answer_says_nothing_of_nodes(fleet):
    class Away:
        def get_draining_nodes(self, timeout):
            raise RuntimeError("unavailable")

    hear(fleet, node_id="a")
    fleet._nodes._gcs = Away()
    assert fleet.leaving(100.0) == {}
