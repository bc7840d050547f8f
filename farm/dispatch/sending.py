"""Chunks on their way to workers: written out as jobs, sent, and stopped."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import lru_cache

from actors.fleet.fleet import Fleet
from actors.recipes.canary import subject_of
from actors.recipes.jobs import ChunkJob, ChunkResult, Failure, FailureKind
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from farm.dispatch.chunk_job import chunk_job, with_anchors, with_reuse
from farm.dispatch.numerics import Judge
from storage.campaigns import Campaigns
from storage.errors import DatabaseAway
from storage.layouts import Layouts
from storage.reuse import Reuse
from storage.rows import CampaignRow, Chunk

Key = tuple[int, int]
"""A chunk's id and lease."""


class Sending:
    """The chunks that one session has sent and whose results are not settled yet."""

    def __init__(
        self, *, fleet: Fleet, campaigns: Campaigns, judge: Judge, reuse: Reuse, layouts: Layouts
    ) -> None:
        self._fleet = fleet
        self._campaigns = campaigns
        self._judge = judge
        self._reuse = reuse
        self._layouts = layouts
        self._leased: dict[Key, Chunk] = {}
        self._stopped: dict[Key, bool] = {}
        """Chunks that workers were asked to stop, and whether at their next step."""
        self._campaign = lru_cache(maxsize=64)(self._load_campaign)

    @property
    def campaigns(self) -> set[int]:
        """The campaigns that have chunks under way."""
        return {chunk.campaign_id for chunk in self._leased.values()}

    def inherit(self, chunk: Chunk) -> None:
        """Expect the result of a chunk that an earlier dispatcher sent."""
        self._leased[chunk.id, chunk.lease] = chunk
        self._fleet.inherit(chunk.worker, chunk.id, chunk.campaign_id, chunk.lease)

    def send(self, chunk: Chunk, *, on_page: Callable[[], object]) -> ChunkResult | None:
        """Send a leased chunk to its worker. If that is impossible, returns the failure as the
        chunk's result.

        `on_page` is called while a long search of the database goes on. Raises DatabaseAway before
        anything is sent.
        """
        try:
            job = self.job(chunk)
        except DatabaseAway:
            raise
        # A campaign that this version cannot read must not keep the others from being painted.
        except Exception as exc:  # noqa: BLE001
            self._leased[chunk.id, chunk.lease] = chunk
            detail = f"The stored campaign cannot be read: {exc}"
            return _unsent(chunk, FailureKind.BAD_SPEC, detail)
        job = self._informed(job, chunk, on_page)
        self._leased[chunk.id, chunk.lease] = chunk
        if chunk.worker not in self._fleet.workers:
            return _unsent(chunk, FailureKind.PREEMPTED, f"The worker {chunk.worker} had gone.")
        self._fleet.submit(chunk.worker, job)
        return None

    def stop(self, worker: str, key: Key, *, at_step: bool = False) -> None:
        """Have a worker leave a chunk after its batch, or after its step. It is asked once for
        each.
        """
        if worker in self._fleet.workers and (
            key not in self._stopped or at_step > self._stopped[key]
        ):
            self._stopped[key] = at_step
            self._fleet.stop(worker, key, at_step=at_step)

    def unwanted(self, leases: Collection[Key]) -> list[tuple[str, Key]]:
        """The chunks that workers still have without a lease: their campaigns were cancelled, or
        replaced by another version.
        """
        return [
            (worker.name, chunk.key)
            for worker in self._fleet.workers.values()
            for chunk in worker.assigned
            if chunk.key not in leases and chunk.key not in self._stopped
        ]

    def is_stopped(self, key: Key) -> bool:
        """Whether a worker was asked to leave a chunk."""
        return key in self._stopped

    def has(self, chunk: Chunk) -> bool:
        """Whether this process knows of a chunk that is leased to its session."""
        return (chunk.id, chunk.lease) in self._leased

    def leased(self, key: Key) -> Chunk | None:
        """The chunk as it was claimed; None if its result was settled already."""
        return self._leased.get(key)

    def forget(self, keys: Iterable[Key]) -> None:
        """Drop chunks whose results are settled."""
        for key in keys:
            self._leased.pop(key, None)
            self._stopped.pop(key, None)

    def job(self, chunk: Chunk) -> ChunkJob:
        """A chunk with its renders written out."""
        campaign, expansion = self._campaign(chunk.campaign_id)
        if chunk.numbers and (
            expansion.campaign.drift is not None or max(chunk.numbers) >= expansion.size
        ):
            # Since it was read, redos may have been added, or a person has let renders through.
            self._campaign.cache_clear()
            campaign, expansion = self._campaign(chunk.campaign_id)
        return chunk_job(campaign, expansion, chunk)

    def _informed(self, job: ChunkJob, chunk: Chunk, on_page: Callable[[], object]) -> ChunkJob:
        """The job with what the database knows of its pictures and of its worker's numerics."""
        worker = self._fleet.workers.get(chunk.worker)
        if worker is None or worker.health is None:
            return job
        campaign, _ = self._campaign(chunk.campaign_id)
        job = replace(job, canaries=self._judge.known(subject_of(job.group)))
        job = with_anchors(job, campaign, self._layouts)
        return with_reuse(
            job, campaign, self._reuse, worker.health.numerics_class, on_page=on_page
        )

    def _load_campaign(self, campaign_id: int) -> tuple[CampaignRow, Expansion]:
        campaign = self._campaigns.by_id(campaign_id)
        return campaign, expansion_of(campaign.spec)


def _unsent(chunk: Chunk, kind: FailureKind, detail: str) -> ChunkResult:
    return ChunkResult(
        chunk_id=chunk.id,
        campaign_id=chunk.campaign_id,
        lease=chunk.lease,
        worker=chunk.worker,
        failure=Failure(kind=kind, detail=detail),
    )
