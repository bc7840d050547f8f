"""The dispatcher: takes chunks from the queue, gives them to workers, and writes down what became of them.

It is a process of its own, because Ray may end a process that talks to it without an exception. It keeps nothing that the job
database does not have, so that it can be killed at any moment; its parent (`farm.supervisor`) starts it again.
"""

import contextlib
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from actors.fleet import Fleet, connect, disconnect
from actors.jobs import ChunkJob, ChunkResult, Failure, FailureKind, PictureJob
from farm.config import Settings
from farm.expansion import Expansion
from farm.logs import log_to_file
from farm.manifest import picture_key, write_manifest
from farm.policy import Again, FreeWorker, GiveUp, Halt, after_failure, assign, workers_to_start
from farm.specs import expansion_of
from storage.campaigns import Campaigns
from storage.database import open_database
from storage.errors import SeedbedError
from storage.outputs import Outputs, open_outputs
from storage.queue import Queue
from storage.rows import CampaignRow, Chunk, RenderOutcome, Settlement
from storage.states import Reason, RenderState
from storage.watching import Watching

COLLECT_S = 0.25
HEARTBEAT_S = 3.0
ADOPTION_S = 20.0
STARTS_BEFORE_HALT = 3
STARTING_AT_ONCE = 4

log = logging.getLogger(__name__)


