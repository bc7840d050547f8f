"""One attempt at a chunk: batch after batch on the device, while threads write the ones before.

If pictures that drift are stopped, a chunk is painted in two parts. The first steps of all its
pictures are made in full batches, which are parked; those that may go on are packed anew into
full batches of the same shape.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch

from actors.models.cache import WeightsCache
from actors.painting.adopting import Adopting
from actors.painting.canaries import Unstable
from actors.painting.engine import Engine, Painted
from actors.painting.failures import failure_of
from actors.painting.folders import Folders, folders_of
from actors.painting.judging import Judging
from actors.painting.measuring import Measuring
from actors.painting.parking import Parked
from actors.painting.progress import Progress
from actors.painting.references import References
from actors.painting.resting import RestingEngine
from actors.painting.stops import Stops
from actors.painting.writing import Writing, Written
from actors.pictures.files import Pixels
from actors.recipes.canary import unlike_its_class
from actors.recipes.errors import LoadFailed, PromptTooLong
from actors.recipes.jobs import Canary, ChunkJob, ChunkResult, Failure, PictureJob
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState

log = logging.getLogger(__name__)


class Chunk:
    """The outcomes and measurements of one attempt so far."""

    def __init__(
        self,
        job: ChunkJob,
        *,
        worker: str,
        engine: Engine | RestingEngine,
        adopting: Adopting,
        references: References,
        judging: Judging,
        writing: Writing,
        progress: Progress,
        stops: Stops,
        cache: WeightsCache | None = None,
    ) -> None:
        self._job = job
        self._worker = worker
        self._engine = engine
        self._adopting = adopting
        self._references = references
        self._judging = judging
        self._writing = writing
        self._progress = progress
        self._stops = stops
        self._cache = cache
        self._folders: Folders
        self._outcomes: list[RenderOutcome] = []
        self._bad: list[int] = []
        self._early: dict[int, float | None] = {}
        """By number, the drift of looks at the step at which pictures are stopped."""
        self._began = time.monotonic()
        self._measuring = Measuring(job)
        self._canary: Canary | None = None

    def paint(self) -> Failure | None:
        """Paint every picture that is not in the outputs yet; returns the failure that ended it
        early.
        """
        try:
            self._paint_all(self._adopt())
        except LoadFailed as exc:
            log.exception("The model could not be loaded. action=load")
            return failure_of(exc, self._job)
        except torch.OutOfMemoryError as exc:
            self._engine.forget()  # the next attempt, here or elsewhere, has the device to itself
            return failure_of(exc, self._job)
        # Whatever a model may raise must come back as an answer, or the chunk would be lost.
        except Exception as exc:  # noqa: BLE001
            return failure_of(exc, self._job)
        return None

    def result(self, written: Sequence[Written], failure: Failure | None) -> ChunkResult:
        return ChunkResult(
            chunk_id=self._job.chunk_id,
            campaign_id=self._job.campaign_id,
            lease=self._job.lease,
            worker=self._worker,
            outcomes=(*self._outcomes, *(w.outcome for w in written)),
            bad_outputs=tuple(self._bad),
            failure=failure,
            facts=self._measuring.facts(
                self._engine.numerics_class,
                self._outcomes,
                written,
                chunk_s=time.monotonic() - self._began,
            ),
            canary=self._canary,
        )

    def _adopt(self) -> list[PictureJob]:
        """Take over the pictures that need not be painted; returns the others."""
        missing = []
        for picture in self._job.pictures:
            outcome = self._adopting.find(picture)
            self._progress.note()
            if outcome is None:
                missing.append(picture)
            else:
                self._outcomes.append(outcome)
        return missing

    def _paint_all(self, left: Sequence[PictureJob]) -> None:
        """Paint pictures, from the cache's folders if what they need is registered."""
        if left:
            with folders_of(self._job, self._cache, self._on_part) as self._folders:
                self._paint_batches(left)

    def _on_part(self) -> None:
        """A part of a model or an adapter has come, or another process still fetches it."""
        self._progress.note()
        self._stops.check_before_batch(self._job.key)

    def _paint_batches(self, left: Sequence[PictureJob]) -> None:
        self._judging.know(left)
        step = self._job.drift.stop_step if self._job.drift else None
        if step is None or not self._judging.has_anchor(left):
            for batch, painted in self._batches(left):
                self._write(batch, painted)
            return
        survivors: list[PictureJob] = []
        parked: dict[int, Parked] = {}
        for batch, painted in self._batches(left, until=step):
            going_on = [picture for picture in batch if not self._is_stopped(picture)]
            survivors += going_on
            places = dict(zip((picture.number for picture in batch), painted.parked, strict=True))
            parked |= {picture.number: places[picture.number] for picture in going_on}
        for batch, painted in self._batches(survivors, parked=parked):
            self._write(batch, painted)

    def _is_stopped(self, picture: PictureJob) -> bool:
        """Whether a picture is painted no further; then that is its outcome."""
        rule, drift = self._job.drift, self._early.get(picture.number)
        if rule is None or drift is None or picture.passed or not rule.stops(drift):
            return False
        self._outcomes.append(
            RenderOutcome(
                number=picture.number,
                digest=self._job.recipe(picture).digest,
                state=RenderState.HELD,
                reason=Reason.DRIFT_STOPPED,
                detail=rule.stopped(drift),
                drift=drift,
                numerics_class=self._engine.numerics_class,
                seconds=self._measuring.seconds_of(picture),
            )
        )
        return True

    def _batches(
        self,
        left: Sequence[PictureJob],
        *,
        until: int | None = None,
        parked: Mapping[int, Parked] | None = None,
    ) -> Iterator[tuple[list[PictureJob], Painted]]:
        """Paint batch after batch: whole, up to a step, or from where each picture is parked."""
        size, left = self._job.group.batch, list(left)
        while left:
            self._stops.check_before_batch(self._job.key)
            batch, left = left[:size], left[size:]
            references = self._references.get(self._job, batch)
            self._references.ask(self._job, left[:size])  # they come while this batch is painted
            try:
                painted = self._paint(
                    batch,
                    references,
                    until=until,
                    parked=[parked[picture.number] for picture in batch] if parked else (),
                )
            except PromptTooLong as exc:
                too_long = [p for p in batch if exc.text in (p.prompt, p.negative)]
                self._outcomes += [self._failed(p, str(exc)) for p in too_long]
                left = [p for p in batch if p not in too_long] + left
                continue
            self._compare(painted.canary)
            self._measuring.note(batch, painted, until=until, is_resumed=bool(parked))
            yield batch, painted

    def _paint(
        self,
        batch: Sequence[PictureJob],
        references: Mapping[str, Pixels],
        *,
        until: int | None,
        parked: Sequence[Parked],
    ) -> Painted:
        return self._engine.paint(
            [self._job.recipe(picture) for picture in batch],
            self._folders.model,
            self._job.previews,
            references=references,
            adapter_paths=self._folders.adapters,
            control_folder=self._folders.control,
            likeness_folder=self._folders.likeness,
            upscaler_folder=self._folders.upscaler,
            on_step=self._on_step,
            on_preview=partial(self._see, batch),
            until=until,
            parked=parked,
        )

    def _see(
        self, batch: Sequence[PictureJob], step: int, pictures: Sequence[Pixels | None]
    ) -> None:
        """Store a step's looks at a batch, and measure those by which pictures are stopped."""
        self._writing.preview(batch, step, pictures)
        if self._job.drift and step == self._job.drift.stop_step:
            for picture, pixels in zip(batch, pictures, strict=True):
                if pixels is not None:
                    self._early[picture.number] = self._judging.drift(picture, pixels)

    def _on_step(self, left: int) -> None:
        self._progress.note(left)
        self._stops.check_after_step(self._job.key)

    def _failed(self, picture: PictureJob, detail: str) -> RenderOutcome:
        return RenderOutcome(
            number=picture.number,
            digest=self._job.recipe(picture).digest,
            state=RenderState.FAILED,
            reason=Reason.BAD_REQUEST,
            detail=detail,
        )

    def _compare(self, canary: Canary | None) -> None:
        """Raise Unstable, before anything is written, if the worker's canaries are not those of
        its class: its pictures would not repeat.
        """
        if canary is None:
            return
        expected = self._job.canaries.get(canary.numerics_class, canary.digest)
        if canary.digest != expected:
            raise Unstable(unlike_its_class(self._worker, canary.numerics_class))
        self._canary = canary

    def _write(self, batch: Sequence[PictureJob], painted: Painted) -> None:
        self._bad += [p.number for k, p in enumerate(batch) if painted.pixels[k] is None]
        job, numbers = self._job, ",".join(str(picture.number) for picture in batch)
        log.info(
            "Painted %d pictures. action=paint campaign=%d chunk=%d lease=%d numbers=%s",
            len(batch), job.campaign_id, job.chunk_id, job.lease, numbers,
        )  # fmt: skip
        seconds = [self._measuring.seconds_of(picture) for picture in batch]
        self._writing.begin(batch, painted, seconds)
