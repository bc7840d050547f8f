"""Paints a leased chunk: batch after batch on the device, while threads encode and write what came before."""

import logging
import platform
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor

import diffusers
import torch
import transformers

from actors import encode
from actors.engine import BadRequest, Engine, Painted, PromptTooLong
from actors.jobs import ChunkJob, ChunkResult, Facts, Failure, FailureKind, Health, PictureJob, preview_key
from actors.recipe import Json
from actors.resting import RestingEngine
from storage.errors import NotFound, OutputsAway, OutputsError
from storage.outputs import Outputs
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState

_WRITERS = 2
_STOPS_KEPT = 1000
_FRAMES_KEPT = 6
_DETAIL_KEPT = 4000
_WAITING_BATCHES = 4  # pictures held for the writers: enough to hide a slow write, little enough to fit in memory


log = logging.getLogger(__name__)


class _Stopped(Exception):
    """Somebody asked for this chunk to be left alone."""


class Painter:
    """One worker's hands: an engine, the outputs, and the results that nobody has acknowledged yet."""

    def __init__(self, name: str, engine: Engine | RestingEngine, outputs: Outputs) -> None:
        self.name = name
        self._engine = engine
        self._outputs = outputs
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="writer")
        self._mailbox: dict[tuple[int, int], ChunkResult] = {}
        self._stopped: dict[tuple[int, int], None] = {}
        self._painting = False
        self._progress_at = 0.0
        self._lock = threading.Lock()

    def paint(self, job: ChunkJob) -> ChunkResult:
        """Paint every picture of a chunk, write it out, and answer with what happened. Failures are answers too."""
        self._step()
        self._painting = True
        result = _Chunk(job, self).paint()
        with self._lock:
            self._mailbox[result.key] = result
            self._painting = False
        return result

    def acknowledge(self, chunk_id: int, lease: int) -> None:
        """Forget a result that a dispatcher has recorded."""
        with self._lock:
            self._mailbox.pop((chunk_id, lease), None)

    def stop(self, chunk_id: int, lease: int) -> None:
        """Leave a chunk alone from its next batch on, or before its first one."""
        with self._lock:
            self._stopped[chunk_id, lease] = None
            while len(self._stopped) > _STOPS_KEPT:
                del self._stopped[next(iter(self._stopped))]

    def health(self) -> Health:
        newest = next(reversed(self._engine.warm), None)
        with self._lock:
            mailbox, painting = tuple(self._mailbox.values()), self._painting
        return Health(
            name=self.name,
            node=platform.node(),
            device=str(self._engine.device),
            numerics_class=self._engine.numerics_class,
            warm=newest[0] if newest else None,
            painting=painting,
            quiet_s=time.monotonic() - self._progress_at if painting else 0.0,
            mailbox=mailbox,
        )

    def _step(self) -> None:
        self._progress_at = time.monotonic()


