"""Writing the pictures of a chunk: threads encode them and put them into the outputs while the
device paints the next batch.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

import diffusers
import torch
import transformers

from actors.painting.engine import Painted
from actors.painting.failures import failure_of
from actors.painting.infotext import infotext
from actors.painting.judging import Judging
from actors.painting.thumbnails import Thumbnails
from actors.pictures import files
from actors.pictures.files import Pixels
from actors.recipes.jobs import Canary, ChunkJob, Failure, PictureJob
from actors.recipes.recipe import Json
from storage.keys import preview_key
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from storage.store import Outputs

# Pictures that wait for the threads: enough to hide a slow write, few enough to fit in memory.
_WAITING_BATCHES = 4


@dataclass(frozen=True, kw_only=True)
class Written:
    """A picture in the outputs, and the cost of writing it."""

    outcome: RenderOutcome
    seconds: float
    files: int
    bytes: int


class Writing:
    """The writes of one chunk, under way and done."""

    def __init__(
        self,
        job: ChunkJob,
        outputs: Outputs,
        numerics_class: str,
        threads: Executor,
        judging: Judging,
        thumbnails: Thumbnails,
    ) -> None:
        self._job = job
        self._thumbnails = thumbnails
        self._judging = judging
        self._outputs = outputs
        self._numerics_class = numerics_class
        self._threads = threads
        self._writes: list[Future[Written]] = []
        self._looks: dict[int, list[Future[int]]] = defaultdict(list)
        """By the number of their render, the writes of previews."""
        self._last_looks: list[Future[int]] = []

    def preview(
        self, batch: Sequence[PictureJob], step: int, pictures: Sequence[Pixels | None]
    ) -> None:
        """Begin to write a step's looks at the pictures of a batch, while it is being painted.
        Waits if the threads are far behind.
        """
        for picture, pixels in zip(batch, pictures, strict=True):
            if pixels is not None:
                key = preview_key(picture.key, step)
                look = self._threads.submit(self._write_preview, key, pixels)
                self._looks[picture.number].append(look)
                self._last_looks.append(look)
        room = _WAITING_BATCHES * self._job.group.batch
        if len(self._last_looks) > room:
            wait(self._last_looks[:-room])
            self._last_looks = self._last_looks[-room:]

    def begin(
        self, batch: Sequence[PictureJob], painted: Painted, seconds: Sequence[float]
    ) -> None:
        """Begin to write every picture of a batch; `seconds` has the device time of each. Waits
        if the threads are far behind, and then raises the error of a write that failed.
        """
        for k, picture in enumerate(batch):
            pixels = painted.pixels[k]
            if pixels is not None:
                self._writes.append(
                    self._threads.submit(self._write, picture, pixels, painted.canary, seconds[k])
                )
        room = _WAITING_BATCHES * self._job.group.batch
        if len(self._writes) > room:
            self._writes[-room].result()

    def finish(self) -> tuple[list[Written], Failure | None]:
        """Wait for every write. One that fails keeps no other from its outcome; the first such
        failure is returned.
        """
        written, failure = [], None
        wait([look for looks in self._looks.values() for look in looks])
        for write in self._writes:
            try:
                written.append(write.result())
            except Exception as exc:  # noqa: BLE001
                failure = failure or failure_of(exc, self._job)
        return written, failure

    def _write(
        self,
        picture: PictureJob,
        pixels: Pixels,
        canary: Canary | None,
        seconds: float,
    ) -> Written:
        started = time.perf_counter()
        record = self._record(picture, pixels, canary)
        text = infotext(self._job.recipe(picture), self._job.model_name)
        data = files.write(pixels, record, text, self._job.encoding)
        # The picture comes last: a file under its key says that its previews are there too. The
        # threads took them up before it, so that none of them can wait for one that has not begun.
        looks = [look.result() for look in self._looks.get(picture.number, ())]
        self._outputs.put(picture.key, data)
        self._thumbnails.add(picture.number, pixels)
        return Written(
            outcome=self._judging.judged(
                picture, outcome_of(picture, record, data, seconds), pixels
            ),
            seconds=time.perf_counter() - started,
            files=1 + len(looks),
            bytes=len(data) + sum(looks),
        )

    def _write_preview(self, key: str, pixels: Pixels) -> int:
        """Write a preview; returns its size in bytes."""
        data = files.preview(pixels)
        self._outputs.put(key, data)
        return len(data)

    def _record(self, picture: PictureJob, pixels: Pixels, canary: Canary | None) -> Json:
        return {
            **identity_of(self._job, picture, self._numerics_class),
            "recipe": self._job.recipe(picture).to_json(),
            "pixels": files.pixels_digest(pixels),
            "model_name": self._job.model_name,
            **({"guidance_kind": kind} if (kind := self._job.guidance_kind) else {}),
            "versions": _versions(),
            **_sources(self._job, picture),
            **({"brand": dict(self._job.brand)} if self._job.brand else {}),
            **({"canary": canary.digest} if canary else {}),
        }


def identity_of(job: ChunkJob, picture: PictureJob, numerics_class: str) -> Json:
    """The part of a file's record that two files share if either can stand for the other."""
    return {
        "digest": job.recipe(picture).digest,
        "numerics_class": numerics_class,
        "encoding": job.encoding.name,
        **_looks_of(job),
    }


def _looks_of(job: ChunkJob) -> Json:
    """Which previews lie beside a picture, as files of every version say it if they can."""
    previews = job.previews
    if previews is None or previews.name == str(previews.every):
        return {"previews_every": previews.every if previews else None}
    return {"previews_every": None, "previews": previews.name}


def outcome_of(
    picture: PictureJob, record: Json, data: bytes, seconds: float | None
) -> RenderOutcome:
    """The outcome of a picture whose file is in the outputs."""
    return RenderOutcome(
        number=picture.number,
        digest=record["digest"],
        state=RenderState.DONE,
        reason=Reason.PAINTED,
        key=picture.key,
        pixels=record["pixels"],
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        numerics_class=record["numerics_class"],
        seconds=seconds,
    )


def _sources(job: ChunkJob, picture: PictureJob) -> Json:
    """The addresses of the files that the recipe knows by their digests, for whoever paints it
    again.
    """

    def source(digest: str) -> Json:
        address, key = job.addresses.get(digest), job.references[digest]
        return {"address": address, "key": key, "digest": digest}

    sources: Json = {name: source(digest) for name, digest in picture.files.items()}
    if picture.edit:
        sources["edit"] = [source(digest) for digest in picture.edit]
    if job.group.control is not None:
        sources["control"] = {"path": job.control_path, "digest": job.group.control.digest}
    if job.group.likeness is not None:
        sources["likeness"] = {"path": job.likeness_path, "digest": job.group.likeness.digest}
    if job.group.upscale is not None:
        sources["upscale"] = {"path": job.upscaler_path, "digest": job.group.upscale.digest}
    if job.adapter_paths:
        sources["adapters"] = [
            {"path": path, "digest": adapter.digest, "scale": adapter.scale}
            for path, adapter in zip(job.adapter_paths, job.group.adapters, strict=True)
        ]
    return {"sources": sources} if sources else {}


def _versions() -> Json:
    return {
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
    }
