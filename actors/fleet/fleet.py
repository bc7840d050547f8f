"""All workers, as the dispatcher handles them: found, started, assigned chunks, heard and given
up.
"""

import logging
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray._private.ray_constants import PROCESS_TYPE_GCS_SERVER, PROCESS_TYPE_RAYLET
from ray.exceptions import ActorDiedError, RayActorError, RayError

from actors.fleet.actor import render_actor
from actors.fleet.nodes import Nodes
from actors.fleet.settings import FleetSettings
from actors.fleet.worker import AssignedChunk, Phase, Worker
from actors.recipes.jobs import ChunkJob, ChunkResult, Facts, Failure, FailureKind, Health
from storage.log_events import relay
from storage.rows import WorkerRow

_LOOK_S = 0.1
_NEEDED = (PROCESS_TYPE_GCS_SERVER, PROCESS_TYPE_RAYLET)
_NODE_DIED = "because its node has died"  # Ray says it in the message alone

log = logging.getLogger(__name__)


def connect(settings: FleetSettings, folder: Path) -> None:
    """Join a running cluster, or start one for this process alone, on loopback, with its files in
    `folder`.
    """
    if settings.address != "local":
        ray.init(
            address=settings.address,
            namespace=settings.namespace,
            log_to_driver=False,
            logging_level="ERROR",
        )
        return
    ray.init(
        address="local",
        namespace=settings.namespace,
        num_cpus=settings.fleet_size * settings.threads,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100_000_000,  # no picture passes through it
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder),
    )


def has_lost_ray() -> bool:
    """Whether a part of Ray that workers need has ended, of a cluster that this process started:
    no worker will ever start in it again.
    """
    node = ray._private.worker._global_node
    return node is not None and any(name in _NEEDED for name, _ in node.dead_processes())


def disconnect(folder: Path) -> None:
    """Leave the cluster; one that this process started ends, and its files are removed."""
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


