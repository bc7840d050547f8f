"""Paints a leased chunk: batch after batch on the device, while threads encode and write what came
before.
"""

import hashlib
import logging
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import diffusers
import torch
import transformers

from actors.painting.canaries import Unstable
from actors.painting.engine import Engine, Painted
from actors.painting.infotext import infotext
from actors.painting.references import References
from actors.painting.resting import RestingEngine
from actors.pictures import files as encode
from actors.recipes.canary import unlike_its_class
from actors.recipes.errors import BadRequest, LoadFailed, PromptTooLong, Stopped, WeightsChanged
from actors.recipes.jobs import (
    Canary,
    ChunkJob,
    ChunkResult,
    Facts,
    Failure,
    FailureKind,
    Health,
    PictureJob,
    preview_steps,
)
from actors.recipes.recipe import Group, Json
from storage.errors import NotFound, OutputsAway, OutputsError
from storage.keys import preview_key
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from storage.store import Outputs

_WRITERS = 2
_STOPS_KEPT = 1000
_FRAMES_KEPT = 6
_DETAIL_KEPT = 4000
# A step that takes so much longer than the longest before it in its batch hangs; nothing on a
# device is ten seconds late by chance.
_HUNG_STEPS, _HUNG_LEAST_S = 20, 10.0
_WAITING_BATCHES = (
    4  # pictures held for the writers: enough to hide a slow write, little enough to fit in memory
)


_KINDS = (
    (WeightsChanged, FailureKind.MODEL),
    (BadRequest, FailureKind.BAD_REQUEST),
    (Unstable, FailureKind.NUMERICS),
)

log = logging.getLogger(__name__)


