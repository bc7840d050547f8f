"""The thumbnails of one chunk: made from pixels in memory, and written together at its end."""

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from actors.pictures.atlas import Atlas, atlases, thumbnail
from actors.pictures.files import Pixels
from actors.recipes.jobs import ChunkJob
from storage.errors import SeedbedError
from storage.keys import atlas_key
from storage.rows import RenderOutcome
from storage.store import Outputs

log = logging.getLogger(__name__)


class Thumbnails:
    """Collects thumbnails from the threads that have the pictures."""

    def __init__(self, job: ChunkJob, outputs: Outputs, threads: Executor) -> None:
        self._job = job
        self._outputs = outputs
        self._threads = threads
        self._made: dict[int, Pixels] = {}

    def add(self, number: int, pixels: Pixels) -> None:
        """Make the thumbnail of a render's picture."""
        self._made[number] = thumbnail(pixels)

    def noted(self, outcomes: Sequence[RenderOutcome]) -> tuple[RenderOutcome, ...]:
        """Write them, and say in each outcome where its thumbnail is. Pages can do without, so
        that no failure ends a chunk: pictures whose atlas could not be written have no thumbnail.
        """
        painted = {outcome.number for outcome in outcomes if outcome.key is not None}
        every = atlases({n: made for n, made in self._made.items() if n in painted})
        places: dict[int, str] = {}
        for found in self._threads.map(self._write, every):
            places |= found
        return tuple(replace(o, thumbnail=places.get(o.number)) for o in outcomes)

    def _write(self, atlas: Atlas) -> dict[int, str]:
        project, campaign = self._job.pictures[0].key.split("/")[:2]
        try:
            self._outputs.put(atlas_key(project, campaign, atlas.name), atlas.data)
        except SeedbedError as exc:
            log.warning("Thumbnails were not written: %s action=thumbnails", exc)
            return {}
        return atlas.places()
