"""Adapters that a campaign names, at its submission: files of the farm's machine, and registered
ones by `NAME` or `NAME@DIGEST`.
"""

from dataclasses import dataclass
from pathlib import Path

from actors.models.adapter_files import AdapterFile, adapter_file
from actors.models.cache import WeightsCache
from actors.models.lora import read_lora
from actors.models.lora_names import Weights
from actors.models.lora_strengths import CONFIG
from actors.recipes.errors import LoadFailed
from farm.campaign.addresses import has_scheme, hint, names_adapter, path_of
from farm.service.local_files import LocalFiles
from farm.service.registered import RegisteredModels
from storage.errors import OutputsAway, OutputsError, RequestError


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An adapter or a ControlNet that fits a model: its digest, and of a registered one the
    version's label and the sha256 of the list of its files.
    """

    digest: str
    label: str | None = None
    manifest: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdapterIntake:
    """Takes in adapters. `files` are those of this machine that may be named. Without `registered`
    and `cache`, which keeps the files of registered ones, no adapter has a name.
    """

    files: LocalFiles
    registered: RegisteredModels | None = None
    cache: WeightsCache | None = None

    def take(self, address: str, weights: Weights) -> Taken:
        """Look at the adapter with that address. Raises RequestError if it may not be named or
        does not fit the model, OutputsAway if the outputs cannot be read now.
        """
        try:
            if names_adapter(address):
                return self._registered(address, weights)
            return Taken(digest=read_lora(self._local(address), weights).digest)
        except OSError as exc:
            raise RequestError(f"it cannot be read ({exc.strerror}).") from exc

    def _registered(self, name: str, weights: Weights) -> Taken:
        row = self.registered.row(name, "adapter") if self.registered else None
        if row is None or self.cache is None:
            raise RequestError(
                "no adapter is registered under that name: name one that `farm adapters list`"
                " shows, or the whole path of a file on the farm's machine."
            )
        try:
            # The whole file: alphas are numbers in its tensors.
            with self.cache.use(row.manifest) as folder:
                digest = read_lora(adapter_file(folder), weights).digest
        except LoadFailed as exc:
            raise RequestError(str(exc)) from exc
        except OutputsAway:
            raise  # no fault of the campaign's
        except OutputsError as exc:
            raise RequestError(f"it cannot be read: {exc}") from exc
        return Taken(digest=digest, label=row.label, manifest=row.manifest)

    def _local(self, address: str) -> AdapterFile:
        path = checked_path(self.files, address)
        if not path.exists():
            raise RequestError(f"there is no file or folder {path}.{hint(address)}")
        return checked_adapter(self.files, path)


def checked_adapter(files: LocalFiles, path: Path) -> AdapterFile:
    """The adapter at a path, of which links may lead elsewhere. Raises RequestError."""
    file = adapter_file(path)
    for read in (file.path, file.path.with_name(CONFIG)):
        files.check(read)
    return file


def checked_path(files: LocalFiles, address: str) -> Path:
    """The path of a file that may be named. Errors say nothing about other paths, not even that
    they are not absolute.
    """
    if not has_scheme(address):
        files.check(address)
    path = path_of(address)
    files.check(path)
    return path