class Painter:
    """One worker's hands: an engine, the outputs, and the results that nobody has acknowledged
    yet.
    """

    def __init__(self, name: str, engine: Engine | RestingEngine, outputs: Outputs) -> None:
        self.name = name
        self._engine = engine
        self._outputs = outputs
        self._references = References(outputs)
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="writer")
        self._mailbox: dict[tuple[int, int], ChunkResult] = {}
        self._stopped: dict[tuple[int, int], bool] = {}
        """Chunks to be left alone: whether from the next step on, or from the next batch."""
        self._painting = False
        self._progress_at = 0.0
        self._steps_left = 0
        self._longest_step_s = 0.0
        self._lock = threading.Lock()

    def paint(self, job: ChunkJob) -> ChunkResult:
        """Paint every picture of a chunk, write it out, and answer with what happened. Failures
        are answers too.
        """
        self._step()
        self._painting = True
        result = _Chunk(job, self).paint()
        with self._lock:
            self._mailbox[result.key] = result
            self._painting = False
        return result

    def expect(self, group: Group, folder: str) -> None:
        """Prepare for a chunk of another model that comes next."""
        self._engine.expect(group, folder)

    def acknowledge(self, chunk_id: int, lease: int) -> None:
        """Forget a result that a dispatcher has recorded."""
        with self._lock:
            self._mailbox.pop((chunk_id, lease), None)

    def stop(self, chunk_id: int, lease: int, *, at_step: bool = False) -> None:
        """Leave a chunk alone from its next batch on, or before its first one; with `at_step`, let
        the batch under way go too.
        """
        with self._lock:
            self._stopped[chunk_id, lease] = at_step or self._stopped.get((chunk_id, lease), False)
            while len(self._stopped) > _STOPS_KEPT:
                del self._stopped[next(iter(self._stopped))]

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
            quiet_s=time.monotonic() - self._progress_at if painting else 0.0,
            hung_after_s=self._hung_after_s(),
            mailbox=mailbox,
        )

    def _step(self, left: int = 0) -> None:
        """Note that it goes on, with so many steps to come in this batch; only the time of a step
        says how long the next may take.
        """
        now = time.monotonic()
        self._longest_step_s = (
            max(self._longest_step_s, now - self._progress_at) if self._steps_left else 0.0
        )
        self._progress_at, self._steps_left = now, left

    def _hung_after_s(self) -> float | None:
        longest_s = self._longest_step_s
        return (
            max(_HUNG_LEAST_S, _HUNG_STEPS * longest_s) if self._steps_left and longest_s else None
        )


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
        self._loads = self._swaps = 0
        self._batch_s: list[float] = []
        self._canary: Canary | None = None

    def paint(self) -> ChunkResult:
        failure = self._try()
        written = []
        for write in self._writes:
            try:
                written.append(write.result())
            except OutputsError as exc:
                failure = failure or _unwritable(exc)
            # as with painting: whatever it was, the other pictures are still there
            except Exception as exc:  # noqa: BLE001
                failure = failure or _unknown(exc)
        job, copied = self._job, sum(o.reason is Reason.COPIED for o in self._outcomes)
        adopted = sum(o.state is RenderState.DONE for o in self._outcomes) - copied
        slots = len(self._batch_s) * job.group.batch
        facts = Facts(
            numerics_class=self._engine.numerics_class,
            shape=job.group.shape,
            load_s=self._load_s,
            loads=self._loads,
            swaps=self._swaps,
            batch_s=tuple(self._batch_s),
            megapixel_steps=slots * job.group.megapixel_steps,
            encode_s=sum(w.seconds for w in written),
            pictures=len(written),
            slots=slots,
            adopted=adopted,
            copied=copied,
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
            canary=self._canary,
        )

    def _try(self) -> Failure | None:
        try:
            self._paint_batches()
        except LoadFailed as exc:
            log.exception("The model could not be loaded. action=load")
            return Failure(
                kind=FailureKind.LOADING,
                detail=f"The model {self._job.model_name} cannot be loaded: {exc}",
            )
        except (WeightsChanged, BadRequest, Unstable) as exc:
            return Failure(
                kind=next(kind for error, kind in _KINDS if isinstance(exc, error)),
                detail=str(exc),
            )
        except OutputsError as exc:
            return _unwritable(exc)
        except Stopped:
            return Failure(kind=FailureKind.STOPPED, detail="It was asked to stop.")
        except torch.OutOfMemoryError as exc:
            self._engine.forget()  # the next attempt, here or elsewhere, has the device for itself
            batch = self._job.group.batch
            return Failure(
                kind=FailureKind.OUT_OF_MEMORY,
                detail=(
                    f"The device ran out of memory at a batch of {batch}: give the campaign a"
                    f" smaller settings.batch. ({exc})"
                ),
            )
        # whatever a model may throw must come back as an answer, or the chunk would be lost with
        # it
        except Exception as exc:  # noqa: BLE001
            return _unknown(exc)
        return None

    def _paint_batches(self) -> None:
        job = self._job
        left = self._without(self._adopted, job.pictures) if job.look_first else list(job.pictures)
        left = self._without(self._copied, left)
        while left:
            if (job.chunk_id, job.lease) in self._painter._stopped:
                raise Stopped
            batch, left = left[: job.group.batch], left[job.group.batch :]
            references = self._painter._references.get(job, batch)
            self._painter._references.ask(
                job, left[: job.group.batch]
            )  # they come while this batch is painted
            try:
                painted = self._engine.paint(
                    [job.recipe(p) for p in batch],
                    job.model_folder,
                    job.previews_every,
                    references=references,
                    adapter_paths=job.adapter_paths,
                    on_step=self._on_step,
                )
            except PromptTooLong as exc:
                too_long = [p for p in batch if exc.text in (p.prompt, p.negative)]
                self._outcomes += [self._failed(p, str(exc)) for p in too_long]
                left = [p for p in batch if p not in too_long] + left
                continue
            self._compare(painted.canary)
            self._take(batch, painted)

    def _on_step(self, left: int) -> None:
        self._painter._step(left)
        if self._painter._stopped.get((self._job.chunk_id, self._job.lease)):
            raise Stopped

    def _compare(self, canary: Canary | None) -> None:
        """Before anything is written: a worker whose canaries are not those of its class would
        leave pictures that do not repeat.
        """
        if canary is None:
            return
        expected = self._job.canaries.get(canary.numerics_class, canary.digest)
        if canary.digest != expected:
            raise Unstable(unlike_its_class(self._painter.name, canary.numerics_class))
        self._canary = canary

    def _take(self, batch: list[PictureJob], painted: Painted) -> None:
        self._load_s += painted.load_s
        self._loads += painted.loads
        self._swaps += painted.swaps
        self._batch_s.append(painted.paint_s)
        for k, picture in enumerate(batch):
            if painted.pixels[k] is None:
                self._bad.append(picture.number)
            else:
                self._writes.append(
                    self._painter._writers.submit(
                        self._write, picture, painted, k, painted.paint_s / len(batch)
                    )
                )
        job = self._job
        numbers = ",".join(str(picture.number) for picture in batch)
        log.info(
            "Painted %d pictures. action=paint campaign=%d chunk=%d lease=%d numbers=%s",
            len(batch), job.campaign_id, job.chunk_id, job.lease, numbers,
        )  # fmt: skip
        room = _WAITING_BATCHES * job.group.batch
        if len(self._writes) > room:
            self._writes[-room].result()  # the device waits only when the writers are far behind

    def _without(
        self, find: Callable[[PictureJob], RenderOutcome | None], pictures: Iterable[PictureJob]
    ) -> list[PictureJob]:
        """Take what need not be painted, as `find` has it; returns the pictures that are left."""
        missing = []
        for picture in pictures:
            outcome = find(picture)
            self._painter._step()
            if outcome is None:
                missing.append(picture)
            else:
                self._outcomes.append(outcome)
        return missing

    def _copied(self, picture: PictureJob) -> RenderOutcome | None:
        """A twin's picture, copied within the outputs, and then looked at: meanwhile its place may
        hold another.
        """
        twin = picture.twin
        if twin is None or twin.key is None or twin.numerics_class != self._engine.numerics_class:
            return None
        try:
            if twin.key != picture.key:
                for step in preview_steps(self._job.group, self._job.previews_every):
                    self._outputs.copy(preview_key(twin.key, step), preview_key(picture.key, step))
                self._outputs.copy(twin.key, picture.key)
        except NotFound:
            return None
        found = self._adopted(picture)
        if found is None or found.bytes != twin.bytes:
            return None
        return replace(found, reason=Reason.COPIED, pixels=twin.pixels, sha256=twin.sha256)

    def _adopted(self, picture: PictureJob) -> RenderOutcome | None:
        """What an attempt that nobody heard the end of has left in the outputs."""
        try:
            with self._outputs.open(picture.key) as file:
                data = file.read()
        except NotFound:
            return None
        digest = self._job.recipe(picture).digest
        pixels = self._pixels_of(encode.read(data), digest)
        return None if pixels is None else self._done(picture, digest, pixels, data, None)

    def _pixels_of(self, found: encode.Picture | None, digest: str) -> str | None:
        """The pixel hash of a picture as it was painted, where a file is what painting it here
        would leave.
        """
        if found is None or found.record is None:
            return None
        encoding, own_class = self._job.encoding, self._engine.numerics_class
        wanted: Json = {
            "digest": digest,
            "numerics_class": own_class,
            "encoding": encoding.name,
            "previews_every": self._job.previews_every,
        }
        expected = self._job.canaries.get(own_class)
        if expected is not None and found.record.get("canary", expected) != expected:
            return None  # of a worker whose numerics were not those of its class
        pixels = found.record.get("pixels")
        is_ours = all(
            found.record.get(name) == value for name, value in wanted.items()
        ) and isinstance(pixels, str)
        return pixels if is_ours and (not encoding.is_lossless or pixels == found.digest) else None

    def _write(self, picture: PictureJob, painted: Painted, k: int, seconds: float) -> "_Written":
        started = time.perf_counter()
        recipe = self._job.recipe(picture)
        pixels = painted.pixels[k]
        assert pixels is not None
        record: Json = {
            "recipe": recipe.to_json(),
            "digest": recipe.digest,
            "pixels": encode.pixels_digest(pixels),
            "encoding": self._job.encoding.name,
            "previews_every": self._job.previews_every,
            "model_name": self._job.model_name,
            "numerics_class": self._engine.numerics_class,
            "versions": _versions(),
            **self._sources(picture),
            **({"canary": painted.canary.digest} if painted.canary else {}),
        }
        data = encode.write(
            pixels, record, infotext(recipe, self._job.model_name), self._job.encoding
        )
        total = len(data)
        for step, pictures in painted.previews.items():
            small = encode.preview(pictures[k])
            self._outputs.put(preview_key(picture.key, step), small)
            total += len(small)
        self._outputs.put(picture.key, data)
        outcome = self._done(picture, recipe.digest, record["pixels"], data, seconds)
        return _Written(outcome, time.perf_counter() - started, 1 + len(painted.previews), total)

    def _sources(self, picture: PictureJob) -> Json:
        """Where the files that the recipe knows by their digests came from, for whoever wants to
        paint it again.
        """
        job, digest = self._job, picture.reference
        sources: Json = {}
        if digest is not None:
            sources["reference"] = {
                "address": job.addresses.get(digest),
                "key": job.references[digest],
                "digest": digest,
            }
        if job.adapter_paths:
            laid = zip(job.adapter_paths, job.group.adapters, strict=True)
            sources["adapters"] = [
                {"path": path, "digest": adapter.digest, "scale": adapter.scale}
                for path, adapter in laid
            ]
        return {"sources": sources} if sources else {}

    def _done(
        self, picture: PictureJob, digest: str, pixels: str, data: bytes, seconds: float | None
    ) -> RenderOutcome:
        return RenderOutcome(
            number=picture.number,
            digest=digest,
            state=RenderState.DONE,
            reason=Reason.PAINTED,
            key=picture.key,
            pixels=pixels,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            numerics_class=self._engine.numerics_class,
            seconds=seconds,
        )

    def _failed(self, picture: PictureJob, detail: str) -> RenderOutcome:
        digest = self._job.recipe(picture).digest
        return RenderOutcome(
            number=picture.number,
            digest=digest,
            state=RenderState.FAILED,
            reason=Reason.BAD_REQUEST,
            detail=detail,
        )


class _Written:
    """One picture's outcome, and what writing it took."""

    def __init__(self, outcome: RenderOutcome, seconds: float, files: int, total: int) -> None:
        self.outcome, self.seconds, self.files, self.bytes = outcome, seconds, files, total


def _unwritable(exc: OutputsError) -> Failure:
    return Failure(
        kind=FailureKind.SHORTAGE if isinstance(exc, OutputsAway) else FailureKind.OUTPUTS,
        detail=str(exc),
    )


def _unknown(exc: Exception) -> Failure:
    """What nobody foresaw, with the end of its log: the innermost frames first."""
    tail = "".join(traceback.format_exception(exc)[-_FRAMES_KEPT:])
    return Failure(
        kind=FailureKind.UNKNOWN, detail=f"{type(exc).__name__}: {exc}\n{tail}"[:_DETAIL_KEPT]
    )


def _versions() -> Json:
    return {
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
    }
