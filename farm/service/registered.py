"""Registered models as campaigns name them: `NAME`, the version that was added last, or
`NAME@DIGEST`.

Whoever submits has no use for the weights. So the API server takes from the outputs only what it
needs: configs, tokenizers and the heads of the files with weights. Behind its head such a file
is a hole, as long as the weights are.
"""

import shutil
from pathlib import Path
from uuid import uuid4

from actors.models import ip_adapters, upscalers
from actors.models.controls import KIND, UNION, ControlNet, inspect_control
from actors.models.ip_adapters import IpAdapter, inspect_ip_adapter
from actors.models.manifests import MAX_BYTES, Manifest, StoredFile, read_manifest
from actors.models.models import Model, inspect_model
from actors.models.upscalers import Upscaler, inspect_upscaler
from farm.campaign.addresses import registered_name
from storage.errors import NotFound, RequestError
from storage.keys import weights_key
from storage.registry import Registered, Registry
from storage.store import Outputs

_LARGEST = 256 * 1024 * 1024
"""Bytes of a config or a tokenizer. The largest of today have 35 MB."""
_BESIDE = {
    KIND: "control",
    UNION: "control",
    ip_adapters.KIND: "likeness",
    upscalers.KIND: "upscale",
}
"""What stands beside a model, and the key of a campaign that names it."""
_LONGEST_HEAD = 100 * 1000 * 1000  # as the library of safetensors has it


class RegisteredModels:
    """The registered models of a farm, for whoever looks at campaigns."""

    def __init__(self, registry: Registry, outputs: Outputs, folder: Path) -> None:
        """Their configs and heads are kept in `folder` on this machine."""
        self._registry, self._outputs, self._folder = registry, outputs, folder / "heads"

    def row(self, name: str, kind: str = "model") -> Registered | None:
        """The version that a name stands for; None if nothing is registered under that name.

        Raises RequestError for a version that is not there.
        """
        named = registered_name(name)
        if named is None:
            return None
        found = self._registry.find(kind, *named)
        if found is None and named[1] is not None:
            return self._registry.get(kind, *named)
        return found

    def find(self, name: str) -> Model | None:
        """The registered model that a campaign names; None if nothing has that name.

        Raises RequestError if it cannot be used.
        """
        row = self.row(name)
        if row is None:
            return None
        if (kind := row.about.get("pipeline")) in _BESIDE:
            raise RequestError(
                f"{row.label} is of the kind {kind}, which paints nothing by itself: name a model"
                f" here, and this one as `{_BESIDE[kind]}: {{model: …}}`."
            )
        model = inspect_model(row.label, self._folder_of(row), row.digest)
        return Model(**{**vars(model), "manifest": row.manifest})

    def find_control(self, name: str) -> tuple[Registered, ControlNet] | None:
        """The registered ControlNet that a campaign names; None if nothing has that name.

        Raises RequestError if it cannot be used.
        """
        if (row := self._of_kind(name, KIND, UNION)) is None:
            return None
        return row, inspect_control(row.label, self._folder_of(row), row.digest)

    def find_ip_adapter(self, name: str) -> tuple[Registered, IpAdapter] | None:
        """The registered IP-Adapter that a campaign names; None if nothing has that name.

        Raises RequestError if it cannot be used.
        """
        if (row := self._of_kind(name, ip_adapters.KIND)) is None:
            return None
        return row, inspect_ip_adapter(row.label, self._folder_of(row), row.digest)

    def find_upscaler(self, name: str) -> tuple[Registered, Upscaler] | None:
        """The registered upscaler that a campaign names; None if nothing has that name.

        Raises RequestError if it cannot be used.
        """
        if (row := self._of_kind(name, upscalers.KIND)) is None:
            return None
        return row, inspect_upscaler(row.label, self._folder_of(row), row.digest)

    def _of_kind(self, name: str, *kinds: str) -> Registered | None:
        row = self.row(name)
        if row is not None and row.about.get("pipeline") not in kinds:
            raise RequestError(
                f"it is registered as {row.about.get('pipeline')}, and not as {kinds[0]}."
            )
        return row

    def _folder_of(self, row: Registered) -> Path:
        """The folder on this machine that has its configs and heads."""
        folder = self._folder / row.manifest
        if not folder.is_dir():
            self._take(row, folder)
        return folder

    def manifest(self, row: Registered) -> Manifest:
        try:
            return read_manifest(
                self._outputs.read(weights_key(row.manifest), MAX_BYTES), row.manifest
            )
        except NotFound as exc:
            raise RequestError(_gone(row, "the list of its files")) from exc
        except RequestError as exc:
            raise RequestError(f"The {row.kind} {row.label} cannot be used: {exc}") from exc

    def _take(self, row: Registered, folder: Path) -> None:
        part = folder.with_name(f".{uuid4().hex}")
        try:
            for file in self.manifest(row).files:
                place = part / file.path
                place.parent.mkdir(parents=True, exist_ok=True)
                self._take_file(row, file, place)
            if not folder.is_dir():  # another thread may have been faster
                part.rename(folder)
        except OSError as exc:
            if not folder.is_dir():
                raise RequestError(
                    f"The model {row.label} cannot be looked at: the cache cannot be written"
                    f" ({exc.strerror}). Look at the disk of FARM_CACHE."
                ) from exc
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _take_file(self, row: Registered, file: StoredFile, place: Path) -> None:
        key = weights_key(file.sha256)
        try:
            if not file.path.endswith(".safetensors"):
                place.write_bytes(self._outputs.read(key, _LARGEST))
                return
            length = int.from_bytes(self._outputs.part(key, 0, 8), "little")
            with place.open("wb") as head:
                head.write(self._outputs.part(key, 0, 8 + min(length, _LONGEST_HEAD)))
                head.truncate(file.bytes)
        except NotFound as exc:
            raise RequestError(_gone(row, file.path)) from exc


def _gone(row: Registered, what: str) -> str:
    return (
        f"The {row.kind} {row.label} cannot be used: {what} is not in the outputs any more. Add it"
        f" again with `farm {row.kind}s add {row.name} SOURCE`."
    )
