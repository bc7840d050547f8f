"""References on their way from the outputs to the device: fetched before their batch is due,
checked, and kept while there is room.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from actors.pictures.files import Pixels
from actors.pictures.reference import MAX_BYTES, fitted, read_reference
from actors.recipes.errors import BadRequest
from actors.recipes.jobs import ChunkJob, PictureJob
from actors.recipes.recipe import whole
from storage.errors import RequestError
from storage.store import Outputs

_KEPT_BYTES = 256 * 1024 * 1024  # 85 pictures of 1024x1024

Key = tuple[str, tuple[int, int] | None]
"""The digest of a file, and the width and height that its picture is brought to, if it is."""
Wanted = dict[str, Key]
"""By what an engine calls each picture."""


class References:
    """A worker's reference pictures, by digest and size; those not used for longest give way."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._coming: OrderedDict[Key, Future[Pixels]] = OrderedDict()

    def ask(self, job: ChunkJob, pictures: Sequence[PictureJob]) -> None:
        """Begin to fetch what pictures begin from, if it is not here."""
        for key in _wanted(job, pictures).values():
            coming = self._coming.get(key)
            if coming is None or (coming.done() and coming.exception() is not None):
                self._coming[key] = self._pool.submit(self._fetch, job, *key)
            self._coming.move_to_end(key)

    def get(self, job: ChunkJob, pictures: Sequence[PictureJob]) -> dict[str, Pixels]:
        """What pictures begin from, as an engine takes it.

        Raises BadRequest if one has changed since the campaign was submitted, OutputsError if it
        cannot be read now.
        """
        self.ask(job, pictures)
        wanted = _wanted(job, pictures)
        found = {name: self._coming[key].result() for name, key in wanted.items()}
        self._make_room(4 * job.group.batch * (job.group.edits or 1))
        return found

    def _make_room(self, needed: int) -> None:
        """Keep as many of the last used as fit, and in any case those of two batches."""
        size = sum(map(_bytes, self._coming.values()))
        while len(self._coming) > needed and size > _KEPT_BYTES:
            size -= _bytes(self._coming.popitem(last=False)[1])

    def _fetch(self, job: ChunkJob, digest: str, size: tuple[int, int] | None) -> Pixels:
        name = f"The reference {job.addresses.get(digest, digest)}"
        try:
            data = self._outputs.read(job.references[digest], MAX_BYTES)
            if hashlib.sha256(data).hexdigest() != digest:
                raise BadRequest(
                    f"{name} was changed in the outputs since the campaign was submitted: submit"
                    " it again."
                )
            pixels = read_reference(data)
            return pixels if size is None else fitted(pixels, *size)
        except RequestError as exc:
            raise BadRequest(f"{name} cannot be used, submit the campaign again: {exc}") from exc


def _wanted(job: ChunkJob, pictures: Sequence[PictureJob]) -> Wanted:
    # A model sees what it edits in its own shape: how large, is its pipeline's to decide. So does
    # the image encoder of an IP-Adapter.
    size = None if job.group.edits else (job.group.width, job.group.height)
    wanted: Wanted = {}
    for picture in pictures:
        if (likeness := picture.likeness_image) is not None:
            wanted[whole(likeness)] = likeness, None
        wanted |= {digest: (digest, size) for digest in picture.begun_from}
    return wanted


def _bytes(coming: Future[Pixels]) -> int:
    """Of a picture that is here."""
    is_here = coming.done() and not coming.cancelled() and coming.exception() is None
    return coming.result().nbytes if is_here else 0
