"""Paints a leased chunk: batch after batch on the device, while threads encode and write what came before."""

import platform
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import diffusers
import torch
import transformers

from actors import encode
from actors.engine import BadRequest, Engine, Painted, PromptTooLong
from actors.jobs import ChunkJob, ChunkResult, Facts, Failure, FailureKind, Health, PictureJob, preview_key
from actors.recipe import Json
from storage.errors import OutputsError
from storage.outputs import Outputs
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState

_WRITERS = 2
_WAITING_BATCHES = 4  # pictures held for the writers: enough to hide a slow write, little enough to fit in memory


class Painter:
    """One worker's hands: an engine, the outputs, and the results that nobody has acknowledged yet."""

    def __init__(self, name: str, engine: Engine, outputs: Outputs) -> None:
        self.name = name
        self._engine = engine
        self._outputs = outputs
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="writer")
        self._mailbox: dict[tuple[int, int], ChunkResult] = {}
        self._lock = threading.Lock()

    def paint(self, job: ChunkJob) -> ChunkResult:
        """Paint every picture of a chunk, write it out, and answer with what happened. Failures are answers too."""
        result = self._try_to_paint(job)
        with self._lock:
            self._mailbox[job.chunk_id, job.lease] = result
        return result

    def acknowledge(self, chunk_id: int, lease: int) -> None:
        """Forget a result that a dispatcher has recorded."""
        with self._lock:
            self._mailbox.pop((chunk_id, lease), None)

    def health(self) -> Health:
        newest = next(reversed(self._engine.warm), None)
        with self._lock:
            mailbox = tuple(self._mailbox.values())
        return Health(
            name=self.name,
            node=platform.node(),
            device=str(self._engine.device),
            numerics_class=self._engine.numerics_class,
            warm=newest[0] if newest else None,
            mailbox=mailbox,
        )

    def _try_to_paint(self, job: ChunkJob) -> ChunkResult:
        answer = ChunkResult(chunk_id=job.chunk_id, campaign_id=job.campaign_id, lease=job.lease, worker=self.name)
        try:
            outcomes, facts = self._paint_batches(job)
        except BadRequest as exc:
            failure = Failure(kind=FailureKind.BAD_REQUEST, detail=str(exc))
        except OutputsError as exc:
            failure = Failure(kind=FailureKind.OUTPUTS, detail=str(exc))
        except torch.OutOfMemoryError as exc:
            failure = Failure(kind=FailureKind.OUT_OF_MEMORY, detail=f"The device ran out of memory at batch {job.group.batch}: {exc}")
        except Exception as exc:  # noqa: BLE001  # whatever a model may throw must come back as an answer, or the chunk would be lost with it
            where = traceback.extract_tb(exc.__traceback__)[-1]
            failure = Failure(
                kind=FailureKind.UNKNOWN, detail=f"{type(exc).__name__}: {exc} ({where.name}, {where.filename}:{where.lineno})"
            )
        else:
            return replace(answer, outcomes=tuple(outcomes), facts=facts)
        return replace(answer, failure=failure)

    def _paint_batches(self, job: ChunkJob) -> tuple[list[RenderOutcome], Facts]:
        writes: list[Future[_Written]] = []
        refused: list[RenderOutcome] = []
        load_s, batch_s = 0.0, []
        left = list(job.pictures)
        while left:
            batch, left = left[: job.group.batch], left[job.group.batch :]
            try:
                painted = self._engine.paint([job.recipe(p) for p in batch], job.model_folder, job.previews_every)
            except PromptTooLong as exc:
                too_long = [p for p in batch if exc.text in (p.prompt, p.negative)]
                refused += [_ended(job, p, RenderState.FAILED, Reason.BAD_REQUEST, str(exc)) for p in too_long]
                left = [p for p in batch if p not in too_long] + left
                continue
            load_s += painted.load_s
            batch_s.append(painted.paint_s)
            for k, picture in enumerate(batch):
                writes.append(self._writers.submit(self._write, job, picture, painted, k, painted.paint_s / len(batch)))
            if len(writes) > _WAITING_BATCHES * job.group.batch:
                writes[-_WAITING_BATCHES * job.group.batch].result()  # the device waits only when the writers are far behind
        written = [write.result() for write in writes]
        slots = len(batch_s) * job.group.batch
        facts = Facts(
            load_s=load_s,
            batch_s=tuple(batch_s),
            megapixel_steps=slots * job.group.megapixel_steps,
            encode_s=sum(w.seconds for w in written),
            pictures=len(written),
            slots=slots,
            uploads=sum(w.files for w in written),
            upload_bytes=sum(w.bytes for w in written),
        )
        return refused + [w.outcome for w in written], facts

    def _write(self, job: ChunkJob, picture: PictureJob, painted: Painted, k: int, seconds: float) -> "_Written":
        started = time.perf_counter()
        recipe = job.recipe(picture)
        pixels = painted.pixels[k]
        if pixels is None:
            held = _ended(
                job, picture, RenderState.HELD, Reason.BAD_OUTPUT, "The model's numbers are no picture: not finite, or one flat colour."
            )
            return _Written(held, time.perf_counter() - started, 0, 0)
        record = {
            "recipe": recipe.to_json(),
            "digest": recipe.digest,
            "model_name": job.model_name,
            "numerics_class": self._engine.numerics_class,
            "versions": _versions(),
        }
        data = encode.png(pixels, record, recipe.parameters(job.model_name))
        total = len(data)
        for step, pictures in painted.previews.items():
            small = encode.preview(pictures[k])
            self._outputs.put(preview_key(picture.key, step), small)
            total += len(small)
        self._outputs.put(picture.key, data)
        outcome = RenderOutcome(
            number=picture.number,
            digest=recipe.digest,
            state=RenderState.DONE,
            reason=Reason.PAINTED,
            key=picture.key,
            pixels=encode.pixels_digest(pixels),
            bytes=len(data),
            numerics_class=self._engine.numerics_class,
            seconds=seconds,
        )
        return _Written(outcome, time.perf_counter() - started, 1 + len(painted.previews), total)


class _Written:
    """One picture's outcome, and what writing it took."""

    def __init__(self, outcome: RenderOutcome, seconds: float, files: int, total: int) -> None:
        self.outcome, self.seconds, self.files, self.bytes = outcome, seconds, files, total


def _ended(job: ChunkJob, picture: PictureJob, state: RenderState, reason: Reason, detail: str) -> RenderOutcome:
    return RenderOutcome(number=picture.number, digest=job.recipe(picture).digest, state=state, reason=reason, detail=detail)


def _versions() -> Json:
    return {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
