"""All workers, as the dispatcher handles them: found, started, fed, heard from and given up. Ray
is called from here alone.
"""

import logging
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray

# compiled: the only client of a head that needs no driver
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.core.generated import autoscaler_pb2
from ray.exceptions import ActorDiedError, RayActorError, RayError

from actors.fleet.actor import render_actor
from actors.fleet.settings import FleetSettings
from actors.recipes.jobs import ChunkJob, ChunkResult, Failure, FailureKind, Health
from storage.rows import WorkerRow

_IDLE_ANSWERS = 2  # one alone may fall between two chunks
_LOOK_S = 0.1
_GCS_PORT = 6379
_GCS_TIMEOUT_S = 2
_NODE_DIED = "because its node has died"  # Ray says it in the message alone
_FAR_OFF_S = (
    7 * 86_400.0
)  # a drain that nobody's notice is behind: the worker may finish its chunk

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """A chunk that a worker has."""

    chunk_id: int
    campaign_id: int
    lease: int

    @property
    def key(self) -> tuple[int, int]:
        return self.chunk_id, self.lease


@dataclass
class Worker:
    """One actor and what is under way with it."""

    name: str
    handle: Any
    pending_health: Any
    asked_at: float
    pool: str
    since: float
    """When it was asked for, or found."""
    health: Health | None = None
    jobs: dict[Any, Held] = field(default_factory=dict)
    """Chunks given to it, by the reference to their results, in the order in which it takes
    them.
    """
    inherited: dict[tuple[int, int], Held] = field(default_factory=dict)
    """Chunks that an earlier dispatcher gave to it: their results come through its mailbox."""
    idle_answers: int = 0
    has_returned: bool = False
    """Whether a chunk of this dispatcher's own has come back, so that all it had before that has
    too.
    """
    sure: bool = False
    """Whether its health was asked for after that."""
    is_adopted: bool = False
    next_model: str | None = None
    """The digest of the model that the last chunk given to it needs."""
    idle_since: float | None = None
    """When it was first seen without work, since it last had some."""

    @property
    def is_ready(self) -> bool:
        return self.health is not None

    @property
    def held(self) -> list[Held]:
        """All that it has, what it paints first."""
        return [*self.inherited.values(), *self.jobs.values()]


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
        self.size = settings.size
        self.failed_starts: list[str] = []
        """Why workers ended before they were ready; whoever reads it empties it."""
        self._gcs: GcsClient | None = None
        self._ends_at: dict[str, float] = {}

    def adopt(self, now: float) -> None:
        """Take over the actors that an earlier dispatcher left behind."""
        for entry in ray.util.list_named_actors(all_namespaces=True):
            if entry["namespace"] == self._settings.namespace:
                handle = ray.get_actor(entry["name"], namespace=entry["namespace"])
                self._add(entry["name"], handle, now)
                self.workers[entry["name"]].is_adopted = True

    def start(
        self, now: float, pool: str = "worker", labels: Mapping[str, str] | None = None
    ) -> str:
        """Ask for one more worker, on a node with these labels; it is ready once it has answered
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
        self._add(name, handle, now)
        return name

    def retire(self, worker: str) -> None:
        """End a worker that has nothing, or that has not come."""
        ray.kill(self.workers.pop(worker).handle)

    def submit(self, worker: str, job: ChunkJob) -> None:
        """Give a chunk to a worker, after what it has."""
        to = self.workers[worker]
        to.idle_since = None
        if to.held and to.next_model != job.group.model:
            to.handle.expect.remote(job.group, job.model_folder)
        to.next_model = job.group.model
        to.jobs[to.handle.paint.remote(job)] = Held(job.chunk_id, job.campaign_id, job.lease)

    def inherit(self, worker: str, chunk_id: int, campaign_id: int, lease: int) -> None:
        """Expect from a worker the result of a chunk that an earlier dispatcher gave to it."""
        self.workers[worker].inherited[chunk_id, lease] = Held(chunk_id, campaign_id, lease)

    def stop(self, worker: str, key: tuple[int, int], *, at_step: bool = False) -> None:
        """Have a worker leave a chunk (id, lease) alone from its next batch on, or from its next
        step.
        """
        self.workers[worker].handle.stop.remote(*key, at_step)

    # --- nodes that go ---

    def leaving(self, now: float) -> dict[str, float | None]:
        """The workers whose node is to go, with the seconds that are left; None where it waits for
        them.

        As Ray has been told, by whom ever: its autoscaler, SIGTERM to a node, `drain`; or as the
        cloud has told the worker.
        """
        nodes = self._draining_nodes()
        found: dict[str, float | None] = {}
        for worker in self.workers.values():
            health = worker.health
            if health is None:
                continue
            if health.leaves_in_s is not None:
                found[worker.name] = health.leaves_in_s - (now - worker.asked_at)
            elif health.node_id in nodes:
                # A later notice may take the deadline back: the first one stands.
                left_s = nodes[health.node_id]
                if left_s is not None and left_s < _FAR_OFF_S:
                    self._ends_at.setdefault(health.node_id, now + left_s)
                ends_at = self._ends_at.get(health.node_id)
                found[worker.name] = None if ends_at is None else ends_at - now
        return found

    def drain(self, node_id: str) -> None:
        """Have Ray put nothing more on a node, and end it once the last worker there has gone."""
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + 10 * _FAR_OFF_S) * 1000)
        try:
            accepted, why = self._gcs_client().drain_node(
                node_id, reason, "drained by an operator", deadline_ms
            )
        # it raises what gRPC does; the node may have gone by itself
        except Exception as exc:  # noqa: BLE001
            accepted, why = False, str(exc)
        if not accepted:
            log.warning("Ray does not drain node %s: %s action=drain", node_id, why)

    def _draining_nodes(self) -> dict[str, float | None]:
        try:
            deadlines = self._gcs_client().get_draining_nodes(timeout=_GCS_TIMEOUT_S)
        # it raises what gRPC does; the head may be away for a moment
        except Exception as exc:  # noqa: BLE001
            log.warning("Ray does not say which nodes are to go: %s action=drain", exc)
            return {}
        return {
            node_id: None if not ms else ms / 1000 - time.time()
            for node_id, ms in deadlines.items()
        }

    def _gcs_client(self) -> GcsClient:
        if self._gcs is None:
            address = self._settings.gcs
            if address is None and self._settings.address.startswith("ray://"):
                host = self._settings.address.removeprefix("ray://").rpartition(":")[0]
                address = f"{host}:{_GCS_PORT}"
            self._gcs = GcsClient(address=address or ray.get_runtime_context().gcs_address)
        return self._gcs

    def collect(self, timeout_s: float) -> list[ChunkResult]:
        """What has come back, waiting up to `timeout_s` for the first. A lost worker's jobs come
        back as failures.
        """
        owners = {
            ref: worker
            for worker in self.workers.values()
            for ref in (*worker.jobs, worker.pending_health)
        }
        refs = [ref for ref in owners if ref is not None]
        if not refs:
            time.sleep(
                min(timeout_s, _LOOK_S)
            )  # nothing can come back: what is submitted should not wait for long
            return []
        ready, _ = ray.wait(refs, num_returns=1, timeout=timeout_s)
        if ready:
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        results: list[ChunkResult] = []
        for ref in ready:
            results += self._receive(owners[ref], ref)
        return results

    def ask_health(self, now: float) -> list[ChunkResult]:
        """Ask each worker that has answered the last time again; give up those that have not for
        too long.
        """
        patience_s = self._settings.unanswered_s
        lost: list[ChunkResult] = []
        for worker in list(self.workers.values()):
            if worker.pending_health is None:
                worker.pending_health, worker.asked_at = worker.handle.health.remote(), now
                worker.sure = worker.has_returned
            elif (worker.is_ready or worker.is_adopted) and now - worker.asked_at > patience_s:
                lost += self._lose(
                    worker,
                    FailureKind.WORKER_LOST,
                    f"it did not answer for {patience_s:.0f} seconds",
                )
        return lost

    def acknowledge(self, results: Iterable[ChunkResult]) -> None:
        for result in results:
            worker = self.workers.get(result.worker)
            if worker is not None:
                worker.handle.acknowledge.remote(result.chunk_id, result.lease)

    def rows(self) -> list[WorkerRow]:
        return [_row(worker) for worker in self.workers.values()]

    def end(self) -> None:
        """End every worker."""
        for worker in self.workers.values():
            ray.kill(worker.handle)
        self.forget()

    def forget(self) -> None:
        """Leave the workers as they are, to another dispatcher."""
        self.workers.clear()

    def _add(self, name: str, handle: Any, now: float) -> None:
        self.workers[name] = Worker(
            name, handle, handle.health.remote(), now, pool=name.rpartition("-")[0], since=now
        )

    def _receive(self, worker: Worker, ref: Any) -> list[ChunkResult]:
        if worker.name not in self.workers:
            return []  # given up a moment ago, when another of its answers was read
        try:
            answer = ray.get(ref)
        except RayActorError as exc:
            died = isinstance(exc, ActorDiedError)
            kind = FailureKind.PREEMPTED if died and exc.preempted else FailureKind.WORKER_LOST
            why = (
                f"it could not start: {exc}"
                if died and exc.actor_init_failed
                else "its process ended"
            )
            return self._lose(
                worker,
                kind,
                why,
                with_its_node=not died or exc.preempted or _NODE_DIED in str(exc),
            )
        except RayError as exc:
            if ref not in worker.jobs:
                return self._lose(
                    worker, FailureKind.WORKER_LOST, f"it could not answer for its health: {exc}"
                )
            return [_failed(worker, worker.jobs.pop(ref), FailureKind.UNKNOWN, str(exc))]
        if isinstance(answer, Health):
            return self._hear(worker, answer)
        worker.jobs.pop(ref)
        worker.has_returned = True
        return [answer]

    def _hear(self, worker: Worker, health: Health) -> list[ChunkResult]:
        """Take a worker's word for its health, and from its mailbox what was inherited."""
        worker.pending_health, worker.health = None, health
        if health.quiet_s > min(
            self._settings.stuck_s, health.hung_after_s or self._settings.stuck_s
        ):
            return self._lose(
                worker, FailureKind.STUCK, f"it made no step for {health.quiet_s:.0f} seconds"
            )
        results = [result for result in health.mailbox if worker.inherited.pop(result.key, None)]
        worker.idle_answers = (
            0 if health.painting or results or worker.jobs else worker.idle_answers + 1
        )
        if worker.inherited and (worker.sure or worker.idle_answers >= _IDLE_ANSWERS):
            # It has neither a result nor anything left to paint before what came later: the order
            # was lost with who gave it.
            lost, worker.inherited = worker.inherited, {}
            results += [
                _failed(
                    worker, held, FailureKind.PREEMPTED, "The order was lost with its dispatcher."
                )
                for held in lost.values()
            ]
        return results

    def _lose(
        self, worker: Worker, kind: FailureKind, why: str, *, with_its_node: bool = False
    ) -> list[ChunkResult]:
        """Give a worker up. Only the chunk that it painted can have anything to do with it; the
        others had not begun.

        One that was lost with its node before it was ready says nothing of whether workers can
        start: a node that has died looks free to Ray until it is missed, after 12 s, and all that
        are asked for meanwhile may be put there.
        """
        del self.workers[worker.name]
        ray.kill(worker.handle)
        if not worker.is_ready and not worker.is_adopted:
            log.warning(
                "Worker %s has not come: %s. action=start worker=%s", worker.name, why, worker.name
            )
            self.failed_starts += [] if with_its_node else [why]
        kinds = [kind, *[FailureKind.PREEMPTED] * len(worker.held)]
        detail = f"The worker {worker.name} was lost: {why}."
        return [
            _failed(worker, held, kind, detail)
            for held, kind in zip(worker.held, kinds, strict=False)
        ]


def _failed(worker: Worker, held: Held, kind: FailureKind, detail: str) -> ChunkResult:
    return ChunkResult(
        chunk_id=held.chunk_id,
        campaign_id=held.campaign_id,
        lease=held.lease,
        worker=worker.name,
        failure=Failure(kind=kind, detail=detail),
    )


def _row(worker: Worker) -> WorkerRow:
    health = worker.health
    if health is None:
        return WorkerRow(
            name=worker.name,
            state="starting",
            pool=worker.pool,
            node=None,
            device=None,
            numerics_class=None,
            warm=None,
        )
    return WorkerRow(
        name=worker.name, state="painting" if worker.held else "idle", pool=worker.pool,
        node=health.node, node_id=health.node_id,
        device=health.device, numerics_class=health.numerics_class,
        warm=next(iter(health.pipelines), None),
    )  # fmt: skip
