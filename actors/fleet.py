"""All workers, as the dispatcher handles them: found, started, fed, heard from and given up. Ray is called from here alone."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayError

from actors.actor import render_actor
from actors.fleet_settings import FleetSettings
from actors.jobs import ChunkJob, ChunkResult, Failure, FailureKind, Health
from storage.rows import WorkerRow

_UNANSWERED_S = 30.0


@dataclass
class Worker:
    """One actor and what is under way with it."""

    name: str
    handle: Any
    pending_health: Any
    asked_at: float
    health: Health | None = None
    jobs: dict[Any, ChunkJob] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        return self.health is not None


def connect(settings: FleetSettings, folder: Path) -> None:
    """Join a running cluster, or start one for this process alone, on loopback, with its files in `folder`."""
    if settings.address != "local":
        ray.init(address=settings.address, namespace=settings.namespace, log_to_driver=False, logging_level="ERROR")
        return
    ray.init(
        address="local",
        namespace=settings.namespace,
        num_cpus=settings.size * settings.threads,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100_000_000,  # no picture passes through it
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder),
    )


def disconnect(folder: Path) -> None:
    """Leave the cluster; one of one's own ends, and its files with it."""
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


class Fleet:
    """The workers of one dispatcher."""

    def __init__(self, settings: FleetSettings) -> None:
        self._settings = settings
        self.workers: dict[str, Worker] = {}
        self.failed_starts: list[str] = []
        """Why workers ended before they were ready; whoever reads it empties it."""

    def adopt(self, now: float) -> None:
        """Take over the actors that an earlier dispatcher left behind."""
        for entry in ray.util.list_named_actors(all_namespaces=True):
            if entry["namespace"] == self._settings.namespace:
                handle = ray.get_actor(entry["name"], namespace=entry["namespace"])
                self._add(entry["name"], handle, now)

    def start(self, now: float) -> str:
        """Ask for one more worker; it is ready once it has answered for its health."""
        name = f"worker-{uuid4().hex[:8]}"
        s = self._settings
        options = {"num_gpus": s.gpus} if s.gpus else {"num_cpus": s.threads}
        handle = render_actor.options(
            name=name, namespace=s.namespace, lifetime="detached", max_restarts=0, max_task_retries=0, **options
        ).remote(name, outputs=s.outputs, device=s.device, threads=s.threads, orphan_s=s.orphan_s)
        self._add(name, handle, now)
        return name

    def submit(self, worker: str, job: ChunkJob) -> None:
        held = self.workers[worker]
        held.jobs[held.handle.paint.remote(job)] = job

    def collect(self, timeout_s: float) -> list[ChunkResult]:
        """What has come back, waiting up to `timeout_s` for the first. A lost worker's jobs come back as failures."""
        owners = {ref: worker for worker in self.workers.values() for ref in (*worker.jobs, worker.pending_health)}
        refs = [ref for ref in owners if ref is not None]
        if not refs:
            time.sleep(timeout_s)  # nothing can come back; the caller's loop keeps its pace
            return []
        ready, _ = ray.wait(refs, num_returns=1, timeout=timeout_s)
        if ready:
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        results: list[ChunkResult] = []
        for ref in ready:
            results += self._receive(owners[ref], ref)
        return results

    def ask_health(self, now: float) -> list[ChunkResult]:
        """Ask each worker that has answered the last time again; give up those that have not for half a minute."""
        lost: list[ChunkResult] = []
        for worker in list(self.workers.values()):
            if worker.pending_health is None:
                worker.pending_health, worker.asked_at = worker.handle.health.remote(), now
            elif worker.is_ready and now - worker.asked_at > _UNANSWERED_S:
                lost += self._lose(worker, f"it did not answer for {_UNANSWERED_S:.0f} seconds")
        return lost

    def acknowledge(self, results: Iterable[ChunkResult]) -> None:
        for result in results:
            worker = self.workers.get(result.worker)
            if worker is not None:
                worker.handle.acknowledge.remote(result.chunk_id, result.lease)

    def rows(self) -> list[WorkerRow]:
        return [_row(worker) for worker in self.workers.values()]

    def end(self) -> None:
        for worker in self.workers.values():
            ray.kill(worker.handle)
        self.workers.clear()

    def _add(self, name: str, handle: Any, now: float) -> None:
        self.workers[name] = Worker(name, handle, handle.health.remote(), now)

    def _receive(self, worker: Worker, ref: Any) -> list[ChunkResult]:
        if worker.name not in self.workers:
            return []  # given up a moment ago, when another of its answers was read
        try:
            answer = ray.get(ref)
        except RayActorError as exc:
            started = not (isinstance(exc, ActorDiedError) and exc.actor_init_failed)
            return self._lose(worker, "its process ended" if started else f"it could not start: {exc}")
        except RayError as exc:
            if ref not in worker.jobs:
                return self._lose(worker, f"it could not answer for its health: {exc}")
            return [_failed(worker, worker.jobs.pop(ref), FailureKind.UNKNOWN, str(exc))]
        if isinstance(answer, Health):
            worker.pending_health = None
            first = worker.health is None
            worker.health = answer
            return list(answer.mailbox) if first else []
        worker.jobs.pop(ref)
        return [answer]

    def _lose(self, worker: Worker, why: str) -> list[ChunkResult]:
        del self.workers[worker.name]
        ray.kill(worker.handle)
        if not worker.is_ready:
            self.failed_starts.append(why)
        return [_failed(worker, job, FailureKind.WORKER_LOST, f"The worker {worker.name} was lost: {why}.") for job in worker.jobs.values()]


def _failed(worker: Worker, job: ChunkJob, kind: FailureKind, detail: str) -> ChunkResult:
    return ChunkResult(
        chunk_id=job.chunk_id,
        campaign_id=job.campaign_id,
        lease=job.lease,
        worker=worker.name,
        failure=Failure(kind=kind, detail=detail),
    )


def _row(worker: Worker) -> WorkerRow:
    health = worker.health
    if health is None:
        return WorkerRow(name=worker.name, state="starting", node=None, device=None, numerics_class=None, warm=None)
    state = "painting" if worker.jobs else "idle"
    return WorkerRow(
        name=worker.name, state=state, node=health.node, device=health.device, numerics_class=health.numerics_class, warm=health.warm
    )