class _Chunk:
    """One attempt at a chunk: what has been painted and written of it so far."""

    def __init__(self, job: ChunkJob, painter: Painter) -> None:
        self._job = job
        self._painter = painter
        self._engine = painter._engine
        self._outputs = painter._outputs
        self._outcomes: list[RenderOutcome] = []
        self._bad: list[int] = []
        self._writes: list[Future[_Written]] = []
        self._load_s = 0.0
        self._batch_s: list[float] = []

    def paint(self) -> ChunkResult:
        failure = self._try()
        written = []
        for write in self._writes:
            try:
                written.append(write.result())
            except OutputsError as exc:
                failure = failure or _unwritable(exc)
            except Exception as exc:  # noqa: BLE001  # as with painting: whatever it was, the other pictures are still there
                failure = failure or _unknown(exc)
        job, adopted = self._job, sum(o.state is RenderState.DONE for o in self._outcomes)
        slots = len(self._batch_s) * job.group.batch
        facts = Facts(
            load_s=self._load_s,
            batch_s=tuple(self._batch_s),
            megapixel_steps=slots * job.group.megapixel_steps,
            encode_s=sum(w.seconds for w in written),
            pictures=len(written),
            slots=slots,
            adopted=adopted,
            uploads=sum(w.files for w in written),
            upload_bytes=sum(w.bytes for w in written),
        )
        return ChunkResult(
            chunk_id=job.chunk_id,
            campaign_id=job.campaign_id,
            lease=job.lease,
            worker=self._painter.name,
            outcomes=(*self._outcomes, *(w.outcome for w in written)),
            bad_outputs=tuple(self._bad),
            failure=failure,
            facts=facts,
        )

    def _try(self) -> Failure | None:
        try:
            self._paint_batches()
        except BadRequest as exc:
            return Failure(kind=FailureKind.BAD_REQUEST, detail=str(exc))
        except OutputsError as exc:
            return _unwritable(exc)
        except _Stopped:
            return Failure(kind=FailureKind.STOPPED, detail="It was asked to stop.")
        except torch.OutOfMemoryError as exc:
            self._engine.forget()  # the next attempt, here or elsewhere, has the device for itself
            batch = self._job.group.batch
            return Failure(
                kind=FailureKind.OUT_OF_MEMORY,
                detail=f"The device ran out of memory at a batch of {batch}: give the campaign a smaller settings.batch. ({exc})",
            )
        except Exception as exc:  # noqa: BLE001  # whatever a model may throw must come back as an answer, or the chunk would be lost with it
            return _unknown(exc)
        return None

    def _paint_batches(self) -> None:
        job, left = self._job, self._adopt() if self._job.look_first else list(self._job.pictures)
        while left:
            if (job.chunk_id, job.lease) in self._painter._stopped:
                raise _Stopped
            batch, left = left[: job.group.batch], left[job.group.batch :]
            try:
                painted = self._engine.paint(
                    [job.recipe(p) for p in batch], job.model_folder, job.previews_every, on_step=self._painter._step
                )
            except PromptTooLong as exc:
                too_long = [p for p in batch if exc.text in (p.prompt, p.negative)]
                self._outcomes += [self._failed(p, str(exc)) for p in too_long]
                left = [p for p in batch if p not in too_long] + left
                continue
            self._take(batch, painted)

    def _take(self, batch: list[PictureJob], painted: Painted) -> None:
        self._load_s += painted.load_s
        self._batch_s.append(painted.paint_s)
        for k, picture in enumerate(batch):
            if painted.pixels[k] is None:
                self._bad.append(picture.number)
            else:
                self._writes.append(self._painter._writers.submit(self._write, picture, painted, k, painted.paint_s / len(batch)))
        job = self._job
        numbers = ",".join(str(picture.number) for picture in batch)
        log.info(
            "Painted %d pictures. action=paint campaign=%d chunk=%d lease=%d numbers=%s",
            len(batch), job.campaign_id, job.chunk_id, job.lease, numbers,
        )  # fmt: skip
        room = _WAITING_BATCHES * job.group.batch
        if len(self._writes) > room:
            self._writes[-room].result()  # the device waits only when the writers are far behind

    def _adopt(self) -> list[PictureJob]:
        """Take over what an attempt that nobody heard the end of has left in the outputs; returns the pictures that are missing."""
        missing = []
        for picture in self._job.pictures:
            outcome = self._adopted(picture)
            self._painter._step()
            if outcome is None:
                missing.append(picture)
            else:
                self._outcomes.append(outcome)
        return missing

    def _adopted(self, picture: PictureJob) -> RenderOutcome | None:
        try:
            with self._outputs.open(picture.key) as file:
                data = file.read()
        except NotFound:
            return None
        found, digest = encode.read_png(data), self._job.recipe(picture).digest
        if found is None or found[0].get("digest") != digest or found[0].get("numerics_class") != self._engine.numerics_class:
            return None
        return self._done(picture, digest, found[1], len(data), None)

    def _write(self, picture: PictureJob, painted: Painted, k: int, seconds: float) -> "_Written":
        started = time.perf_counter()
        recipe = self._job.recipe(picture)
        pixels = painted.pixels[k]
        assert pixels is not None
        digest = encode.pixels_digest(pixels)
        record = {
            "recipe": recipe.to_json(),
            "digest": recipe.digest,
            "pixels": digest,
            "model_name": self._job.model_name,
            "numerics_class": self._engine.numerics_class,
            "versions": _versions(),
        }
        data = encode.png(pixels, record, recipe.parameters(self._job.model_name))
        total = len(data)
        for step, pictures in painted.previews.items():
            small = encode.preview(pictures[k])
            self._outputs.put(preview_key(picture.key, step), small)
            total += len(small)
        self._outputs.put(picture.key, data)
        outcome = self._done(picture, recipe.digest, digest, len(data), seconds)
        return _Written(outcome, time.perf_counter() - started, 1 + len(painted.previews), total)

    def _done(self, picture: PictureJob, digest: str, pixels: str, size: int, seconds: float | None) -> RenderOutcome:
        return RenderOutcome(
            number=picture.number,
            digest=digest,
            state=RenderState.DONE,
            reason=Reason.PAINTED,
            key=picture.key,
            pixels=pixels,
            bytes=size,
            numerics_class=self._engine.numerics_class,
            seconds=seconds,
        )

    def _failed(self, picture: PictureJob, detail: str) -> RenderOutcome:
        digest = self._job.recipe(picture).digest
        return RenderOutcome(number=picture.number, digest=digest, state=RenderState.FAILED, reason=Reason.BAD_REQUEST, detail=detail)


class _Written:
    """One picture's outcome, and what writing it took."""

    def __init__(self, outcome: RenderOutcome, seconds: float, files: int, total: int) -> None:
        self.outcome, self.seconds, self.files, self.bytes = outcome, seconds, files, total


def _unwritable(exc: OutputsError) -> Failure:
    return Failure(kind=FailureKind.SHORTAGE if isinstance(exc, OutputsAway) else FailureKind.OUTPUTS, detail=str(exc))


def _unknown(exc: Exception) -> Failure:
    """What nobody foresaw, with the end of its log: the innermost frames first."""
    tail = "".join(traceback.format_exception(exc)[-_FRAMES_KEPT:])
    return Failure(kind=FailureKind.UNKNOWN, detail=f"{type(exc).__name__}: {exc}\n{tail}"[:_DETAIL_KEPT])


def _versions() -> Json:
    return {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
