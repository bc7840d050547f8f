"""Paints a leased chunk: batch after batch on the device, while threads encode and write the
pictures of the batches before.
"""

import logging
import platform
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch

from actors.painting.adopting import Adopting
from actors.painting.canaries import Unstable
from actors.painting.engine import Engine, Painted
from actors.painting.failures import failure_of
from actors.painting.progress import Progress
from actors.painting.references import References
from actors.painting.resting import RestingEngine
from actors.painting.stops import Stops
from actors.painting.writing import Writing, Written
from actors.pictures.files import Pixels
from actors.recipes.canary import unlike_its_class
from actors.recipes.errors import LoadFailed, PromptTooLong
from actors.recipes.jobs import Canary, ChunkJob, ChunkResult, Facts, Failure, Health, PictureJob
from actors.recipes.recipe import Group
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from storage.store import Outputs

_WRITERS = 2

log = logging.getLogger(__name__)


class Painter:
    """One worker: an engine, the outputs, and the results that no dispatcher has acknowledged."""

    def __init__(self, name: str, engine: Engine | RestingEngine, outputs: Outputs) -> None:
        self.name = name
        self._engine = engine
        self._outputs = outputs
        self._references = References(outputs)
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="writer")
        self._progress = Progress()
        self._stops = Stops()
        self._mailbox: dict[tuple[int, int], ChunkResult] = {}
        self._painting = False
        self._lock = threading.Lock()

    def paint(self, job: ChunkJob) -> ChunkResult:
        """Paint every picture of a chunk, write it out, and answer with the outcomes. Failures
        are answers too.
        """
        self._begin()
        numerics_class = self._engine.numerics_class
        writing = Writing(job, self._outputs, numerics_class, self._writers)
        chunk = _Chunk(
            job,
            worker=self.name,
            engine=self._engine,
            adopting=Adopting(job, self._outputs, numerics_class),
            references=self._references,
            writing=writing,
            progress=self._progress,
            stops=self._stops,
        )
        painting_failed = chunk.paint()
        written, writing_failed = writing.finish()
        result = chunk.result(written, painting_failed or writing_failed)
        self._end(result)
        return result

    def expect(self, group: Group, folder: str) -> None:
        """Prepare for a chunk of another model that comes next."""
        self._engine.expect(group, folder)

    def acknowledge(self, chunk_id: int, lease: int) -> None:
        """Forget a result that a dispatcher has recorded."""
        with self._lock:
            self._mailbox.pop((chunk_id, lease), None)

    def stop(self, chunk_id: int, lease: int, *, at_step: bool = False) -> None:
        """Stop a chunk before its next batch, or before its first one; with `at_step`, stop the
        batch under way too.
        """
        self._stops.add((chunk_id, lease), at_step=at_step)

    def health(self) -> Health:
        warm = reversed(list(self._engine.warm))  # a copy: it may load something meanwhile
        with self._lock:
            mailbox, painting = tuple(self._mailbox.values()), self._painting
        return Health(
            name=self.name,
            node=platform.node(),
            device=str(self._engine.device),
            numerics_class=self._engine.numerics_class,
            pipelines=tuple(dict.fromkeys(model for model, _ in warm)),
            painting=painting,
            quiet_s=self._progress.quiet_s if painting else 0.0,
            hung_after_s=self._progress.hung_after_s,
            mailbox=mailbox,
        )

    def _begin(self) -> None:
        self._progress.note()
        self._painting = True

    def _end(self, result: ChunkResult) -> None:
        with self._lock:
            self._mailbox[result.key] = result
            self._painting = False


class _Chunk:
    """One attempt at a chunk, and the outcomes and measurements of it so far."""

    def __init__(
        self,
        job: ChunkJob,
        *,
        worker: str,
        engine: Engine | RestingEngine,
        adopting: Adopting,
        references: References,
        writing: Writing,
        progress: Progress,
        stops: Stops,
    ) -> None:
        self._job = job
        self._worker = worker
        self._engine = engine
        self._adopting = adopting
        self._references = references
        self._writing = writing
        self._progress = progress
        self._stops = stops
        self._outcomes: list[RenderOutcome] = []
        self._bad: list[int] = []
        self._load_s = 0.0
        self._loads = self._swaps = 0
        self._batch_s: list[float] = []
        self._canary: Canary | None = None

    def paint(self) -> Failure | None:
        """Paint every picture that is not in the outputs yet; returns the failure that ended it
        early.
        """
        try:
            self._paint_batches(self._adopt())
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
            facts=self._facts(written),
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

    def _paint_batches(self, left: list[PictureJob]) -> None:
        size = self._job.group.batch
        while left:
            self._stops.check_before_batch(self._job.key)
            batch, left = left[:size], left[size:]
            references = self._references.get(self._job, batch)
            self._references.ask(self._job, left[:size])  # they come while this batch is painted
            try:
                painted = self._paint(batch, references)
            except PromptTooLong as exc:
                too_long = [p for p in batch if exc.text in (p.prompt, p.negative)]
                self._outcomes += [self._failed(p, str(exc)) for p in too_long]
                left = [p for p in batch if p not in too_long] + left
                continue
            self._compare(painted.canary)
            self._measure(painted)
            self._write(batch, painted)

    def _paint(self, batch: list[PictureJob], references: Mapping[str, Pixels]) -> Painted:
        return self._engine.paint(
            [self._job.recipe(picture) for picture in batch],
            self._job.model_folder,
            self._job.previews,
            references=references,
            adapter_paths=self._job.adapter_paths,
            on_step=self._on_step,
            on_preview=partial(self._writing.preview, batch),
        )

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

    def _measure(self, painted: Painted) -> None:
        self._load_s += painted.load_s
        self._loads += painted.loads
        self._swaps += painted.swaps
        self._batch_s.append(painted.paint_s)

    def _write(self, batch: list[PictureJob], painted: Painted) -> None:
        self._bad += [p.number for k, p in enumerate(batch) if painted.pixels[k] is None]
        job, numbers = self._job, ",".join(str(picture.number) for picture in batch)
        log.info(
            "Painted %d pictures. action=paint campaign=%d chunk=%d lease=%d numbers=%s",
            len(batch), job.campaign_id, job.chunk_id, job.lease, numbers,
        )  # fmt: skip
        self._writing.begin(batch, painted)

    def _facts(self, written: Sequence[Written]) -> Facts:
        group, slots = self._job.group, len(self._batch_s) * self._job.group.batch
        copied = sum(outcome.reason is Reason.COPIED for outcome in self._outcomes)
        found = sum(outcome.state is RenderState.DONE for outcome in self._outcomes)
        return Facts(
            numerics_class=self._engine.numerics_class,
            shape=group.shape,
            load_s=self._load_s,
            loads=self._loads,
            swaps=self._swaps,
            batch_s=tuple(self._batch_s),
            megapixel_steps=slots * group.megapixel_steps,
            encode_s=sum(w.seconds for w in written),
            pictures=len(written),
            slots=slots,
            adopted=found - copied,
            copied=copied,
            uploads=sum(w.files for w in written),
            upload_bytes=sum(w.bytes for w in written),
        )
