"""From where models and adapters are registered: a folder of the farm's machine, a hub id at a
revision, or a prefix of a bucket.
"""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp

from actors.models import conversion
from actors.models.adapter_files import AdapterFile
from actors.models.fetching import PART
from actors.models.hub import fetch_model
from actors.models.manifests import check_place
from actors.models.models import hub_id
from farm.campaign.addresses import path_of
from farm.service.adapter_intake import checked_adapter
from farm.service.local_files import LocalFiles
from storage.errors import NotFound, OutputsAway, OutputsError, RequestError
from storage.outputs import open_outputs
from storage.store import SCHEME, Outputs

_MOST_FILES = 2_000


class ModelSources:
    """Opens the sources of models and adapters."""

    def __init__(
        self, *, files: LocalFiles, folder: Path, buckets: Collection[str] = (),
        s3_style: str = "auto",
    ) -> None:  # fmt: skip
        """`files` are those of this machine that may be named, `folder` has room for what is
        copied here, and `buckets` are those that may be read.
        """
        self._files, self._folder = files, folder
        self._buckets, self._style = buckets, s3_style

    @contextmanager
    def opened(self, source: str, like: str | None = None) -> Iterator[Path]:
        """The folder of a source's model, for as long as the block lasts. Of a single-file
        checkpoint one is made, with the configs of the folder `like`.

        Raises RequestError if there is none, or it may not be named.
        """
        if source.endswith(".safetensors") and not source.startswith(SCHEME):
            with self._space() as folder:
                self._convert(source, like, folder)
                yield folder
        elif like is not None:
            raise RequestError("Only a .safetensors checkpoint is made like another model.")
        elif hub := hub_id(source):
            yield fetch_model(*hub)
        elif source.startswith(SCHEME):
            with self._space() as folder:
                self._copy(source, folder)
                yield folder
        else:
            yield self._local(source)

    @contextmanager
    def opened_adapter(self, source: str) -> Iterator[AdapterFile]:
        """The file of a source's adapter, for as long as the block lasts. The source is a file or
        a folder of this machine, or one in a bucket.

        Raises RequestError if there is none, or it may not be named.
        """
        if not source.startswith(SCHEME):
            yield self._adapter(source, self._path(source))
            return
        with self._space() as folder:
            prefix, _, name = source.rpartition("/")
            if name.endswith(".safetensors"):
                check_place(name)
                self._copy(prefix, folder, [name])
            else:
                self._copy(source, folder)
            yield self._adapter(source, folder, LocalFiles())

    def _adapter(self, source: str, path: Path, files: LocalFiles | None = None) -> AdapterFile:
        """The adapter's file at a path of this machine, or where the source was copied to."""
        try:
            return checked_adapter(files or self._files, path)
        except (RequestError, OSError) as exc:
            said = str(exc).replace(str(path), source)
            raise RequestError(f"The adapter {source} cannot be added: {said}") from exc

    def _convert(self, source: str, like: str | None, folder: Path) -> None:
        """Write the folder of a checkpoint."""
        file = self._path(source)
        if not file.is_file():
            raise RequestError(f"There is no file {source}.")
        if like is None:
            raise RequestError(
                f"{source} is a single-file checkpoint, which has no configs: name a folder of the"
                " same kind of model with --like."
            )
        if (fault := conversion.fault_in(file, self._local(like), folder)) is not None:
            raise RequestError(f"{source} cannot be converted: {fault}")

    def _path(self, source: str) -> Path:
        """A path that may be named."""
        self._files.check(source)
        path = path_of(source)
        self._files.check(path)
        return path

    def _local(self, source: str) -> Path:
        path = self._path(source)
        if not path.is_dir():
            raise RequestError(
                f"There is no folder {source}: name one of the farm's machine, a hub id as"
                " owner/name@revision, or an s3:// prefix."
            )
        return path.absolute()

    @contextmanager
    def _space(self) -> Iterator[Path]:
        """A folder for what is needed only while a model is added."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = Path(mkdtemp(dir=self._folder, prefix="adding-"))
        except OSError as exc:
            raise RequestError(
                f"The cache cannot be written ({exc.strerror}): look at the disk of FARM_CACHE."
            ) from exc
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _copy(self, source: str, folder: Path, names: Collection[str] = ()) -> None:
        """Copy the files under a prefix of a bucket, or those with these names."""
        bucket = source.removeprefix(SCHEME).partition("/")[0]
        if bucket not in self._buckets:
            raise RequestError(
                f"Models and adapters may not come from the bucket {bucket!r}: an operator of its"
                " machine may add it to FARM_REFERENCE_BUCKETS."
            )
        try:
            store = open_outputs(source.rstrip("/"), s3_style=self._style)
            keys = list(names) or list(islice(store.keys(""), _MOST_FILES + 1))
            if len(keys) > _MOST_FILES:
                raise RequestError(f"{source} has more than {_MOST_FILES:,} files.")
            for key in keys:
                check_place(key)
                _download(store, key, folder / key)
        except OutputsAway:
            raise
        except (NotFound, OutputsError) as exc:
            raise RequestError(f"The files at {source} cannot be read: {exc}") from exc
        except OSError as exc:
            raise RequestError(
                f"The files at {source} cannot be copied ({exc.strerror}): look at the disk of"
                " FARM_CACHE."
            ) from exc


def _download(store: Outputs, key: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    size = store.size(key)
    with place.open("wb") as file:
        for start in range(0, size, PART):
            file.write(store.part(key, start, min(start + PART, size)))
