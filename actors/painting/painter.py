"""Paints a leased chunk: batch after batch on the device, while threads encode and write the
pictures of the batches before.
"""

import logging
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from actors.models.cache import WeightsCache
from actors.painting.adopting import Adopting
from actors.painting.chunk import Chunk
from actors.painting.engine import Engine
from actors.painting.folders import folders_of
from actors.painting.judging import Judging
from actors.painting.progress import Progress
from actors.painting.references import References
from actors.painting.resting import RestingEngine
from actors.painting.stops import Stops
from actors.painting.thumbnails import Thumbnails
from actors.painting.writing import Writing
from actors.recipes.jobs import ChunkJob, ChunkResult, Health
from storage.errors import SeedbedError
from storage.store import Outputs
from storage.timed_outputs import TimedOutputs
from storage.timings import Timings

log = logging.getLogger(__name__)

_WRITERS = 2


class Painter:
    """One worker: an engine, the outputs, and the results that no dispatcher has acknowledged."""

    def __init__(
        self,
        name: str,
        engine: Engine | RestingEngine,
        outputs: Outputs,
        cache: WeightsCache | None = None,
    ) -> None:
        """Without a `cache`, no registered model can be painted with."""
        self.name = name
        self._cache = cache
        self._fetcher = ThreadPoolExecutor(1, thread_name_prefix="fetcher")
        self._engine = engine
        self._timings = Timings()
        self._outputs = TimedOutputs(outputs, self._timings)
        self._references = References(self._outputs)
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
        judging = Judging(job, self._references, self._outputs)
        thumbnails = Thumbnails(job, self._outputs, self._writers)
        writing = Writing(job, self._outputs, numerics_class, self._writers, judging, thumbnails)
        chunk = Chunk(
            job,
            worker=self.name,
            engine=self._engine,
            adopting=Adopting(job, self._outputs, numerics_class, judging, thumbnails),
            references=self._references,
            judging=judging,
            writing=writing,
            progress=self._progress,
            stops=self._stops,
            cache=self._cache,
        )
        painting_failed = chunk.paint()
        written, writing_failed = writing.finish()
        result = chunk.result(written, painting_failed or writing_failed)
        # Outputs that have just failed are not waited for again.
        outcomes = result.outcomes if writing_failed else thumbnails.noted(result.outcomes)
        facts = replace(result.facts, outputs=self._timings.take())
        result = replace(result, outcomes=outcomes, facts=facts)
        self._end(result)
        return result

    def expect(self, job: ChunkJob) -> None:
        """Prepare for a chunk that comes next and needs other files: fetch those that are
        registered, and read the model's.
        """
        if job.manifests and self._cache is not None:
            self._fetcher.submit(self._fetch, job, self._cache)
        else:
            self._engine.expect(job.group, job.model_folder)

    def _fetch(self, job: ChunkJob, cache: WeightsCache) -> None:
        try:
            with folders_of(job, cache, lambda: None) as folders:
                self._engine.expect(job.group, folders.model)
        except SeedbedError as exc:  # the chunk itself will say so again
            log.warning("The files of the next chunk were not fetched: %s action=fetch", exc)

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
