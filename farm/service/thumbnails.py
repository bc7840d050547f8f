"""Pictures for browsers: whole, in a format that each browser shows, and small."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock

from actors.pictures import files
from actors.pictures.png import write_png
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.keys import atlas_key
from storage.states import Stage
from storage.store import Outputs

KEPT_BYTES = 96 * 2**20
"""Thumbnails that are kept in memory: some 12,000."""
_AT_ONCE = 2  # made at a time, so that a page full of them keeps nobody else waiting
_KINDS = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}


@dataclass(frozen=True)
class Shown:
    """A picture as it is sent; `tag` changes with its pixels."""

    data: bytes
    kind: str
    tag: str


class Pictures:
    """Reads the pictures of renders for those who look at them."""

    def __init__(
        self, campaigns: Campaigns, outputs: Outputs, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._campaigns = campaigns
        self._outputs = outputs
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()
        self._making = BoundedSemaphore(_AT_ONCE)

    def whole(
        self, project: str, name: str, number: int, version: int | None, stage: Stage
    ) -> Shown:
        """A render's picture, every pixel of it: as it is stored, or as PNG if browsers do not
        show its format. Raises NotFound if it has none.
        """
        key, tag = self._file(project, name, number, version, stage)
        data = self._read(key)
        kind = _KINDS.get(key.rpartition(".")[2])
        if kind is not None:
            return Shown(data, kind, tag)
        picture = files.read(data)
        if picture is None:
            raise NotFound(_UNREADABLE.format(key))
        return Shown(write_png(picture.pixels, {}), "image/png", tag)

    def small(
        self, project: str, name: str, number: int, version: int | None, stage: Stage
    ) -> Shown:
        """The same no larger than 256 pixels a side, as WebP."""
        key, tag = self._file(project, name, number, version, stage)
        found = self._known(tag)
        if found is None:
            with self._making:
                picture = files.read(self._read(key))
                if picture is None:
                    raise NotFound(_UNREADABLE.format(key))
                found = files.preview(picture.pixels)
            self._keep(tag, found)
        return Shown(found, "image/webp", tag)

    def atlas(self, project: str, name: str, atlas: str) -> Shown:
        """An atlas of a campaign's thumbnails. Raises NotFound if there is none of that name."""
        self._campaigns.get(project, name)
        return Shown(self._read(atlas_key(project, name, atlas)), _KINDS["webp"], atlas)

    def _file(
        self, project: str, name: str, number: int, version: int | None, stage: Stage
    ) -> tuple[str, str]:
        campaign = (
            self._campaigns.get(project, name)
            if version is None
            else self._campaigns.version(project, name, version)
        )
        if stage is Stage.PROOF:
            campaign = self._campaigns.proofs_of(campaign)
        found = self._campaigns.outcome(campaign.id, number)
        if found is None or found[0].key is None:
            raise NotFound(f"Render {number} of {name} has no picture now.")
        outcome = found[0]
        return outcome.key or "", outcome.sha256 or outcome.digest

    def _read(self, key: str) -> bytes:
        with self._outputs.open(key) as file:
            return file.read()

    def _known(self, tag: str) -> bytes | None:
        with self._lock:
            if tag in self._kept:
                self._kept.move_to_end(tag)
            return self._kept.get(tag)

    def _keep(self, tag: str, data: bytes) -> None:
        with self._lock:
            self._size += len(data) - len(self._kept.pop(tag, b""))
            self._kept[tag] = data
            while self._size > self._kept_bytes:
                self._size -= len(self._kept.popitem(last=False)[1])


_UNREADABLE = (
    "The file {} of the outputs cannot be read as a picture: `farm repair` paints it again."
)