class Dispatcher:
    """One session of dispatching. `tick` is the whole of its work."""

    def __init__(
        self, *, queue: Queue, campaigns: Campaigns, watching: Watching, outputs: Outputs, fleet: Fleet, fleet_size: int, now: float
    ) -> None:
        self._queue = queue
        self._campaigns = campaigns
        self._watching = watching
        self._outputs = outputs
        self._fleet = fleet
        self._fleet_size = fleet_size
        self._plan = lru_cache(maxsize=64)(self._load_plan)
        self._leased: dict[tuple[int, int], Chunk] = {}
        self._failed_starts = 0
        self._next_heartbeat = 0.0
        # Manifests are written beside the loop: that of a million renders takes half a minute.
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="clerk")
        self._adopt(now)
        self._session = queue.begin_session(host=platform.node(), pid=os.getpid(), now=now)

    def tick(self, now: float) -> None:
        """One round: claim, assign, submit, collect, settle."""
        open_campaigns = self._queue.open_campaigns(self._session)
        self._grow(now)
        seats = assign(open_campaigns, self._free_workers())
        for chunk in self._queue.claim(self._session, [(seat.campaign_id, seat.worker) for seat in seats], now):
            self._submit(chunk, now)
        results = self._fleet.collect(COLLECT_S)
        self._settle(results, now)
        self._beat(now)

    def end(self, now: float) -> None:
        """End the workers and this session; what they had goes back into the queue."""
        self._fleet.end()
        self._watching.save_workers(self._session, [], now)
        self._queue.end_session(self._session, now)
        self._clerk.shutdown()

    # --- taking over ---

    def _adopt(self, now: float) -> None:
        """Take over from a dispatcher that is no more: settle what its workers finished, then free what it had leased."""
        self._fleet.adopt(now)
        deadline = time.monotonic() + ADOPTION_S
        while any(not w.is_ready for w in self._fleet.workers.values()) and time.monotonic() < deadline:
            mail = self._fleet.collect(COLLECT_S)
            counted = self._queue.settle([_settled(result) for result in mail if result.failure is None], now)
            self._fleet.acknowledge(mail)
            if counted:
                log.info("Adopted %d results that waited with workers. action=adopt", len(counted))
        freed = self._queue.end_all_sessions(now)
        if freed:
            log.info("Put back %d chunks that an earlier dispatcher had leased. action=free", freed)

    # --- the fleet ---

    def _grow(self, now: float) -> None:
        workers = self._fleet.workers.values()
        if len(workers) >= self._fleet_size:
            return
        starting = sum(not worker.is_ready for worker in workers)
        count = workers_to_start(
            wanted=self._fleet_size,
            alive=len(workers) - starting,
            starting=starting,
            waiting_chunks=self._queue.waiting_chunks(self._fleet_size),
            pending_limit=STARTING_AT_ONCE,
        )
        for _ in range(count):
            name = self._fleet.start(now)
            log.info("Asked for worker %s. action=start worker=%s", name, name)

    def _free_workers(self) -> list[FreeWorker]:
        return [FreeWorker(name=w.name, held=len(w.jobs), warm=w.health.warm) for w in self._fleet.workers.values() if w.health is not None]

    def _beat(self, now: float) -> None:
        """Say that this session lives, ask the workers whether they do, and publish what they are doing."""
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_S
            self._queue.heartbeat(self._session, now)
            self._settle(self._fleet.ask_health(now), now)
            self._watching.save_workers(self._session, self._fleet.rows(), now)
        self._watch_starts()

    def _watch_starts(self) -> None:
        """Where no worker can start, say so on every open campaign rather than try for ever."""
        failed, self._fleet.failed_starts = self._fleet.failed_starts, []
        if any(worker.is_ready for worker in self._fleet.workers.values()):
            self._failed_starts = 0
        self._failed_starts += len(failed)
        if failed and self._failed_starts >= STARTS_BEFORE_HALT:
            for campaign in self._queue.open_campaigns(self._session):
                self._campaigns.halt(campaign.id, f"No worker could be started: {failed[-1]}")
            self._failed_starts = 0

    # --- jobs out ---

    def _load_plan(self, campaign_id: int) -> tuple[CampaignRow, Expansion]:
        campaign = self._campaigns.by_id(campaign_id)
        return campaign, expansion_of(campaign.spec)

    def _submit(self, chunk: Chunk, now: float) -> None:
        self._leased[chunk.id, chunk.lease] = chunk
        try:
            job = self._job(chunk)
        except (SeedbedError, ValueError, KeyError) as exc:  # a spec that this version cannot read must not stop the others
            failure = Failure(kind=FailureKind.BAD_SPEC, detail=f"The stored campaign cannot be read: {exc}")
            result = ChunkResult(chunk_id=chunk.id, campaign_id=chunk.campaign_id, lease=chunk.lease, worker=chunk.worker, failure=failure)
            self._settle([result], now)
            return
        self._fleet.submit(chunk.worker, job)

    def _job(self, chunk: Chunk) -> ChunkJob:
        campaign, expansion = self._plan(chunk.campaign_id)
        return chunk_job(campaign, expansion, chunk)

    # --- results in ---

    def _settle(self, results: Sequence[ChunkResult], now: float) -> None:
        if not results:
            return
        settlements = [self._settlement(result) for result in results]
        counted = self._queue.settle(settlements, now)
        self._fleet.acknowledge(results)
        for settlement in counted:
            log.info(
                "Chunk %d: %s. action=settle campaign=%d worker=%s %s",
                settlement.chunk_id,
                settlement.outcome,
                settlement.campaign_id,
                settlement.worker,
                settlement.detail or "",
            )
        for campaign_id in {s.campaign_id for s in counted}:
            self._finish(campaign_id)

    def _settlement(self, result: ChunkResult) -> Settlement:
        chunk = self._leased.pop((result.chunk_id, result.lease), None)
        if result.failure is None or chunk is None:
            return _settled(result)
        verdict = after_failure(result.failure, chunk)
        failed = _settled(result, failures=chunk.failures, losses=chunk.losses)
        match verdict:
            case Halt():
                self._campaigns.halt(chunk.campaign_id, result.failure.detail)
                return failed
            case Again():
                return _settled(result, failures=verdict.failures, losses=verdict.losses)
            case GiveUp():
                job = self._job(chunk)
                return _settled(
                    result, outcomes=tuple(_given_up(job, picture, verdict.reason, result.failure.detail) for picture in job.pictures)
                )

    def _finish(self, campaign_id: int) -> None:
        campaign = self._campaigns.by_id(campaign_id)
        if campaign.state.is_final:
            log.info("Campaign %s is %s. action=finish campaign=%d", campaign.name, campaign.state, campaign_id)
            self._clerk.submit(self._write_manifest, campaign)

    def _write_manifest(self, campaign: CampaignRow) -> None:
        try:
            write_manifest(self._campaigns, campaign, self._outputs)
        except SeedbedError as exc:
            log.warning("The manifest of %s was not written: %s action=manifest", campaign.name, exc)


