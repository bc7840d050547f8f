"""The dispatcher: takes chunks from the queue, gives them to workers, and writes down what became
of them.

It keeps nothing that the job database does not have, so that it can be killed at any moment. Where
the database is away, it keeps what its workers have finished until that is back.
`farm.dispatch.process` is the process that it runs in.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial

from actors.fleet.fleet import Fleet
from actors.fleet.worker import Worker
from actors.recipes.canary import subject_of
from actors.recipes.jobs import ChunkJob, ChunkResult, Failure, FailureKind
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from farm.dispatch.autoscaler import Autoscaler
from farm.dispatch.chunk_job import chunk_job, with_twins
from farm.dispatch.loading import Loading
from farm.dispatch.numerics import Judge
from farm.results.manifest import write_manifest
from farm.scheduling.assignment import assign
from farm.scheduling.budget import is_spent, spent_sentence
from farm.scheduling.history import History, learn, remembered
from farm.scheduling.retry import BLAMED_ON_WORKER, settlement_of, unknown_chunk
from farm.scheduling.share import Shares, charge, welcome
from farm.scheduling.trust import (
    Record,
    after_attempt,
    distrusted,
    has_others,
    record_of,
    usable,
)
from farm.scheduling.values import NO_QUOTAS, Assignment, FreeWorker
from storage.campaigns import Campaigns
from storage.canaries import Canaries
from storage.errors import DatabaseAway, NotFound, SeedbedError
from storage.moments import is_to_come
from storage.queue import HEARTBEAT_S, Queue
from storage.reuse import Twins
from storage.rows import CampaignRow, Chunk, OpenCampaign, Settlement, Snapshot, WorkerRow
from storage.settling import Settling
from storage.states import AttemptOutcome, WorkerState
from storage.store import Outputs
from storage.watching import Watching

COLLECT_S = 0.25
MANIFEST_S = 120.0  # that of a million renders takes half a minute

log = logging.getLogger(__name__)


class Dispatcher:
    """One session of dispatching. `tick` is the whole of its work."""

    def __init__(
        self,
        *,
        session: int,
        queue: Queue,
        settling: Settling,
        campaigns: Campaigns,
        watching: Watching,
        canaries: Canaries,
        twins: Twins,
        outputs: Outputs,
        fleet: Fleet,
        autoscaler: Autoscaler,
        weights: Mapping[str, float],
        quotas: Mapping[str, int] = NO_QUOTAS,
    ) -> None:
        self._session = session
        self._queue = queue
        self._settling = settling
        self._campaigns = campaigns
        self._watching = watching
        self._judge = Judge(canaries)
        self._twins = twins
        self._outputs = outputs
        self._fleet = fleet
        self._autoscaler = autoscaler
        self._weights = weights
        self._quotas = quotas
        self._plan = lru_cache(maxsize=64)(self._load_plan)
        self._leased: dict[tuple[int, int], Chunk] = {}
        self._unsettled: list[ChunkResult] = []
        self._open: dict[int, OpenCampaign] = {}
        self._shares = Shares()
        self._history = History()
        self._records: dict[str, Record] = {}
        self._loading = Loading()
        self._stopped: dict[tuple[int, int], bool] = {}
        """What workers were told to leave alone: whether from their next step on."""
        self._touched: set[int] = set()
        """Campaigns that may be over since they were last looked at."""
        self._next_heartbeat = 0.0
        self._next_health = 0.0
        self._database_was_away = False
        # Manifests are written beside the loop: that of a million renders takes half a minute.
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="clerk")

    def adopt(self) -> None:
        """Take over from a dispatcher that is no more: wait for what its workers paint, and put
        back what none of them has.
        """
        self._records = {row.name: record_of(row) for row in self._watching.workers(fresh_s=None)}
        self._history = remembered(self._watching.lately())
        freed = self._queue.release(self._session, keep=self._fleet.workers)
        for chunk in self._queue.leases(self._session):
            self._leased[chunk.id, chunk.lease] = chunk
            self._fleet.inherit(chunk.worker, chunk.id, chunk.campaign_id, chunk.lease)
        self._touched.update(self._campaigns.ended_unheard(self._session, MANIFEST_S))
        log.info(
            "Took over %d chunks and put %d back. action=adopt session=%d",
            len(self._leased),
            freed,
            self._session,
        )

    def tick(self, now: float) -> None:
        """One round: claim, assign, submit, collect, settle. `now` is this process's own clock,
        for its pace alone.

        Raises SessionLost where another dispatcher has taken over.
        """
        try:
            snapshot = self._look()
            self._halt_spent(snapshot)
            self._scale(now, snapshot.now)
            barren: set[tuple[int, str]] = set()
            while seats := self._assign(snapshot, barren):
                claimed = self._claim(seats, barren)
                for seat, chunk in claimed:
                    if not self._submit(seat, chunk):
                        barren.add((seat.campaign_id, seat.worker))
                snapshot = snapshot.with_claimed(chunk for _, chunk in claimed)
            self._unsettled += self._fleet.collect(COLLECT_S)
            self._settle(snapshot.now)
            self._finish()
            self._beat(now, snapshot.now)
        except DatabaseAway as exc:
            if not self._database_was_away:
                log.warning(
                    "%s What the workers finish is kept until it is back. action=wait", exc
                )
            self._database_was_away = True
            self._unsettled += self._fleet.collect(COLLECT_S)
            self._ask(now)

    def end(self) -> None:
        """End the workers and this session; what they had goes back into the queue. Raises
        SessionLost where they are another's.
        """
        with suppress(DatabaseAway):
            self._make_sure()
        self._fleet.end()
        self._watching.save_workers(self._session, [])
        self._queue.end_session(self._session)

    def close(self) -> None:
        """Let the clerk finish what it writes."""
        self._clerk.shutdown()

    # --- looking and deciding ---

    def _look(self) -> Snapshot:
        if self._database_was_away:
            self._recover()
        snapshot = self._queue.snapshot(self._session)
        self._open = {campaign.id: campaign for campaign in snapshot.campaigns}
        self._shares = welcome(self._shares, snapshot.campaigns)
        known = snapshot.leases | self._stopped.keys()
        unwanted = [
            (worker.name, chunk.key)
            for worker in self._fleet.workers.values()
            for chunk in worker.assigned
            if chunk.key not in known
        ]
        if unwanted:  # cancelled, or replaced by another version
            self._make_sure()
        for worker, key in unwanted:
            self._stop(worker, key, at_step=True)
        return snapshot

    def _make_sure(self) -> None:
        """Raise SessionLost where another leads: what is not leased to this session is that one's,
        and so is the word to its worker.
        """
        self._queue.renew(self._session)

    def _recover(self) -> None:
        """Give out what was claimed without the answer having reached this process."""
        leases = self._queue.leases(self._session)
        log.info("The database is back. action=recover results=%d", len(self._unsettled))
        for chunk in leases:
            if (chunk.id, chunk.lease) not in self._leased:
                self._give(chunk)
        self._database_was_away = False

    def _halt_spent(self, snapshot: Snapshot) -> None:
        """Stop campaigns whose budget is spent, once nothing of them is under way: those who wait
        for them are told.
        """
        for campaign in snapshot.campaigns:
            if is_spent(campaign) and not campaign.running:
                log.info(
                    "Campaign %s has spent its budget. action=halt campaign=%d",
                    campaign.name,
                    campaign.id,
                )
                self._campaigns.halt(campaign.id, spent_sentence(campaign))

    def _assign(self, snapshot: Snapshot, barren: Collection[tuple[int, str]]) -> list[Assignment]:
        free = [_free(self._fleet.workers[name]) for name in self._ready(snapshot.now)]
        barred = {
            *barren,
            *self._loading.barred(
                snapshot.campaigns, {worker.name: worker.numerics_class for worker in free}
            ),
        }
        return assign(
            snapshot.campaigns, free, self._shares, weights=self._weights, now=snapshot.now,
            fleet_size=self._fleet.size, exhausted=barred,
            history=self._history, quotas=self._quotas, closing=snapshot.closing,
        )  # fmt: skip

    def _claim(
        self, seats: Sequence[Assignment], barren: set[tuple[int, str]]
    ) -> list[tuple[Assignment, Chunk]]:
        """The chunks claimed, each with its seat. A campaign that had no chunk for a worker is
        noted as barren for it: its last ones are out, or others are to have them.
        """
        left = list(seats)
        claimed = []
        for chunk in self._queue.claim(
            self._session, [(seat.campaign_id, seat.worker) for seat in seats], self._classes()
        ):
            seat = next(
                seat
                for seat in left
                if (seat.campaign_id, seat.worker) == (chunk.campaign_id, chunk.worker)
            )
            left.remove(seat)
            claimed.append((seat, chunk))
        barren.update((seat.campaign_id, seat.worker) for seat in left)
        return claimed

    # --- the fleet ---

    def _ready(self, db_now: float) -> set[str]:
        """The workers that may have work."""
        ready = [name for name, worker in self._fleet.workers.items() if worker.health is not None]
        return usable(ready, self._records, db_now) - self._autoscaler.leaving

    def _classes(self) -> dict[str, str]:
        """The numerics classes of the workers that are ready."""
        return {
            name: worker.health.numerics_class
            for name, worker in self._fleet.workers.items()
            if worker.health is not None
        }

    def _scale(self, now: float, db_now: float) -> None:
        for stop in self._autoscaler.tick(list(self._open.values()), self._history, now, db_now):
            self._stop(stop.worker, stop.key, at_step=stop.at_step)

    def _beat(self, now: float, db_now: float) -> None:
        """Say that this session lives, ask the workers whether they do, and publish what they are
        doing.
        """
        if now >= self._next_heartbeat:
            self._queue.renew(self._session)
            self._next_heartbeat = now + HEARTBEAT_S
            self._ask(now)
            self._settle(db_now)
            self._records = {
                name: record
                for name, record in self._records.items()
                if name in self._fleet.workers
            }
            self._watching.save_workers(
                self._session, [self._with_record(row, db_now) for row in self._fleet.rows()]
            )

    def _ask(self, now: float) -> None:
        """Ask the workers for their health: those that hear from nobody end themselves."""
        if now >= self._next_health:
            self._next_health = now + HEARTBEAT_S
            self._unsettled += self._fleet.ask_health(now)

    def _with_record(self, row: WorkerRow, db_now: float) -> WorkerRow:
        record = self._records.get(row.name, Record())
        quarantined = is_to_come(record.quarantined_until, db_now)
        state = WorkerState.DRAINING if row.name in self._autoscaler.leaving else row.state
        return replace(
            row,
            state=WorkerState.QUARANTINED if quarantined else state,
            blamed=record.blamed,
            quarantined_until=record.quarantined_until,
            quarantined_why=record.why if quarantined else None,
        )

    # --- jobs out ---

    def _load_plan(self, campaign_id: int) -> tuple[CampaignRow, Expansion]:
        campaign = self._campaigns.by_id(campaign_id)
        return campaign, expansion_of(campaign.spec)

    def _job(self, chunk: Chunk) -> ChunkJob:
        campaign, expansion = self._plan(chunk.campaign_id)
        return chunk_job(campaign, expansion, chunk)

    def _informed(self, job: ChunkJob, chunk: Chunk) -> ChunkJob:
        """A chunk's job with what the database knows of its pictures and of its worker's
        numerics.
        """
        numerics_class = self._classes().get(chunk.worker)
        if numerics_class is None:
            return job
        campaign, _ = self._plan(chunk.campaign_id)
        job = replace(job, canaries=self._judge.known(subject_of(job.group)))
        return with_twins(job, campaign, self._twins, numerics_class, on_page=self._make_sure)

    def _submit(self, seat: Assignment, chunk: Chunk) -> bool:
        given = self._give(chunk)
        if given and seat.instead_of is not None:
            self._stop(seat.worker, seat.instead_of)
        return given

    def _give(self, chunk: Chunk) -> bool:
        """Send a leased chunk to its worker; False where that cannot be, for which there is a
        result then.
        """
        job: ChunkJob | None = None
        try:
            job = self._job(chunk)
        except DatabaseAway:
            raise  # not given yet: `_recover` will
        # whatever a stored campaign makes of this version, the others are painted
        except Exception as exc:  # noqa: BLE001
            self._refuse(chunk, FailureKind.BAD_SPEC, f"The stored campaign cannot be read: {exc}")
        job = job and self._informed(job, chunk)
        self._leased[chunk.id, chunk.lease] = chunk
        if job is None:
            return False
        if chunk.worker not in self._fleet.workers:
            self._refuse(chunk, FailureKind.PREEMPTED, f"The worker {chunk.worker} had gone.")
            return False
        self._fleet.submit(chunk.worker, job)
        return True

    def _refuse(self, chunk: Chunk, kind: FailureKind, detail: str) -> None:
        failure = Failure(kind=kind, detail=detail)
        self._unsettled.append(
            ChunkResult(
                chunk_id=chunk.id,
                campaign_id=chunk.campaign_id,
                lease=chunk.lease,
                worker=chunk.worker,
                failure=failure,
            )
        )

    def _stop(self, worker: str, key: tuple[int, int], *, at_step: bool = False) -> None:
        if worker in self._fleet.workers and (
            key not in self._stopped or at_step > self._stopped[key]
        ):
            self._stopped[key] = at_step
            self._fleet.stop(worker, key, at_step=at_step)

    # --- results in ---

    def _settle(self, db_now: float) -> None:
        """Write down every result there is. They are forgotten only once that is done."""
        if not self._unsettled:
            return
        results = [self._judge.judged(result) for result in self._unsettled]
        for result in results:
            if result.failure is not None and result.failure.kind is FailureKind.NUMERICS:
                self._records[result.worker] = distrusted(result.failure.detail, db_now)
                log.warning(
                    "Worker %s is in quarantine: %s action=quarantine",
                    result.worker,
                    result.failure.detail,
                )
        counted = self._settling.settle(
            self._session, [self._settlement(result, db_now) for result in results]
        )
        if len(counted) < len(results):
            self._make_sure()
        self._unsettled = []
        self._touched.update(result.campaign_id for result in results)
        self._fleet.acknowledge(results)
        for settlement in counted:
            self._account(settlement, db_now)
            self._twins.learn(settlement.campaign_id, settlement.outcomes)
        for result in results:
            self._leased.pop(result.key, None)
            self._stopped.pop(result.key, None)

    def _settlement(self, result: ChunkResult, db_now: float) -> Settlement:
        settlement = self._plain_settlement(result)
        workers = dict.fromkeys(self._fleet.workers) | self._classes()
        if settlement.outcome is AttemptOutcome.NUMERICS and not has_others(
            result.worker, workers, self._records, fleet_size=self._fleet.size, now=db_now
        ):
            return replace(settlement, halt=settlement.detail)
        campaign = self._open.get(result.campaign_id)
        classes = {
            name: numerics
            for name, numerics in self._classes().items()
            if name in self._ready(db_now)
        }
        return self._loading.judged(
            settlement, classes, campaign.numerics_class if campaign else None
        )

    def _plain_settlement(self, result: ChunkResult) -> Settlement:
        chunk = self._leased.get(result.key) or unknown_chunk(result)
        campaign = self._open.get(result.campaign_id)
        try:
            return settlement_of(
                result, chunk, partial(self._job, chunk), waits=campaign.waits if campaign else 0
            )
        except NotFound:  # the campaign was removed meanwhile: what is written of it is stale
            return settlement_of(
                replace(result, failure=None, bad_outputs=()),
                chunk,
                partial(self._job, chunk),
                waits=0,
            )

    def _account(self, settlement: Settlement, db_now: float) -> None:
        """Charge device time to who was given it, and blame the worker where it is its fault."""
        log.info(
            "Chunk %d: %s. action=settle campaign=%d worker=%s %s",
            settlement.chunk_id, settlement.outcome, settlement.campaign_id, settlement.worker,
            settlement.detail or "",
        )  # fmt: skip
        campaign = self._open.get(settlement.campaign_id)
        if campaign is not None:
            self._history = learn(self._history, campaign.model_digest, settlement.facts)
            weight = self._weights.get(campaign.project, 1.0)
            self._shares = charge(
                self._shares,
                project=campaign.project,
                campaign_id=campaign.id,
                seconds=settlement.device_s,
                weight=weight,
            )
        failed = settlement.outcome in BLAMED_ON_WORKER
        if failed or settlement.outcomes:
            self._record(settlement.worker, settlement.campaign_id, db_now, failed=failed)
        for worker in self._loading.to_blame(settlement):
            self._record(worker, settlement.campaign_id, db_now, failed=True)

    def _record(self, worker: str, campaign_id: int, db_now: float, *, failed: bool) -> None:
        before = self._records.get(worker, Record())
        self._records[worker] = after_attempt(before, campaign_id, failed=failed, now=db_now)
        if self._records[worker].quarantined_until != before.quarantined_until:
            log.warning("Worker %s is in quarantine. action=quarantine worker=%s", worker, worker)

    def _finish(self) -> None:
        """Have the manifests of campaigns written that are over."""
        for campaign_id in sorted(self._touched):
            try:
                campaign = self._campaigns.by_id(campaign_id)
            except NotFound:
                campaign = None  # removed meanwhile
            self._touched.discard(campaign_id)
            if campaign is not None and campaign.state.is_final:
                log.info(
                    "Campaign %s is %s. action=finish campaign=%d",
                    campaign.name,
                    campaign.state,
                    campaign_id,
                )
                self._clerk.submit(self._write_manifest, campaign)

    def _write_manifest(self, campaign: CampaignRow) -> None:
        try:
            write_manifest(self._campaigns, campaign, self._outputs)
        except DatabaseAway:
            self._touched.add(campaign.id)  # once more, when it is back
        except SeedbedError as exc:
            log.warning(
                "The manifest of %s was not written: %s action=manifest", campaign.name, exc
            )


def _free(worker: Worker) -> FreeWorker:
    assert worker.health is not None
    holds = tuple((chunk.campaign_id, chunk.key) for chunk in worker.assigned)
    health = worker.health
    return FreeWorker(
        name=worker.name,
        holds=holds,
        warm=frozenset(health.pipelines),
        numerics_class=health.numerics_class,
    )
