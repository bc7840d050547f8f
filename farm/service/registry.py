"""The registry: models and adapters that the farm keeps in its outputs, so that every machine can
have them. Each file is stored once, under its sha256, however many of them have it.
"""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any

from actors.models.manifests import Manifest, StoredFile
from farm.campaign.addresses import NAME
from farm.service.model_sources import ModelSources
from farm.service.registry_contents import Contents, adapter_contents, model_contents
from storage.errors import Conflict, RequestError
from storage.keys import weights_key
from storage.registry import Registered, Registry
from storage.store import Outputs

Json = dict[str, Any]
_OWN_MODEL, _NO_ADAPTER = "seedling", "none"
_WRITERS = 4


class RegistryService:
    """Models and adapters of a farm, added, listed and removed."""

    def __init__(self, registry: Registry, outputs: Outputs, sources: ModelSources) -> None:
        self._registry, self._outputs, self._sources = registry, outputs, sources

    def all(self, kind: str) -> list[Json]:
        """Every version, by name, the newest of each name first."""
        return [registered_json(row) for row in self._registry.all(kind)]

    def show(self, kind: str, name: str, digest: str | None = None) -> Json:
        return registered_json(self._registry.get(kind, name, digest))

    def add(self, kind: str, name: str, source: str, like: str | None = None) -> Json:
        """Store the files of a model or an adapter in the outputs, those that are not there yet,
        and let a name stand for it. A call that broke off is taken up again by the next one.
        `like` names a folder with the configs of a model's single-file checkpoint.

        Raises RequestError if the name or the source cannot be used, OutputsError if the outputs
        cannot be written.
        """
        check_name(name, kind)
        with self._contents(kind, name, source, like) as found:
            manifest, files = found.manifest, found.files
            self._put(manifest, files)
            if found.digest_now() != found.digest:
                raise Conflict(f"The files of {source} were changed while they were added.")
            about = {
                "pipeline": found.pipeline,
                "licence": found.licence,
                "source": source,
                "files": len(files),
            }
            row, did = self._registry.add(
                kind, name, found.digest, manifest=manifest.sha256, about=about,
                files={manifest.sha256, *(file.sha256 for file in manifest.files)},
                size=manifest.size,
            )  # fmt: skip
            self._put(manifest, files)  # a removal may have taken some meanwhile
        return {**registered_json(row), "did": did}

    def remove(self, kind: str, name: str, digest: str | None = None) -> list[Json]:
        """Forget a version, or all of a name, and delete the files that no other one needs.

        Raises NotFound, or Conflict if a campaign that is not over needs one.
        """
        rows = [self._registry.get(kind, name, digest)]
        if digest is None:
            rows = [row for row in self._registry.all(kind) if row.name == name]
        for row in rows:
            self._registry.remove(row)
            for file in row.files:
                if not self._registry.needs(file):
                    self._outputs.delete(weights_key(file))
        return [registered_json(row) for row in rows]

    @contextmanager
    def _contents(self, kind: str, name: str, source: str, like: str | None) -> Iterator[Contents]:
        """The files of a source, for as long as the block lasts."""
        if kind == "adapter":
            if like is not None:
                raise RequestError("Only a model's checkpoint is made like another: leave it out.")
            with self._sources.opened_adapter(source) as file:
                yield adapter_contents(name, file)
        else:
            with self._sources.opened(source, like) as folder:
                yield model_contents(name, folder)

    def _put(self, manifest: Manifest, files: Mapping[str, Path]) -> None:
        """Write what the outputs do not have, a few files at a time."""

        def put(file: StoredFile) -> None:
            key = weights_key(file.sha256)
            if not self._outputs.has(key):
                with files[file.path].open("rb") as data:
                    self._outputs.put(key, data)

        once = {file.sha256: file for file in manifest.files}.values()
        with ThreadPoolExecutor(_WRITERS) as pool:
            for done in [pool.submit(copy_context().run, put, file) for file in once]:
                done.result()
        if not self._outputs.has(weights_key(manifest.sha256)):
            self._outputs.put(weights_key(manifest.sha256), manifest.data)


def check_name(name: str, kind: str = "model") -> None:
    """Raise RequestError for a name that could stand for something else."""
    if kind == "model" and name == _OWN_MODEL:
        raise RequestError(f"The farm's own model is called {name}: choose another name.")
    if kind == "adapter" and (name == _NO_ADAPTER or name.endswith(".safetensors")):
        raise RequestError(
            f"An adapter cannot be called {name}: on an axis `none` is no adapter, and names that"
            " end in .safetensors are files. Choose another name."
        )
    if not re.fullmatch(NAME, name):
        raise RequestError(
            f"{name!r} cannot be a name: it begins with a small letter or a digit, and has up to"
            " 80 small letters, digits and `._-`."
        )


def registered_json(row: Registered) -> Json:
    """A version as the API shows it."""
    return {
        "kind": row.kind,
        "name": row.name,
        "label": row.label,
        "digest": row.digest,
        "manifest": row.manifest,
        "bytes": row.bytes,
        "pipeline": row.about["pipeline"],
        "licence": row.about["licence"],
        "source": row.about["source"],
        "files": row.about["files"],
        "added_at": row.added_at,
        "added_by": row.added_by,
    }