def chunk_job(campaign: CampaignRow, expansion: Expansion, chunk: Chunk) -> ChunkJob:
    """A chunk with its renders written out."""
    previews = expansion.campaign.previews
    return ChunkJob(
        chunk_id=chunk.id,
        campaign_id=campaign.id,
        lease=chunk.lease,
        model_name=expansion.model.name,
        model_folder=expansion.model.folder,
        group=expansion.group(chunk.group_no),
        pictures=tuple(
            PictureJob(
                number=render.number,
                prompt=render.shot.prompt,
                negative=render.shot.negative,
                seed=render.seed,
                key=picture_key(campaign, render),
            )
            for render in expansion.renders(chunk.group_no, chunk.start, chunk.stop)
        ),
        previews_every=previews.every if previews else None,
    )


def _settled(result: ChunkResult, *, outcomes: tuple[RenderOutcome, ...] | None = None, failures: int = 0, losses: int = 0) -> Settlement:
    failure = result.failure
    return Settlement(
        chunk_id=result.chunk_id,
        campaign_id=result.campaign_id,
        lease=result.lease,
        worker=result.worker,
        outcome="painted" if failure is None else failure.kind.value,
        detail=None if failure is None else failure.detail,
        outcomes=result.outcomes if outcomes is None else outcomes,
        failures=failures,
        losses=losses,
        facts=asdict(result.facts),
    )


def _given_up(job: ChunkJob, picture: PictureJob, reason: Reason, detail: str) -> RenderOutcome:
    digest = job.recipe(picture).digest
    return RenderOutcome(number=picture.number, digest=digest, state=RenderState.FAILED, reason=reason, detail=detail)


# --- the process -------------------------------------------------------------------------------------------------------


def dispatch() -> None:
    """Dispatch until the parent says stop or is gone. Settings come as the first line of standard input; the argument is Ray's folder."""
    settings = Settings.model_validate_json(sys.stdin.readline())
    log_to_file(settings.log_folder / "dispatcher.log")
    stop = threading.Event()
    threading.Thread(target=_stop_with_parent, args=(stop,), daemon=True).start()
    fleet_settings = settings.fleet()
    folder = Path(sys.argv[1])
    connect(fleet_settings, folder)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())  # after Ray has put its own in place
    engine = open_database(settings.database_url)
    fleet = Fleet(fleet_settings)
    dispatcher = Dispatcher(
        queue=Queue(engine),
        campaigns=Campaigns(engine),
        watching=Watching(engine),
        outputs=open_outputs(str(settings.outputs_folder)),
        fleet=fleet,
        fleet_size=fleet_settings.size,
        now=time.time(),
    )
    log.info("Dispatching with up to %d workers. action=begin pid=%d", fleet_settings.size, os.getpid())
    while not stop.is_set():
        dispatcher.tick(time.time())
    dispatcher.end(time.time())
    disconnect(folder)
    log.info("Stopped. action=end")


def main() -> None:
    """Dispatch, and leave the sentence of what ended it as the last line for the parent to quote."""
    try:
        dispatch()
    except SeedbedError as exc:
        log.exception("The dispatcher ends. action=crash")
        print(exc, file=sys.stderr)  # noqa: T201  # the parent reads it
        sys.exit(1)


def _stop_with_parent(stop: threading.Event) -> None:
    """The parent holds the other end of standard input: when it closes, nobody is left to dispatch for."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    main()