class Fleet:
    """The workers of one dispatcher."""

    def __init__(self, settings: FleetSettings) -> None:
        self._settings = settings
        self._nodes = Nodes(settings.address, settings.gcs)
        self.workers: dict[str, Worker] = {}
        self.size = settings.fleet_size
        self.failed_starts: list[str] = []
        """Why workers ended before they were ready, since `take_failed_starts`."""

    # --- workers that come and go ---

    def adopt(self, now: float) -> None:
        """Take over the actors that an earlier dispatcher left behind."""
        for entry in ray.util.list_named_actors(all_namespaces=True):
            if entry["namespace"] == self._settings.namespace:
                handle = ray.get_actor(entry["name"], namespace=entry["namespace"])
                self._add(entry["name"], handle, now, Phase.ADOPTED)

    def start(
        self, now: float, pool: str = "worker", labels: Mapping[str, str] | None = None
    ) -> str:
        """Ask for one more worker, on a node with these labels; it is ready when it has answered
        for its health.

        Its actor waits until there is room: that is the demand which makes Ray's autoscaler start
        a node.
        """
        name = f"{pool}-{uuid4().hex[:8]}"  # whoever takes over knows its pool by that
        s = self._settings
        options: dict[str, Any] = {"num_gpus": s.gpus} if s.gpus else {"num_cpus": s.threads}
        if labels:
            options["label_selector"] = dict(labels)
        handle = render_actor.options(
            name=name,
            namespace=s.namespace,
            lifetime="detached",
            max_restarts=0,
            max_task_retries=0,
            **options,
        ).remote(name, s)
        self._add(name, handle, now, Phase.STARTING)
        return name

    def retire(self, worker: str) -> None:
        """End a worker that is assigned no chunk."""
        retired = self.workers[worker]
        retired.retire()
        del self.workers[worker]
        ray.kill(retired.handle)

    def end(self) -> None:
        """End every worker."""
        for worker in self.workers.values():
            ray.kill(worker.handle)
        self.forget()

    def forget(self) -> None:
        """Leave the workers as they are, to another dispatcher."""
        self.workers.clear()

    def rows(self) -> list[WorkerRow]:
        return [worker.row() for worker in self.workers.values()]

    # --- nodes that end ---

    def leaving(self, now: float) -> dict[str, float | None]:
        """The workers whose node is about to end, with the seconds that are left; None if the node
        waits for them.

        Ray says so of the node, or the worker has a notice from its cloud.
        """
        healths = {worker.name: worker.health for worker in self.workers.values() if worker.health}
        nodes = self._nodes.leaving({health.node_id for health in healths.values()}, now)
        leaving: dict[str, float | None] = {}
        for name, health in healths.items():
            left_s = self.workers[name].leaves_in_s(now)
            if left_s is not None:
                leaving[name] = left_s
            elif health.node_id in nodes:
                leaving[name] = nodes[health.node_id]
        return leaving

    def drain(self, node_id: str) -> None:
        """Have Ray put nothing more on a node, and end it after its last worker has ended."""
        self._nodes.drain(node_id)

    # --- chunks out ---

    def submit(self, worker: str, job: ChunkJob) -> None:
        """Give a chunk to a worker, after those that it has."""
        to = self.workers[worker]
        needed = (job.group.model, *job.manifests)
        if to.assigned and to.next_needs != needed:
            to.handle.expect.remote(job)
        to.next_needs = needed
        chunk = AssignedChunk(job.chunk_id, job.campaign_id, job.lease)
        to.assign(to.handle.paint.remote(job), chunk, time.monotonic())

    def inherit(self, worker: str, chunk_id: int, campaign_id: int, lease: int) -> None:
        """Expect from a worker the result of a chunk that an earlier dispatcher gave to it."""
        self.workers[worker].inherit(AssignedChunk(chunk_id, campaign_id, lease))

    def stop(self, worker: str, key: tuple[int, int], *, at_step: bool = False) -> None:
        """Have a worker stop painting a chunk (id, lease) before its next batch, or before its
        next step.
        """
        self.workers[worker].handle.stop.remote(*key, at_step)

    def take_failed_starts(self) -> list[str]:
        """Why workers ended before they were ready, since this was asked last."""
        failed, self.failed_starts = self.failed_starts, []
        return failed

    def acknowledge(self, results: Iterable[ChunkResult]) -> None:
        for result in results:
            worker = self.workers.get(result.worker)
            if worker is not None:
                worker.handle.acknowledge.remote(result.chunk_id, result.lease)

    # --- answers in ---

    def collect(self, timeout_s: float) -> list[ChunkResult]:
        """The results that have come, after a wait of up to `timeout_s` for the first. The chunks
        of a lost worker come back as failures.
        """
        owners = {
            ref: worker
            for worker in self.workers.values()
            for ref in (*worker.jobs, worker.pending_health)
        }
        refs = [ref for ref in owners if ref is not None]
        if not refs:
            # Nothing can come back; chunks that can be submitted soon must not wait for long.
            time.sleep(min(timeout_s, _LOOK_S))
            return []
        ready, _ = ray.wait(refs, num_returns=1, timeout=timeout_s)
        if ready:
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        results: list[ChunkResult] = []
        for ref in ready:
            results += self._receive(owners[ref], ref)
        return results

    def ask_health(self, now: float) -> list[ChunkResult]:
        """Ask each worker again that has answered the last time; give up those that have not
        answered for too long.
        """
        patience_s = self._settings.unanswered_s
        lost: list[ChunkResult] = []
        for worker in list(self.workers.values()):
            if worker.pending_health is None:
                worker.asked(worker.handle.health.remote(), now)
            elif worker.is_overdue(now, patience_s):
                why = f"it did not answer for {patience_s:.0f} seconds"
                lost += self._lose(worker, FailureKind.WORKER_LOST, why)
        return lost

    def _add(self, name: str, handle: Any, now: float, phase: Phase) -> None:
        self.workers[name] = Worker(
            name=name,
            handle=handle,
            pending_health=handle.health.remote(),
            asked_at=now,
            pool=name.rpartition("-")[0],
            since=now,
            phase=phase,
        )

    def _receive(self, worker: Worker, ref: Any) -> list[ChunkResult]:
        if worker.name not in self.workers:
            return []  # given up a moment ago, when another of its answers was read
        try:
            answer = ray.get(ref)
        except RayActorError as exc:
            return self._lose_dead(worker, exc)
        except RayError as exc:
            if ref not in worker.jobs:
                why = f"it could not answer for its health: {exc}"
                return self._lose(worker, FailureKind.WORKER_LOST, why)
            return [_failed(worker, worker.drop(ref), FailureKind.UNKNOWN, str(exc))]
        if isinstance(answer, Health):
            return self._hear(worker, answer)
        worker.returned(ref, time.monotonic())
        return [answer]

    def _hear(self, worker: Worker, health: Health) -> list[ChunkResult]:
        """Take a worker's answer, and from its mailbox the results of inherited chunks."""
        worker.answered(health)
        for event in health.log:
            relay(event, worker=worker.name)
        stuck_s = self._settings.stuck_s
        if health.quiet_s > min(stuck_s, health.hung_after_s or stuck_s):
            why = f"it made no step for {health.quiet_s:.0f} seconds"
            return self._lose(worker, FailureKind.STUCK, why)
        results = worker.take_mail(health)
        detail = "The worker never received this chunk: the dispatcher died while it sent it."
        return results + [
            _failed(worker, chunk, FailureKind.PREEMPTED, detail)
            for chunk in worker.take_unreceived()
        ]

    # --- workers that are lost ---

    def _lose_dead(self, worker: Worker, exc: RayActorError) -> list[ChunkResult]:
        """Give up a worker whose actor has died or cannot be reached."""
        died = isinstance(exc, ActorDiedError)
        could_not_start = died and exc.actor_init_failed
        return self._lose(
            worker,
            FailureKind.PREEMPTED if died and exc.preempted else FailureKind.WORKER_LOST,
            f"it could not start: {exc}" if could_not_start else "its process ended",
            with_its_node=not died or exc.preempted or _NODE_DIED in str(exc),
        )

    def _lose(
        self, worker: Worker, kind: FailureKind, why: str, *, with_its_node: bool = False
    ) -> list[ChunkResult]:
        """Give a worker up. Only the chunk that it painted can be the cause; the others had not
        begun.

        A worker that was lost with its node before it was ready does not count as a failed start.
        A dead node looks free to Ray for up to 12 s, and all workers that are asked for meanwhile
        may be put there.
        """
        if worker.phase is Phase.STARTING:
            log.warning(
                "Worker %s has not come: %s. action=start worker=%s", worker.name, why, worker.name
            )
            self.failed_starts += [] if with_its_node else [why]
        del self.workers[worker.name]
        worker.lose()
        ray.kill(worker.handle)
        detail = f"The worker {worker.name} was lost: {why}."
        lost = [_failed(worker, chunk, FailureKind.PREEMPTED, detail) for chunk in worker.assigned]
        return [
            replace(
                result,
                failure=Failure(kind=kind, detail=detail),
                facts=Facts(lost_s=worker.painted_for_s(time.monotonic())),
            )
            for result in lost[:1]
        ] + lost[1:]


def _failed(worker: Worker, chunk: AssignedChunk, kind: FailureKind, detail: str) -> ChunkResult:
    return ChunkResult(
        chunk_id=chunk.chunk_id,
        campaign_id=chunk.campaign_id,
        lease=chunk.lease,
        worker=worker.name,
        failure=Failure(kind=kind, detail=detail),
    )
