"""Adopting: the pictures of a chunk that are in the outputs already need not be painted."""

from dataclasses import replace
from functools import cached_property

from actors.painting.judging import Judging
from actors.painting.thumbnails import Thumbnails
from actors.painting.writing import identity_of, outcome_of
from actors.pictures import files
from actors.recipes.jobs import ChunkJob, Look, PictureJob
from actors.recipes.previews import preview_steps
from storage.errors import NotFound
from storage.keys import preview_key
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from storage.store import Outputs


class Adopting:
    """Looks in the outputs for files that are what painting a chunk here would write."""

    def __init__(
        self,
        job: ChunkJob,
        outputs: Outputs,
        numerics_class: str,
        judging: Judging,
        thumbnails: Thumbnails,
    ) -> None:
        self._job = job
        self._thumbnails = thumbnails
        self._judging = judging
        self._outputs = outputs
        self._numerics_class = numerics_class

    def find(self, picture: PictureJob) -> RenderOutcome | None:
        """The outcome of a picture that an earlier attempt has written, or that another render of
        the same recipe has; None if it must be painted.
        """
        found = self._adopted(picture) if self._looks else None
        return found or self._copied(picture)

    @cached_property
    def _looks(self) -> bool:
        """Whether to look for each picture: a request apiece, of some 10 ms on S3."""
        if self._job.look is not Look.ENDS:
            return self._job.look is Look.ALL
        ends = {self._job.pictures[0].key, self._job.pictures[-1].key}
        return any(self._is_there(key) for key in sorted(ends))

    def _is_there(self, key: str) -> bool:
        try:
            self._outputs.open(key).close()
        except NotFound:
            return False
        return True

    def _adopted(self, picture: PictureJob) -> RenderOutcome | None:
        try:
            with self._outputs.open(picture.key) as file:
                data = file.read()
        except NotFound:
            return None
        found = files.read(data)
        if found is None or found.record is None or not self._is_ours(picture, found):
            return None
        outcome = outcome_of(picture, found.record, data, seconds=None)
        self._thumbnails.add(picture.number, found.pixels)
        self._judging.know([picture])
        return self._judging.judged(picture, outcome, found.pixels)

    def _copied(self, picture: PictureJob) -> RenderOutcome | None:
        reuse = picture.reuse
        if reuse is None or reuse.key is None or reuse.numerics_class != self._numerics_class:
            return None
        try:
            self._copy(reuse.key, picture.key)
        except NotFound:
            return None
        # Another file may have taken the place of the one that was to be copied.
        found = self._adopted(picture)
        if found is None or found.bytes != reuse.bytes:
            return None
        reason = Reason.COPIED if found.state is RenderState.DONE else found.reason
        return replace(found, reason=reason, pixels=reuse.pixels, sha256=reuse.sha256)

    def _copy(self, source: str, key: str) -> None:
        if source == key:
            return
        for step in preview_steps(self._job.previews, self._job.group.steps_made):
            self._outputs.copy(preview_key(source, step), preview_key(key, step))
        self._outputs.copy(source, key)

    def _is_ours(self, picture: PictureJob, found: files.Picture) -> bool:
        """Whether a file is what painting the picture here would leave. Files that keep every
        pixel must still have the pixels that were recorded.
        """
        record = found.record or {}
        expected = self._job.canaries.get(self._numerics_class)
        if expected is not None and record.get("canary", expected) != expected:
            return False  # its worker's numerics were not those of its class
        identity = identity_of(self._job, picture, self._numerics_class)
        if any(record.get(name) != value for name, value in identity.items()):
            return False
        pixels = record.get("pixels")
        if self._job.encoding.is_lossless:
            return pixels == found.digest
        return isinstance(pixels, str)
